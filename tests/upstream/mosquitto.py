"""A real mosquitto that can be killed, and a disk of its own that can be full.

What it promises, and what these tests therefore may ask of it: mosquitto acknowledges a message when it has it in memory,
and writes it down when it is told to (SIGUSR1), asked to end (SIGTERM), or now and then; it never syncs. A SIGKILL loses
what it acknowledged and has not delivered yet: that loss is mosquitto's, by design. So a SIGKILL comes here only while the
vehicle hears nothing of it (`Network.deaf`) and after a marker, queued behind everything that was acknowledged, has reached
the subscriber. What the vehicle has on its way is then the worst there is: delivered, perhaps twice, and never acknowledged.
The subscriber's session is written down at the start, so that a mosquitto that begins again knows whom to queue for. The
queue has no limit here: with the default of 1,000 mosquitto drops what it acknowledged when a subscriber is slow.
"""

import shutil
import signal
import subprocess

from .basics import Failure, Missing, Server, answers, free_port, run, until

DISK = 24 * 1024 * 1024


class Mosquitto(Server):
    """Listens with TLS at `address` for vehicles that have a certificate, and in clear text on loopback for the tests."""

    name = "mosquitto"

    def __init__(self, folder, address, authority):
        if not shutil.which("mosquitto"):
            raise Missing("mosquitto is not installed")
        super().__init__(folder / "mosquitto", DISK)
        self.address, self.authority, self.port, self.local = address, authority, free_port(), free_port()
        self.certify(authority)
        self.start()

    def certify(self, authority):
        """Takes a certificate by this authority, in force with the next start."""
        for made, place in zip(authority.sign("broker", [self.address]), ("server.pem", "server.key")):
            shutil.copy(made, self.folder / place)

    def start(self):
        """Starts it where it was."""
        lines = [
            "user root", "per_listener_settings false", "allow_anonymous true", "log_dest stderr", "connection_messages false",
            "log_type error", "log_type warning", "log_type information",
            "persistence true", f"persistence_location {self.disk}/", "autosave_interval 0", "max_queued_messages 0",
            f"listener {self.local} 127.0.0.1",
            f"listener {self.port} {self.address}", f"cafile {self.authority.certificate}", "require_certificate true",
            f"certfile {self.folder}/server.pem", f"keyfile {self.folder}/server.key",
        ]
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(["mosquitto", "-c", self.folder / "mosquitto.conf"], stderr=log, stdout=log)
        until("mosquitto listens", lambda: self._alive() and answers("127.0.0.1", self.local) and answers(self.address, self.port))

    def _alive(self):
        if self.process.poll() is not None:
            raise Failure(f"mosquitto has ended with {self.process.returncode}: {self.log()}")
        return True

    def save(self):
        """Has it write down what it knows, as far as its disk lets it: when this is back, it has tried."""
        before = self._saves()
        self.process.send_signal(signal.SIGUSR1)
        until("mosquitto saves", lambda: self._saves() > before)
        # It does one thing after the other.
        run("mosquitto_pub", "-h", "127.0.0.1", "-p", self.local, "-q", "1", "-t", "saved", "-m", "")

    def _saves(self):
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace").count("Saving in-memory database")
