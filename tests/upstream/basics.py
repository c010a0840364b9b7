"""What every part of these stories needs: waits for conditions, ports, commands."""

import contextlib
import random
import socket
import subprocess
import time

GENEROUS = 120.0


class Failure(Exception):
    """Something did not come about."""


class Missing(Exception):
    """Something that is needed is not here and cannot be had."""


def until(what, condition, patience=GENEROUS, pause=0.05):
    """The first result of `condition` that is true."""
    deadline = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {patience:.0f} s (last: {found!r})")
        time.sleep(pause)


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
