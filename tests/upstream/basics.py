"""What every part of these stories needs: commands, ports, servers on disks that fill up."""

import contextlib
import random
import signal
import socket
import subprocess

from waiting import GENEROUS, Failure, until

__all__ = ["GENEROUS", "Failure", "Missing", "Server", "answers", "free_port", "run", "until"]


class Missing(Exception):
    """Something that is needed is not here and cannot be had."""


def run(*command):
    """A command that has to work; what it said."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def free_port():
    """A TCP port that nobody has now, nor gets by chance for a connection of its own while a broker is down."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("0.0.0.0", port))
            return port


def answers(address, port):
    """Whether somebody listens there."""
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


class Server:
    """A program in a folder of its own, with a small disk in there. Whoever starts it leaves it in `process`."""

    def __init__(self, folder, disk_bytes):
        self.folder, self.process, self.disk = folder, None, folder / "disk"
        self.disk.mkdir(parents=True)
        run("mount", "-t", "tmpfs", "-o", f"size={disk_bytes}", "tmpfs", self.disk)

    def log(self):
        """The end of what it said."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-3000:]

    def end(self, how=signal.SIGTERM):
        """Ends it, and waits for that."""
        self.process.send_signal(how)
        self.process.wait()

    @contextlib.contextmanager
    def disk_full(self):
        """Not a byte is left on its disk."""
        filler = self.disk / "filler"
        try:
            with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
                while file.write(bytes(65536)):
                    pass
            yield
        finally:
            filler.unlink()

    def close(self):
        """Takes it away, with its disk."""
        if self.process is not None and self.process.poll() is None:
            self.end(signal.SIGKILL)
        subprocess.run(["umount", self.disk], check=False)
