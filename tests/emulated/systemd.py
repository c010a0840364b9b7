"""The package under systemd: a Debian file system, made once, on a disk of the emulated unit.

The unit boots it from the initramfs of the other stories, whose modules it keeps. One story, in the order of a unit's life:
installed, configured, booted, reloaded, upgraded, hung, removed, purged. A phone follows the stream all the while.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from . import button, car, package, toolchain
from .image import CACHE, versions
from .nmea import Receiver, ticking
from .phone import Phone
from .qemu import Failure, Unit, until
from .toolchain import Missing

INCLUDE = ["systemd", "systemd-sysv", "udev", "iproute2", "can-utils", "dbus", "kmod", "libgcc-s1"]
MIRROR = "http://deb.debian.org/debian"
BINFMT = Path("/proc/sys/fs/binfmt_misc")
# What the unit's boot, all its services and a package take under emulation on a busy machine.
PATIENT = 300.0

_INIT = """#!/usr/bin/dash
/bin/busybox mkdir -p /proc /sys /dev /disk
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
while read module; do insmod /lib/modules/$module; done < /lib/modules/order
until mount -t ext4 /dev/vda /disk 2> /dev/null; do usleep 50000; done
exec switch_root /disk /sbin/init
"""

# The shell by which the tests speak to the unit, as soon as a service could run.
_SHELL = """[Unit]
Description=The tests' shell
After=dbus.service systemd-networkd.service

[Service]
Environment=HOME=/root
ExecStart=/bin/sh -c 'exec < /dev/hvc0 > /dev/hvc0 2>&1; stty raw -echo; echo "--unit is up--"; dd bs=4096 2> /dev/null | sh'

[Install]
WantedBy=multi-user.target
"""

_SYSTEM = {
    "etc/systemd/network/80-eth0.network": "[Match]\nName=eth0\n\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nLinkLocalAddressing=no\n",
    "etc/systemd/system/shell.service": _SHELL,
    "etc/machine-id": "7e117a1e7e117a1e7e117a1e7e117a1e\n",
    "etc/fstab": "/dev/vda / ext4 defaults 0 0\n",
    "etc/hostname": "unit\n",
}
_WANTED = {"shell.service": "/etc/systemd/system/shell.service", "systemd-networkd.service": "/lib/systemd/system/systemd-networkd.service"}
# Terminals that nobody sits at, and jobs of a machine that stays.
_MASKED = ["serial-getty@hvc0.service", "serial-getty@ttyAMA0.service", "serial-getty@ttyS0.service", "getty@tty1.service",
           "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer", "systemd-logind.service"]

_BUSES = {"body": "can0", "cabin": "vcan0"}


def _register_emulator(arch):
    """Lets the kernel run the architecture's programs, which mmdebstrap needs."""
    if not (BINFMT / "status").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)], capture_output=True, check=False)
    name = "qemu-" + {"arm64": "aarch64", "armhf": "arm"}[arch.debian]
    if not (BINFMT / name).exists():
        try:
            (BINFMT / "register").write_bytes(Path(f"/usr/lib/binfmt.d/{name}.conf").read_bytes().strip())
        except OSError as error:
            raise Missing(f"{name} cannot be registered with the kernel: {error}") from None


_ONE_AT_A_TIME = threading.Lock()


def prepare(arch):
    """The archive of the root file system, made where it is not in the cache."""
    with _ONE_AT_A_TIME:
        return _archive(arch)


def _archive(arch):
    chosen = versions([f"{name}:{arch.debian}" for name in INCLUDE])
    key = hashlib.sha256(repr((sorted(chosen.items()), MIRROR)).encode()).hexdigest()[:12]
    archive = CACHE / f"rootfs-{arch}-{key}.tar"
    if archive.is_file():
        return archive
    if os.geteuid() != 0:
        raise Missing("only root can make a root file system with mmdebstrap")
    needed = {"mmdebstrap": "mmdebstrap", "arch-test": "arch-test", "qemu-aarch64-static": "qemu-user-static", "mke2fs": "e2fsprogs"}
    absent = [name for program, name in needed.items() if not shutil.which(program)]
    if absent:
        toolchain.retried(" ".join(absent), ["apt-get", "install", "-q", "-y", "--no-install-recommends", *absent])
    _register_emulator(arch)
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        command = ["mmdebstrap", f"--architectures={arch.debian}", "--variant=minbase", f"--include={','.join(INCLUDE)}"]
        command += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "doc", "locale", "info")]
        toolchain.retried("the root file system", [*command, "bookworm", f"{work}/rootfs.tar", MIRROR])
        os.rename(f"{work}/rootfs.tar", archive)
    return archive


def _disk(archive, files, path):
    """A disk with the root file system and `files` (path: text or a file's `Path`)."""
    with tempfile.TemporaryDirectory() as work:
        root = Path(work, "root")
        root.mkdir()
        # Devices come from the kernel.
        subprocess.run(["tar", "-xpf", archive, "-C", root, "--exclude=./dev/*"], check=True)
        for name, content in files.items():
            to = root / name
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(content.read_bytes() if isinstance(content, Path) else content.encode())
        units = root / "etc/systemd/system"
        (units / "multi-user.target.wants").mkdir(exist_ok=True)
        for name, target in _WANTED.items():
            (units / "multi-user.target.wants" / name).symlink_to(target)
        for name in _MASKED:
            (units / name).symlink_to("/dev/null")
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", root, path, "1G"], check=True, capture_output=True)


def _boot(story, disk, name):
    """Boots the disk; the unit, once its shell answers."""
    arguments = ["-blockdev", f"driver=file,filename={disk},node-name=disk", "-device", "virtio-blk-pci,drive=disk,romfile="]
    return boot(story, arguments, name, pins=True)


def _property(unit, name):
    """A property of the service."""
    return unit.do(f"systemctl show telltale -p {name} --value").strip()


def _state(unit, wanted):
    """Waits until the service is in this state."""
    try:
        unit.until(f"telltale is {wanted}", f"test \"$(systemctl is-active telltale)\" = {wanted}", PATIENT)
    except Failure as failure:
        raise Failure(f"{failure}\n{unit.run('systemctl status --no-pager -l telltale; journalctl -u telltale --no-pager -n 50')[1]}") from failure


def installed(story):
    """A unit's life under systemd, from `dpkg --install` to `dpkg --purge`."""
    with tempfile.TemporaryDirectory(dir=_work()) as work:
        disk = Path(work, "disk")
        debs = {
            "root/one.deb": package.build(story.arch, work, "1"),
            "root/two.deb": package.build(story.arch, work, "2"),
        }
        toolchain.build([story.arch], "dev")
        debs["root/debug.deb"] = package.build(story.arch, work, "3", "dev")
        files = {f"root/{name}": path for name, path in car.SIMULATED.items()}
        _disk(prepare(story.arch), {**_SYSTEM, **files, **debs}, disk)
        with _boot(story, disk, "install") as unit:
            _install(unit)
            # All is on the disk when the file system is read-only.
            unit.do("sync; systemctl stop telltale; mount -o remount,ro / || (sync; echo s > /proc/sysrq-trigger; echo u > /proc/sysrq-trigger)")
        with _boot(story, disk, "life") as unit:
            _life(story, unit)


def _work():
    """Where disks lie while a story is told."""
    folder = toolchain.ROOT / "target" / "emulated"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _install(unit):
    """What the package does by itself, and what its owner does then."""
    unit.do("dpkg --install /root/one.deb", PATIENT)
    _state(unit, "active")
    if unit.do("systemctl is-enabled telltale").strip() != "enabled":
        raise Failure("the service is not enabled")
    for path, owner in {"/etc/telltale/telltale.toml": "640 root:telltale", "/var/lib/telltale": "700 telltale:telltale",
                        "/run/telltale": "750 telltale:telltale", "/run/telltale/control.sock": "660 telltale:telltale"}.items():
        said = unit.do(f"stat -c '%a %U:%G' {path}").strip()
        if said != owner:
            raise Failure(f"{path} is {said}, not {owner}")
    if unit.do("cat /proc/sys/net/core/rmem_max").strip() != "1048576":
        raise Failure("sockets may not have their receive buffer")
    unit.do("cp /root/car.toml /root/car.dbc /root/fences.geojson /etc/telltale/")
    unit.write("/etc/telltale/telltale.toml", button.site(car.site("car.toml", _BUSES, "/dev/telltale-gnss", "fences.geojson")), "640")
    unit.write("/etc/telltale/label", button.LABEL, "640")
    unit.do("chgrp telltale /etc/telltale/telltale.toml /etc/telltale/label && telltale boards qemu-virt --image /")


def _life(story, unit):
    figures = story.figures
    _state(unit, "active")
    figures["boot_to_ready_s"] = round(int(_property(unit, "ActiveEnterTimestampMonotonic")) / 1e6, 2)
    figures["start_to_ready_s"] = round(
        (int(_property(unit, "ActiveEnterTimestampMonotonic")) - int(_property(unit, "ExecMainStartTimestampMonotonic"))) / 1e6, 2)
    _sandboxed(unit, figures)
    token = _pair(unit)
    # Its line is named by udev, and left open by the sandbox.
    button.pairs(unit)
    with Phone(unit.address, token) as phone, Receiver(unit.gnss, ticking(7200)):
        phone.until_connected()
        _hears(unit, token)
        told = _Teller(unit, phone)
        told.fault()
        _reloaded(unit, phone)
        told.recovery()
        _upgraded(unit, phone, token, told, figures)
        _hung(unit, phone, told, figures)
        if any(name == "gap" for _, name, _, _ in phone.told):
            raise Failure("the phone was told of a gap")
        # What the phone heard first, and everything after it, is what the journal has.
        heard = lambda: [event["eventId"] for event in phone.events()]
        history = unit.http("GET", f"/api/v1/events?since={heard()[0] - 1}&limit=1000", token=token)[1]["events"]
        kept = [event["eventId"] for event in history]
        until(f"the phone has heard {kept}", lambda: heard()[:len(kept)] == kept)
        figures["events_heard"] = len(kept)
    _removed(unit)


def _sandboxed(unit, figures):
    """What the service may not do, and that it can do its job all the same."""
    said = unit.do("systemd-analyze security telltale --no-pager", PATIENT)
    score = float(re.search(r"exposure level for telltale.service: ([0-9.]+)", said).group(1))
    figures["security_exposure"] = score
    if score > 1.5:
        raise Failure(f"exposure {score}:\n{said}")
    # Discovery may have its socket (port 5353 in hexadecimal), and see which interfaces there are.
    until("it answers multicast DNS", lambda: ":14E9 " in unit.do("cat /proc/net/udp /proc/net/udp6"))
    pid = _property(unit, "MainPID")
    status = dict(line.split(":\t", 1) for line in unit.do(f"cat /proc/{pid}/status").splitlines() if ":\t" in line)
    wrong = {key: status.get(key) for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(status.get(key, "1"), 16)}
    if wrong or status["NoNewPrivs"] != "1" or status["Seccomp"] != "2":
        raise Failure(f"it has {wrong}, NoNewPrivs {status['NoNewPrivs']}, Seccomp {status['Seccomp']}")
    figures["resident_bytes"] = int(status["VmRSS"].split()[0]) * 1024


def _pair(unit):
    """Lets a phone in by the control socket."""
    said = unit.do("telltale pair --member anna --scopes read,control")
    code = re.search(r"#pair=(\w+)", said).group(1)
    status, answer = unit.http("POST", "/api/v1/pair", {"code": code, "device": "phone of the tests"})
    if status != 201:
        raise Failure(f"pairing says {status}: {answer}")
    return answer["token"]


def _hears(unit, token):
    """The controller that networkd brought up and the port that udev named are read under the sandbox."""
    link = json.loads(unit.do("ip -d -j link show can0"))[0]
    if "UP" not in link["flags"] or "LISTEN-ONLY" not in link["linkinfo"]["info_data"]["ctrlmode"]:
        raise Failure(f"can0: {link}")
    unit.until_part("can.body", "ok")
    unit.until_part("gnss", "ok")
    unit.do("ip link set can1 up type can bitrate 500000")
    before = unit.metric(token, "telltale_can_frames_total", bus="body")
    # BODY_GATEWAY of the simulated car: all closed, ignition off.
    unit.do("cangen can1 -I 3B0 -L 8 -D 0000000000000000 -g 5 -n 200")
    until("200 frames are heard", lambda: unit.metric(token, "telltale_can_frames_total", bus="body") == before + 200)
    until("fixes are read", lambda: unit.metric(token, "telltale_gnss_fixes_total") > 0)


class _Teller:
    """Makes the daemon tell of its cabin bus: bus-off, and that it is over."""

    def __init__(self, unit, phone):
        self._unit, self._phone, self._faults, self._recoveries = unit, phone, 0, 0

    def fault(self):
        """One more CAN_BUS_FAULT."""
        self._faults += 1
        self._tell("20000040#0000000000000000", "CAN_BUS_FAULT", self._faults)

    def recovery(self):
        """One more CAN_BUS_RECOVERED."""
        self._recoveries += 1
        self._tell("20000100#0000000000000000", "CAN_BUS_RECOVERED", self._recoveries)

    def _tell(self, frame, kind, count):
        self._unit.do(f"cansend vcan0 {frame}")
        until(f"the phone hears of {kind} {count} times", lambda: len(self._phone.events(kind)) >= count)


def _reloaded(unit, phone):
    """A reload drops no stream; a bad configuration is refused, and the one from before stays."""
    connections = phone.connections
    unit.do("sed -i 's/silent_after_s = 5/silent_after_s = 9/' /etc/telltale/telltale.toml && systemctl reload telltale")
    unit.until_part("configuration", "ok")
    unit.do("cp /etc/telltale/telltale.toml /root/good.toml && echo 'nonsense = 1' >> /etc/telltale/telltale.toml")
    status, said = unit.run("systemctl reload telltale")
    if status == 0:
        raise Failure(f"systemctl reload of a wrong configuration says {said}")
    unit.until_part("configuration", "degraded", "refused")
    checked = unit.run("telltale check")[1]
    line = next(line for line in checked.splitlines() if "nonsense" in line)
    unit.until("the journal has it as an error", f"journalctl -u telltale -p err --no-pager -o cat | grep -F '{line}'")
    unit.until("the status line has it", "systemctl show telltale -p StatusText --value | grep -F refused")
    _state(unit, "active")
    unit.do("cp /root/good.toml /etc/telltale/telltale.toml && systemctl reload telltale")
    unit.until_part("configuration", "ok")
    unit.until_part("gnss", "ok")
    if phone.connections != connections:
        raise Failure("a reload dropped the stream")


def _upgraded(unit, phone, token, told, figures):
    """An upgrade keeps what the owner wrote and what the daemon remembers; the phone goes on where it was."""
    edited, connections = unit.do("sha256sum /etc/telltale/telltale.toml"), phone.connections
    begun = time.monotonic()
    unit.do("dpkg --install /root/two.deb", PATIENT)
    _state(unit, "active")
    figures["upgrade_s"] = round(time.monotonic() - begun, 1)
    if not unit.do("dpkg-query -W -f '${Version}' telltale").endswith("-2"):
        raise Failure("the upgrade is not in place")
    if unit.do("sha256sum /etc/telltale/telltale.toml") != edited:
        raise Failure("the upgrade has changed the owner's configuration")
    until("the phone comes back", lambda: phone.connections > connections, PATIENT)
    unit.until_part("can.cabin", "ok")
    if unit.http("GET", "/api/v1/devices", token=token)[0] not in (200, 403):
        raise Failure("the upgrade has forgotten the phone")
    told.fault()


def _hung(unit, phone, told, figures):
    """A task that hangs: the watchdog restarts the service, and the phone goes on."""
    unit.write("/etc/systemd/system/telltale.service.d/watchdog.conf", "[Service]\nWatchdogSec=15\n")
    unit.do("systemctl daemon-reload; dpkg --install /root/debug.deb", PATIENT)
    _state(unit, "active")
    connections, pid = phone.connections, _property(unit, "MainPID")
    unit.until("a task hangs", "telltale hang clockwork")
    begun = time.monotonic()
    until("the watchdog bites", lambda: _property(unit, "MainPID") not in (pid, "0"), PATIENT)
    figures["hang_to_restart_s"] = round(time.monotonic() - begun, 1)
    unit.do("journalctl -u telltale --no-pager -o cat | grep -F 'the task clockwork does not go on'")
    unit.do("journalctl -u telltale --no-pager -o cat | grep -iF 'watchdog timeout'")
    if _property(unit, "NRestarts") != "1":
        raise Failure(f"{_property(unit, 'NRestarts')} restarts")
    _state(unit, "active")
    until("the phone comes back", lambda: phone.connections > connections, PATIENT)
    unit.until_part("can.cabin", "ok")
    told.recovery()


def _removed(unit):
    """Removed, what was written and remembered stays; purged, it goes."""
    unit.do("dpkg --remove telltale", PATIENT)
    unit.do("test -f /etc/telltale/telltale.toml && test -s /var/lib/telltale/journal.db")
    if unit.run("systemctl is-active telltale")[0] == 0 or unit.run("test -e /usr/bin/telltale")[0] == 0:
        raise Failure("the removed daemon is still there")
    unit.do("dpkg --purge telltale", PATIENT)
    left = unit.run("ls -d /var/lib/telltale /etc/telltale/telltale.toml /run/telltale 2>/dev/null")[1].strip()
    if left:
        raise Failure(f"after a purge there is still {left}")


def installed_disk(story, files, site, path):
    """A disk of a unit on which the package is installed, with `files` and this configuration; its path."""
    with tempfile.TemporaryDirectory(dir=_work()) as work:
        _disk(prepare(story.arch), {**_SYSTEM, **files, "root/one.deb": package.build(story.arch, work)}, path)
        with _boot(story, path, "install") as unit:
            unit.do("dpkg --install /root/one.deb && systemctl stop telltale", PATIENT)
            unit.write("/etc/telltale/telltale.toml", site, "640")
            unit.do("chgrp telltale /etc/telltale/telltale.toml && telltale boards qemu-virt --image / && rm -rf /var/lib/telltale/*")
            # Read-only, it is all on the disk.
            unit.do("sync; echo u > /proc/sysrq-trigger")
            unit.until("the file system is read-only", "grep -q ' / ext4 ro' /proc/mounts")
    return path


def boot(story, arguments, name, pins=False):
    """Boots a disk that `arguments` tell QEMU of."""
    return Unit(story.image, f"{story.name}-{name}", {"init": (_INIT, 0o755)}, arguments=arguments, memory=768,
                pins=pins, append="net.ifnames=0 systemd.show_status=0")


installed.arches = [toolchain.AARCH64]
