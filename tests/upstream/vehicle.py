"""A vehicle: a daemon in its own network, its phone, and what it has told."""

import http.client
import json
import os
import signal
import subprocess
import time

from emulated.phone import Phone

from . import drive
from .basics import GENEROUS, Failure, until

VIN = "TELLTALEFLEET0001"
PORT = 8080
KINDS = ("child", "geofence", "diagnosis", "trip")


class Listener(Phone):
    """A phone that counts."""

    def count(self):
        """How many events it was told."""
        return sum(name == "message" for _, name, _, _ in self.told)


class Vehicle:
    """`upstream` is what stands below `[[upstream]]`, given the vehicle's folder."""

    def __init__(self, telltale, folder, network, upstream, fences=drive.FENCES, more=""):
        self.telltale, self.folder, self.network = telltale, folder / "vehicle", network
        self.folder.mkdir()
        self.vin, self.token, self.process, self.kills = VIN, None, None, 0
        drive.lay_out(self.folder, fences)
        self.address = f"{network.phones}:{PORT}"
        self._site(upstream + more)

    def _site(self, upstream):
        text = (f'[vehicle]\nvin = "{VIN}"\nprofile = "car.toml"\n[journal]\ndir = "journal"\nstall_seconds = 60\n'
                f'[http]\nlisten = "{self.address}"\ntrusted = ["wlan"]\n{drive.SITE}\n{upstream}')
        (self.folder / "telltale.toml").write_text(text, encoding="utf-8")

    def start(self):
        """Starts the daemon, and pairs a phone the first time."""
        environment = {**os.environ, "RUNTIME_DIRECTORY": str(self.folder)}
        command = [*self.network.inside(), str(self.telltale), "run", "--config", str(self.folder / "telltale.toml")]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until("the daemon answers", self._answers)
        if self.token is None:
            self.token = self._pair(environment)

    def _answers(self):
        if self.process.poll() is not None:
            raise Failure(f"the daemon has ended with {self.process.returncode}:\n{self.log()}")
        try:
            return self.get("/healthz", signed_in=False)
        except (OSError, http.client.HTTPException):
            return None

    def _pair(self, environment):
        command = [str(self.telltale), "pair", "--member", "anna", "--scopes", "read,admin"]
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        code = said.split("#pair=")[1].split()[0]
        return self._ask("POST", "/api/v1/pair", {"code": code, "device": "a phone of the tests"}, None)["token"]

    def _ask(self, method, path, body, token):
        connection = http.client.HTTPConnection(self.address, timeout=GENEROUS)
        try:
            headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status >= 400:
                raise Failure(f"{method} {path}: {answer.status} {said[:500]}")
            return json.loads(said) if answer.getheader("Content-Type", "").startswith("application/json") else said.decode()
        finally:
            connection.close()

    def get(self, path, signed_in=True):
        """One answer."""
        return self._ask("GET", path, None, self.token if signed_in else None)

    def phone(self):
        """A phone that hears everything from the beginning."""
        return Listener(self.address, self.token, last="0")

    def history(self, kinds=KINDS):
        """Every event, as the vehicle's own history has it."""
        events, since = [], 0
        while True:
            page = self.get(f"/api/v1/events?types={','.join(kinds)}&since={since}&limit=1000")["events"]
            if not page:
                return events
            events += page
            since = page[-1]["eventId"]

    def metrics(self):
        """What `/metrics` counts, by name with labels."""
        found = {}
        for line in self.get("/metrics").splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[name] = float(value)
        return found

    def health(self, part):
        """What `/healthz` says of a part; None where it has no such part."""
        return self.get("/healthz", signed_in=False)["parts"].get(part)

    def memory(self):
        """Bytes resident now, and the most there ever were of this process."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            lines = dict(line.split(":", 1) for line in status)
        return tuple(int(lines[key].split()[0]) * 1024 for key in ("VmRSS", "VmHWM"))

    def kill(self):
        """Pulls the plug."""
        self.process.kill()
        self.process.wait()
        self.kills += 1

    def stop(self):
        """Asks it to end; how long that took, in seconds."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(GENEROUS)
        return time.monotonic() - begun

    def log(self):
        """The end of what it said."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-5000:]

    def close(self):
        """Ends it, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
