"""The power goes at fifty moments of a drive with an alert.

One unit is driven: the simulated car's frames come over a SJA1000 and a virtual bus, its sentences over the serial port, in
their own time, while QEMU writes down what the unit sends to the disk of its journal, and a phone on the host notes how long
that log is whenever it has heard an event. Then of each cut the disk is made that it could have left (`blocklog`), and a
unit starts on it: the file system is mounted, the daemon opens its journal and goes on.
"""

import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import blocklog, nmea
from .phone import Phone
from .qemu import Failure, Unit, until
from .toolchain import ROOT

CUTS = 50
# So many disks go into one unit, one after the other.
DISKS = 13
SEED = 252
# The story's seconds that are played: from a car that stands at home to the end of its alert.
FROM, TO = 12.0, 186.0

_CAN = """
ip link set can0 type can bitrate 500000 listen-only on && ip link set can0 up
ip link set can1 type can bitrate 500000 && ip link set can1 up
ip link add vcan0 type vcan && ip link set vcan0 up
mkdir -p /data
"""

_SITE = """
[vehicle]
vin = "TELLTALESAMPLE001"
profile = "car.toml"
[bus.body]
interface = "can0"
[bus.cabin]
interface = "vcan0"
listen_only = false
[[gnss]]
device = "{gnss}"
baud = 9600
[geofences]
file = "fences.geojson"
[journal]
dir = "/data/journal"
{knob}
[http]
listen = "0.0.0.0:8080"
trusted = ["*"]
"""


class Witness(Phone):
    """A phone that notes with each event how much of the log there was when it had heard it."""

    def __init__(self, log, address, token):
        self.log, self.seen = log, []
        super().__init__(address, token)

    def _tell(self, identity, name, data):
        if identity is not None and name == "message":
            self.seen.append((json.loads(data), self.log.stat().st_size))
        super()._tell(identity, name, data)


class Drive:
    """What the simulated car sends, recorded by the program itself, and cut to size."""

    def __init__(self, telltale, folder):
        command = [str(telltale), "demo", "--listen", "127.0.0.1:0", "--speed", "100", "--data", f"{folder}/data", "--record", f"{folder}/record"]
        frames = folder / "record" / "school-run-forgotten.candump"
        with open(folder / "demo.log", "wb") as said:
            demo = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
            try:
                until("the car's story is recorded", lambda: frames.exists() and _span(frames) > TO + 5)
            finally:
                demo.terminate()
                demo.wait()
        begin = _time(frames.open().readline())
        lines = (line for line in frames.read_text().splitlines(keepends=True) if line.endswith("\n"))
        self.candump = "".join(line for line in lines if FROM <= _time(line) - begin < TO)
        self.cycles = list(_cycles(frames.with_suffix(".nmea").read_text().splitlines(keepends=True), begin))


def _time(line):
    return float(line[1:line.index(")")])


def _span(path):
    lines = path.read_text().splitlines()[:-1]
    return _time(lines[-1]) - _time(lines[0]) if lines else 0


def _cycles(lines, begin):
    """A receiver's cycles in the window, each with its moment in it: a cycle begins with RMC."""
    cycle, due = "", None
    for line in lines:
        if line[3:6] == "RMC":
            if due is not None and 0 <= due < TO - FROM:
                yield due, cycle
            due, cycle = (nmea.seconds_of(line) - begin) % 86_400 - FROM, ""
        cycle += line


def site(image, knob=""):
    """The files of a unit that keeps its journal in /data."""
    car = ROOT / "src" / "sim"
    files = {f"etc/telltale/{name}": car / name for name in ("car.toml", "car.dbc", "fences.geojson")}
    gnss = "/dev/ttyS0" if image.arch.name == "aarch64" else "/dev/ttyS1"
    return {**files, "etc/telltale/telltale.toml": _SITE.format(gnss=gnss, knob=knob)}


def start(unit):
    """Starts the daemon; its process id, once its journal can be written. Receiver and buses may be silent."""
    unit.do("mkdir -p /run/telltale; RUNTIME_DIRECTORY=/run/telltale telltale run > /tmp/telltale.log 2>&1 &\necho $! > /run/telltale.pid")
    unit.until_part("journal", "ok")
    return int(unit.do("cat /run/telltale.pid"))


class Recording:
    """A drive that was driven: the log of the disk, and what the phone heard when."""

    def __init__(self, image, telltale, drive, folder, name, seconds, knob=""):
        self.log_file, self.blank = folder / f"{name}.log", folder / f"{name}.blank"
        make_disk(self.blank)
        disk = folder / f"{name}.disk"
        shutil.copyfile(self.blank, disk)
        self.log_file.touch()
        files = {**site(image, knob), "usr/bin/telltale": (telltale, 0o755), "root/drive.candump": drive.candump}
        node = [f"driver=file,filename={disk},node-name=f", f"driver=file,filename={self.log_file},node-name=l",
                "driver=blklogwrites,file=f,log=l,node-name=b,log-sector-size=512"]
        arguments = [word for blockdev in node for word in ("-blockdev", blockdev)] + ["-device", "virtio-blk-pci,drive=b,romfile="]
        with Unit(image, name, files, _CAN + "mount -t ext4 /dev/vda /data", arguments=arguments) as unit:
            start(unit)
            self.token = unit.pair()
            self.begin = self.log_file.stat().st_size
            # How long the log was at moments of the drive.
            self.moments = []
            with Witness(self.log_file, unit.address, self.token) as phone:
                phone.until_connected()
                unit.do("canplayer -I /root/drive.candump can1=can0 vcan0=can1 > /tmp/canplayer.log 2>&1 &")
                end = time.monotonic() + seconds
                with nmea.Receiver(unit.gnss, drive.cycles):
                    while time.monotonic() < end:
                        self.moments.append(self.log_file.stat().st_size)
                        time.sleep(0.05)
                self.seen = list(phone.seen)
        self.log = blocklog.Log(self.log_file)

    def told_by(self, size):
        """What the phone had heard when the log had this size."""
        return [event for event, heard in self.seen if heard <= size]


def make_disk(path):
    """An empty file system, as the unit's data partition is made."""
    path.unlink(missing_ok=True)
    with open(path, "wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(path)], check=True)


class Cut:
    """The power goes when the log has this size."""

    def __init__(self, recording, number, size, folder):
        self.recording, self.number, self.size, self.folder = recording, number, size, folder
        self.path = folder / f"cut-{number}.disk"
        self.told = recording.told_by(size)
        self.faults, self.resumed = [], False
        self.entries = recording.log.count_at(size)

    def make(self):
        """Makes the disk that is left, and looks at it as the next start's check of file systems does."""
        chance = random.Random(SEED * 1_000 + self.number)
        _, self.late, self.lost = blocklog.cut(self.recording.log, self.entries, self.recording.blank, self.path, chance)
        checked = self.path.with_suffix(".checked")
        subprocess.run(["cp", "--sparse=always", str(self.path), str(checked)], check=True)
        done = subprocess.run(["e2fsck", "-f", "-p", str(checked)], capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            self.faults.append(f"e2fsck says {done.returncode}: {done.stdout[-500:]}")
        checked.unlink()

    def judge(self, unit, device):
        """A daemon starts on it."""
        unit.do(f"mount -t ext4 {device} /data")
        process = start(unit)
        try:
            status, page = unit.http("GET", "/api/v1/events?since=0&limit=1000", token=self.recording.token)
            if status != 200:
                self.faults.append(f"the history says {status}: {page}")
                return
            events = self._resumption(unit, page["events"])
            self._compare(events)
            aside = unit.do("ls /data/journal")
            if "aside" in aside:
                self.faults.append(f"the journal was set aside: {aside}")
        finally:
            unit.do(f"kill -9 {process}; while kill -0 {process} 2> /dev/null; do usleep 20000; done; umount /data")

    def _resumption(self, unit, events):
        """Whether the alert that ran goes on; all events after that."""
        known = {event["eventId"] for event, _ in self.recording.seen}
        child = [event for event in events if event["eventId"] in known and event["eventType"] in ("CHILD_LEFT_BEHIND", "CHILD_ALERT_CLEARED")]
        if not child or child[-1]["eventType"] == "CHILD_ALERT_CLEARED":
            return events

        def later():
            _, page = unit.http("GET", "/api/v1/events?since=0&limit=1000", token=self.recording.token)
            return [page["events"]] if any(event["eventId"] not in known and "child" in event for event in page["events"]) else None

        try:
            [events] = until("the alert goes on", later, 30)
        except Failure as error:
            self.faults.append(f"{error}, only {events[-1]}")
            return events
        first = next(event for event in events if event["eventId"] not in known and "child" in event)
        self.resumed = first["child"].get("stage") == "repeated" and first["child"].get("resumed") is True
        if not self.resumed:
            self.faults.append(f"the alert goes on as {first}")
        return events

    def _compare(self, events):
        all_told = {event["eventId"]: event for event, _ in self.recording.seen}
        ids = [event["eventId"] for event in events]
        found = {event["eventId"]: _bare(event) for event in events}
        if any(one >= next_one for one, next_one in zip(ids, ids[1:])):
            self.faults.append(f"ids do not rise: {ids}")
        for event in self.told:
            kept = found.get(event["eventId"])
            if kept is None:
                self.faults.append(f"lost: {event['eventType']} {event['eventId']}")
            elif kept != _bare(event):
                self.faults.append(f"changed: {event} to {kept}")
        for event_id, event in found.items():
            if event_id in all_told and event != _bare(all_told[event_id]):
                self.faults.append(f"another event under the id that {all_told[event_id]} had later: {event}")
        last = max((event["eventId"] for event in self.told), default=0)
        new = [event_id for event_id in ids if event_id not in all_told]
        if new and new[0] <= last:
            self.faults.append(f"id {new[0]} was issued after {last}")
        bare = [json.dumps({key: value for key, value in event.items() if key != "eventId"}, sort_keys=True) for event in found.values()]
        if len(set(bare)) < len(bare):
            self.faults.append(f"told twice: {events}")

    def __str__(self):
        return (f"cut {self.number} after {self.entries} entries, {len(self.told)} events told, {self.late} entries not flushed, "
                f"{self.lost} sectors lost")


def _bare(event):
    """An event as it is kept: a replay adds the end of its alert."""
    return {key: value for key, value in event.items() if key != "ended"}


def choose(recording, count, folder):
    """Cuts of a drive: right after each event was heard, at random moments, and, as the disk rests most of the time, in the
    midst of what is written."""
    chance = random.Random(SEED)
    heard = sorted({size for _, size in recording.seen})[:count // 2]
    written = [entry.end for entry in recording.log.entries if entry.end > recording.begin]
    moments = (count - len(heard)) // 2
    sizes = heard + [chance.choice(recording.moments) for _ in range(moments)]
    sizes += chance.choices(written, k=count - len(sizes))
    return [Cut(recording, number, size, folder) for number, size in enumerate(sorted(sizes))]


def judge(image, telltale, cuts, name, knob=""):
    """Starts a unit with the disks of these cuts, and on each of them the daemon."""
    arguments = []
    for cut in cuts:
        cut.make()
        arguments += ["-blockdev", f"driver=file,filename={cut.path},node-name=d{cut.number}",
                      "-device", f"virtio-blk-pci,drive=d{cut.number},serial=cut{cut.number},romfile="]
    files = {**site(image, knob), "usr/bin/telltale": (telltale, 0o755)}
    with Unit(image, name, files, _CAN, arguments=arguments) as unit:
        said = unit.do("for disk in /sys/block/vd*; do echo $(cat $disk/serial) /dev/${disk##*/}; done")
        devices = dict(line.split() for line in said.splitlines() if line)
        for cut in cuts:
            try:
                cut.judge(unit, devices[f"cut{cut.number}"])
            except Failure as error:
                cut.faults.append(str(error))
                break
            cut.path.unlink()
    return cuts


def story(image, telltale, native, knob=True):
    """Drives, cuts, and starts again; what came of it as (name, faults, figures) for each part.

    `telltale` is the program for the unit; where it was built with debug assertions (`knob`), a second unit drives a while
    with a journal that flushes nothing, and its cuts have to be seen. `native` is the program for this machine."""
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="telltale-power-") as work:
        folder = Path(work)
        drive = Drive(native, folder)
        with ThreadPoolExecutor() as pool:
            whole = pool.submit(Recording, image, telltale, drive, folder, "power-drive", TO - FROM)
            careless = knob and pool.submit(Recording, image, telltale, drive, folder, "power-careless", 45, "skip_flush = true")
            recording, careless = whole.result(), careless and careless.result()
        cuts = choose(recording, CUTS, folder)
        boots = [cuts[at:at + DISKS] for at in range(0, len(cuts), DISKS)]
        with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
            list(pool.map(lambda at: judge(image, telltale, boots[at], f"power-cuts-{at}"), range(len(boots))))
        outcomes.append(("power cuts: fifty moments of a drive", _report(cuts), _figures(recording, cuts)))
        if careless:
            (folder / "careless").mkdir()
            cuts = choose(careless, 8, folder / "careless")
            judge(image, telltale, cuts, "power-careless-cuts", "skip_flush = true")
            lost = sum(fault.startswith("lost: ") for cut in cuts for fault in cut.faults)
            faults = "" if lost else f"a journal that flushes nothing lost nothing that was told: {[str(cut) for cut in cuts]}"
            outcomes.append(("power cuts: a journal that flushes nothing is caught", faults, {"cuts": len(cuts), "events lost": lost}))
    return outcomes


def _report(cuts):
    return "\n".join(f"{cut}: {fault}" for cut in cuts for fault in cut.faults)


def _figures(recording, cuts):
    return {"cuts": len(cuts), "survived": sum(not cut.faults for cut in cuts), "events heard": len(recording.seen),
            "heard before cuts": sum(len(cut.told) for cut in cuts), "alerts that went on": sum(cut.resumed for cut in cuts),
            "entries logged": len(recording.log.entries), "entries not flushed": sum(cut.late for cut in cuts),
            "sectors lost": sum(cut.lost for cut in cuts)}
