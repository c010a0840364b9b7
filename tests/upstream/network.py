"""The vehicle's network: a namespace of its own with two wires, one to its phones and one, the modem's, to the fleet.

Everything else stays in the namespace in which the tests run. Nobody says goodbye when a wire is cut:

- `down`: the modem loses its carrier, which the kernel tells the daemon.
- `deaf`: nothing reaches the vehicle any more, while what it sends arrives: the worst of the silences, as a broker takes and
  acknowledges what the vehicle never learns of.
"""

import contextlib
import itertools
import os
import tempfile

from .basics import Failure, run

_NUMBERS = itertools.count()


def lacking():
    """What this kernel does not let us do, which no package can mend; nothing, where all of it works."""
    name = f"ttprobe{os.getpid()}"
    try:
        with tempfile.TemporaryDirectory() as folder:
            run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder)
            run("umount", folder)
        run("ip", "netns", "add", name)
        try:
            run("ip", "link", "add", name[:15], "type", "veth", "peer", "name", "probe", "netns", name)
        finally:
            run("ip", "netns", "del", name)
    except (Failure, FileNotFoundError) as error:
        return f"it needs the right to mount, to make network namespaces and to lay wires between them: {error}"
    return ""


class Network:
    """The namespace. `fleet` and `vehicle` are addresses of the modem's two ends, `phones` the vehicle's towards phones."""

    def __init__(self):
        number = next(_NUMBERS)
        self.name = f"tt{os.getpid()}-{number}"
        subnet = f"10.213.{(os.getpid() + number) % 250}"
        self.fleet, self.vehicle, self._home, self.phones = (f"{subnet}.{last}" for last in (1, 2, 5, 6))
        self._modem, self._wlan = f"ttm{os.getpid()}x{number}", f"ttw{os.getpid()}x{number}"
        run("ip", "netns", "add", self.name)
        self._inside("ip", "link", "set", "lo", "up")
        for here, there, near, far in ((self._modem, "modem", self.fleet, self.vehicle), (self._wlan, "wlan", self._home, self.phones)):
            run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", self.name)
            run("ip", "addr", "add", f"{near}/30", "dev", here)
            run("ip", "link", "set", here, "up")
            self._inside("ip", "addr", "add", f"{far}/30", "dev", there)
            self._inside("ip", "link", "set", there, "up")
        self._inside("ip", "route", "add", "default", "via", self.fleet)

    def _inside(self, *command):
        return run("ip", "netns", "exec", self.name, *command)

    def inside(self):
        """What goes before a command that is to run there. It becomes the command: its process is the command's."""
        return ["ip", "netns", "exec", self.name]

    @contextlib.contextmanager
    def down(self):
        """Without a carrier."""
        run("ip", "link", "set", self._modem, "down")
        try:
            yield
        finally:
            run("ip", "link", "set", self._modem, "up")

    @contextlib.contextmanager
    def deaf(self):
        """The vehicle hears nothing."""
        run("ip", "route", "add", "blackhole", f"{self.vehicle}/32")
        try:
            yield
        finally:
            run("ip", "route", "del", "blackhole", f"{self.vehicle}/32")

    def bytes(self):
        """What has gone over the modem: (sent by the vehicle, received by it), with everything from Ethernet upwards."""
        folder = f"/sys/class/net/{self._modem}/statistics"
        with open(f"{folder}/rx_bytes", encoding="ascii") as sent, open(f"{folder}/tx_bytes", encoding="ascii") as received:
            return int(sent.read()), int(received.read())

    def close(self):
        """Takes it away. The wires go with it."""
        for wire in (self._modem, self._wlan):
            with contextlib.suppress(Failure):
                run("ip", "link", "del", wire)
        with contextlib.suppress(Failure):
            run("ip", "netns", "del", self.name)
