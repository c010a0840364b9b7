"""A unit that runs: QEMU with two CAN controllers on one wire, a GNSS port, a network, and a root shell.

Every wait is for a condition, with a deadline generous enough for emulation on a busy machine. Whatever happens, the
emulator ends with this process; what the kernel and the daemon said stays in `target/emulated/NAME/`.
"""

import atexit
import base64
import json
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from waiting import GENEROUS, Failure, until

from .toolchain import ROOT

LOGS = ROOT / "target" / "emulated"


def connected(path):
    """A connection to a socket of QEMU's. Its name is there a moment before anybody listens on it."""
    def attempt():
        one = socket.socket(socket.AF_UNIX)
        try:
            one.connect(str(path))
            return one
        except ConnectionRefusedError:
            one.close()
            return None
    return until(f"QEMU listens on {path.name}", attempt)


class Qmp:
    """QEMU's own control socket."""

    def __init__(self, path):
        self._socket = connected(path)
        self._socket.settimeout(GENEROUS)
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self._lines.readline()
        self("qmp_capabilities")

    def __call__(self, command, **arguments):
        self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        for line in self._lines:
            answer = json.loads(line)
            if "error" in answer:
                raise Failure(f"{command}: {answer['error']}")
            if "return" in answer:
                return answer["return"]
        raise Failure(f"{command}: QEMU has ended")

    def until_event(self, name):
        """Waits for an event of this name."""
        for line in self._lines:
            if json.loads(line).get("event") == name:
                return
        raise Failure(f"{name}: QEMU has ended")


class Unit:
    """An emulated unit, from its power-on on. Use it in a `with`.

    `files` go into its root file system. `start` is a shell script that runs at boot, before the shell of `run` answers.
    `gnss` is how the receiver is plugged: "pci" as /dev/ttyS0 (or /dev/ttyS1 where the board's own port is first: see
    `gnss_device`), "usb" as /dev/ttyUSB0. With `pins`, lines of its GPIO controller can be pulled. `arguments` go to QEMU as
    they are.
    """

    def __init__(self, image, name, files=None, start="", gnss="pci", rtc=None, port=8080, memory=512, processors=2, pins=False, arguments=(), append=""):
        self.arch, self.name, self._guest_port = image.arch, name, port
        self.logs = LOGS / name
        shutil.rmtree(self.logs, ignore_errors=True)
        self.logs.mkdir(parents=True)
        # A socket's path has to be short.
        self._work = Path(tempfile.mkdtemp(prefix="telltale-unit-"))
        atexit.register(self.kill)
        files = dict(files or {})
        if start:
            files["etc/start"] = start
        initramfs = self._work / "initramfs"
        image.initramfs(files, initramfs)
        self._gnss_path = self._work / "gnss"
        self._usb = gnss == "usb"
        # However this process ends, the emulator ends with it.
        command = ["setpriv", "--pdeathsig", "KILL", self.arch.qemu, "-M", self.arch.machine, "-cpu", self.arch.cpu, "-smp", str(processors), "-m", str(memory), "-nodefaults", "-display", "none",
                   "-no-reboot", "-kernel", str(image.kernel), "-initrd", str(initramfs),
                   "-append", f"console=ttyAMA0 loglevel=6 {append}",
                   "-serial", f"file:{self.logs / 'kernel.log'}",
                   "-qmp", f"unix:{self._work / 'qmp'},server=on,wait=off",
                   "-chardev", f"socket,id=shell,path={self._work / 'shell'},server=on,wait=off",
                   "-device", "virtio-serial-pci", "-device", "virtconsole,chardev=shell",
                   "-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:{port}",
                   "-device", "virtio-net-pci,netdev=net,romfile=",
                   "-object", "can-bus,id=wire", *self.arch.controllers,
                   "-chardev", f"socket,id=gnss,path={self._gnss_path},server=on,wait=off"]
        command += ["-device", "qemu-xhci", "-device", self._USB] if self._usb else ["-device", "pci-serial,chardev=gnss"]
        command += ["-rtc", f"base={rtc}"] if rtc else []
        # QEMU's tests of its own devices pull their lines by this.
        command += ["-qtest", f"unix:{self._work / 'pins'},server=on,wait=off", "-qtest-log", "none"] if pins else []
        command += list(arguments)
        self._errors = open(self.logs / "qemu.log", "wb")
        self.powered = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._errors, stderr=self._errors)
        self._commands, self._said = 0, b""
        try:
            self.qmp = Qmp(self._path("qmp"))
            self._shell = connected(self._path("shell"))
            self.gnss = connected(self._path("gnss"))
            self._pins = connected(self._path("pins")) if pins else None
            found = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+\S+\s+(\d+)", self.qmp("human-monitor-command", **{"command-line": "info usernet"}))
            self.port = int(found.group(1))
            self._read_until(b"--unit is up--", 3 * GENEROUS, "the boot")
        except BaseException as error:
            self.kill()
            raise Failure(f"{name} does not boot: {error}; its logs are in {self.logs}") from error

    _USB = "usb-serial,chardev=gnss,id=receiver,always-plugged=on"

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None and self.process.poll() is None:
            try:
                _, said = self.run("cat /tmp/telltale.log; ip -d -s link; dmesg | tail -50; ps", 20)
                (self.logs / "daemon.log").write_text(said)
            except (Failure, OSError):
                pass
        self.kill()

    def kill(self):
        """The plug is pulled."""
        atexit.unregister(self.kill)
        if hasattr(self, "process"):
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self._work, ignore_errors=True)

    def _path(self, name):
        """A socket of the emulator's, once it is there."""
        path = self._work / name

        def there():
            if self.process.poll() is not None:
                raise Failure(f"QEMU has ended: {(self.logs / 'qemu.log').read_text(errors='replace')[-2000:]}")
            return path.exists()

        until(f"{name} of {self.name}", there)
        return path

    def _read_until(self, mark, patience, what):
        """Reads the shell up to `mark`, a pattern; the match, and what came before."""
        deadline = time.monotonic() + patience
        while True:
            found = re.search(mark, self._said)
            if found:
                before, self._said = self._said[: found.start()], self._said[found.end():]
                return found, before.decode(errors="replace")
            self._shell.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                piece = self._shell.recv(65536)
            except TimeoutError:
                raise Failure(f"{what}: no answer within {patience:.0f} s; so far: {self._said[-2000:]!r}") from None
            if not piece:
                raise Failure(f"{what}: the unit has gone; so far: {self._said[-2000:]!r}")
            self._said += piece

    def run(self, command, timeout=GENEROUS):
        """Runs a command in the unit, as root; its exit status and output (both streams)."""
        self._commands += 1
        self._shell.sendall(f"(\n{command}\n) < /dev/null 2>&1; echo \"--$?-ended-{self._commands}--\"\n".encode())
        mark, said = self._read_until(rb"--(\d+)-ended-%d--\r?\n" % self._commands, timeout, command)
        return int(mark.group(1)), said.replace("\r\n", "\n").lstrip("\n")

    def do(self, command, timeout=GENEROUS):
        """Runs a command that has to work; its output."""
        status, said = self.run(command, timeout)
        if status != 0:
            raise Failure(f"{self.name}: `{command}` ended with {status}: {said}")
        return said

    def write(self, path, data, mode="644"):
        """Writes a file in the unit."""
        data = data.encode() if isinstance(data, str) else data
        self.do(f"mkdir -p $(dirname {path})\nbase64 -d > {path} <<'END'\n{base64.encodebytes(data).decode()}END\nchmod {mode} {path}")

    def until(self, what, command, patience=GENEROUS):
        """Waits until a command in the unit works; its output."""
        def once():
            status, said = self.run(command, patience)
            return (said or " ") if status == 0 else None
        return until(f"{self.name}: {what}", once, patience, 0.1)

    @property
    def address(self):
        """Host and port where the daemon's door is, from here."""
        return f"127.0.0.1:{self.port}"

    def http(self, method, path, body=None, token=None, timeout=GENEROUS):
        """One request to the daemon; status and body (JSON where it is). 0 when nobody answers."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://{self.address}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        except (OSError, ConnectionError) as error:
            return 0, str(error)
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode(errors="replace")

    def start_daemon(self, command="telltale run", environment=""):
        """Starts the daemon and waits until its door is open; its process id."""
        self.do(f"mkdir -p /run/telltale\n{environment} RUNTIME_DIRECTORY=/run/telltale {command} > /tmp/telltale.log 2>&1 &\necho $! > /run/telltale.pid")
        self.until_open()
        return int(self.do("cat /run/telltale.pid"))

    def until_open(self):
        """Waits until the daemon answers at all."""
        self._until_answers("/healthz", "open")

    def until_ready(self):
        """Waits until every part of the daemon does its job."""
        self._until_answers("/readyz", "ready")

    def _until_answers(self, path, what):
        try:
            until(f"{self.name}: the daemon is {what}", lambda: self.http("GET", path, timeout=30)[0] == 200)
        except Failure as error:
            raise Failure(f"{error}; it says {self.http('GET', '/healthz')} and {self.run('cat /tmp/telltale.log')}") from error

    def pair(self, member="anna", scopes="read,control"):
        """Lets a phone in, as the owner does; its token."""
        said = self.do(f"RUNTIME_DIRECTORY=/run/telltale telltale pair --member {member} --scopes {scopes}")
        code = re.search(r"#pair=(\w+)", said).group(1)
        status, answer = self.http("POST", "/api/v1/pair", {"code": code, "device": "phone of the tests"})
        if status != 201:
            raise Failure(f"{self.name}: pairing says {status}: {answer}")
        return answer["token"]

    def until_part(self, part, condition, detail="", patience=GENEROUS):
        """Waits until /healthz says that `part` is `condition`, and `detail` in its sentence; the sentence."""
        def once():
            status, health = self.http("GET", "/healthz")
            found = health["parts"].get(part, {}) if isinstance(health, dict) else {}
            last[0] = (status, health)
            return found.get("condition") == condition and detail in found.get("detail", "") and (found.get("detail") or " ")
        last = [None]
        try:
            return until(f"{self.name}: {part} is {condition}", once, patience, 0.2)
        except Failure as error:
            raise Failure(f"{error}; /healthz: {last[0]}") from error

    def metric(self, token, name, **labels):
        """The sum of a metric's samples that have these labels; 0 where it was never counted."""
        status, page = self.http("GET", "/metrics", token=token)
        if status != 200:
            raise Failure(f"{self.name}: /metrics says {status}: {page}")
        total = 0.0
        for line in page.splitlines():
            found = re.match(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
            if found and all(f'{key}="{value}"' in (found.group(1) or "") for key, value in labels.items()):
                total += float(found.group(2))
        return int(total)

    def until_metric(self, token, name, at_least, **labels):
        """Waits until a metric is so high."""
        until(f"{self.name}: {name} {labels} reaches {at_least}", lambda: self.metric(token, name, **labels) >= at_least, pause=0.2)

    def counted(self, interface, what):
        """A counter of the kernel's for an interface."""
        return int(self.do(f"cat /sys/class/net/{interface}/statistics/{what}"))

    def memory(self, process):
        """KiB that a process has in memory (VmRSS), and had at most (VmHWM)."""
        return {key: int(value) for key, value in re.findall(r"(VmRSS|VmHWM):\s+(\d+)", self.do(f"cat /proc/{process}/status"))}

    def uptime(self):
        """Seconds since the kernel's start."""
        return float(self.do("cat /proc/uptime").split()[0])

    def cpu_seconds(self, process):
        """CPU time that a process's threads have had, by the scheduler's count, which is finer than its ticks."""
        return sum(int(line.split()[0]) for line in self.do(f"cat /proc/{process}/task/*/schedstat").splitlines()) / 1e9

    def pull(self, line, level):
        """Puts a line of the GPIO controller at this level, where it stays."""
        controller = next(part["name"] for part in self.qmp("qom-list", path="/machine/unattached") if part["type"] == "child<pl061>")
        self._pins.sendall(f"set_irq_in /machine/unattached/{controller} unnamed-gpio-in {line} {level}\n".encode())
        self._pins.settimeout(GENEROUS)
        answer = self._pins.recv(100)
        if answer != b"OK\n":
            raise Failure(f"line {line} cannot be pulled: {answer}")

    def unplug(self):
        """Pulls the USB receiver out."""
        self.qmp("device_del", id="receiver")
        self.qmp.until_event("DEVICE_DELETED")

    def plug(self):
        """Puts the USB receiver in again."""
        self.qmp("device_add", driver="usb-serial", id="receiver", chardev="gnss", **{"always-plugged": True})
