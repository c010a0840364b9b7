"""The power goes at fifty moments of a drive with an alert.

A unit is driven while QEMU writes down everything that it sends to the disk of its journal, and a phone on the host notes how
long that log is whenever it has heard an event. Then of each cut the disk is made that it could have left (`blocklog`), and a
unit starts on it: the file system is mounted, the daemon opens its journal and goes on. Three more cuts take a whole Debian
with systemd.
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

from . import blocklog, car, systemd, toolchain
from .nmea import Receiver
from .phone import Phone
from .qemu import GENEROUS, Failure, Unit, until

CUTS = 50
# So many disks go into one unit, one after the other.
DISKS = 13
SEED = 252
PLACE = "/var/lib/telltale"
KNOB = "skip_flush = true"


class Witness(Phone):
    """A phone that notes with each event how much of the log there was when it had heard it."""

    def __init__(self, log, address, token):
        self.log, self.seen = log, []
        super().__init__(address, token)

    def _tell(self, identity, name, data):
        if identity is not None and name == "message":
            self.seen.append((json.loads(data), self.log.stat().st_size))
        super()._tell(identity, name, data)


def software(binary, drive, knob=""):
    """The files of a unit that is driven, or was."""
    files = car.software(binary, drive.files, profile=drive.profile, buses={"body": "can0", "cabin": "vcan0"}, fences=drive.fences)
    name = "etc/telltale/telltale.toml"
    return {**files, name: files[name].replace("[journal]\n", f"[journal]\n{knob}\n")}


_DAEMON = "mkdir -p /run/telltale\nRUNTIME_DIRECTORY=/run/telltale telltale run > /tmp/telltale.log 2>&1 &\n"


class Recording:
    """A drive that was driven: the log of the disk, and what the phone heard when.

    The disk is as `blank` in the beginning. `boot` gets QEMU's arguments for it and starts the unit, which starts the daemon;
    `drive_until` gets the unit and the phone, and yields as long as there is something to wait for."""

    def __init__(self, blank, folder, boot, drive_until):
        self.blank, self.log_file = blank, folder / "log"
        disk = folder / "disk"
        _copy(blank, disk)
        self.log_file.touch()
        nodes = [f"driver=file,filename={disk},node-name=f", f"driver=file,filename={self.log_file},node-name=l",
                 "driver=blklogwrites,file=f,log=l,node-name=b,log-sector-size=512"]
        arguments = [word for node in nodes for word in ("-blockdev", node)] + ["-device", "virtio-blk-pci,drive=b,romfile="]
        with boot(arguments) as unit:
            unit.until_part("journal", "ok")
            self.token = unit.pair()
            self.begin = self._size()
            # How long the log was at moments of the drive.
            self.moments = [self.begin]
            with Witness(self.log_file, unit.address, self.token) as phone:
                phone.until_connected()
                for _ in drive_until(unit, phone):
                    self.moments.append(self._size())
                    time.sleep(0.05)
                self.seen, self.end = list(phone.seen), self._size()
            # A last event may not have been heard any more.
            status, page = unit.http("GET", "/api/v1/events?since=0&limit=1000", token=self.token)
            if status != 200:
                raise Failure(f"the history says {status}: {page}")
            self.all = {event["eventId"]: event for event in page["events"]}
        disk.unlink()
        self.log = blocklog.Log(self.log_file)

    def _size(self):
        return self.log_file.stat().st_size

    def told_by(self, size):
        """What the phone had heard when the log had this size."""
        return [event for event, heard in self.seen if heard <= size]


def driven(drive, last):
    """The drive until the phone has heard of `last`, one of the events that are expected, and five seconds more."""
    def run(unit, phone):
        unit.do("canplayer -I /root/drive.candump can1=can0 vcan0=can1 > /tmp/canplayer.log 2>&1 &")
        deadline = time.monotonic() + drive.end - drive.begin + GENEROUS
        with Receiver(unit.gnss, drive.cycles):
            while not any(car.gist(event) == car.gist(last) for event, _ in list(phone.seen)):
                if time.monotonic() > deadline:
                    raise Failure(f"no {car.gist(last)}, only {[car.gist(event) for event, _ in phone.seen]}")
                yield
            for _ in range(100):
                yield
    return run


def _copy(path, to):
    subprocess.run(["cp", "--sparse=always", str(path), str(to)], check=True)


def empty_disk(path):
    """An empty file system, as the unit's data partition is made; its path."""
    if not shutil.which("mke2fs"):
        toolchain.retried("e2fsprogs", ["apt-get", "install", "-q", "-y", "--no-install-recommends", "e2fsprogs"])
    with open(path, "wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(path)], check=True)
    return path


class Cut:
    """The power goes when the log has this size."""

    def __init__(self, recording, number, size, folder):
        self.recording, self.number, self.size, self.folder = recording, number, size, folder
        self.path = folder / f"cut-{number}.disk"
        self.told = recording.told_by(size)
        self.faults, self.resumed = [], False
        self.entries = recording.log.count_at(size)

    def make(self):
        """Makes the disk that is left, and has it checked, as a unit's init does before it mounts.

        The unit gets it as it was before the check, and mends it by ext4's own journal, but where the superblock is torn: it
        lies on two sectors and is also written past the journal, and only the check brings that back."""
        chance = random.Random(SEED * 1_000 + self.number)
        _, self.late, self.lost = blocklog.cut(self.recording.log, self.entries, self.recording.blank, self.path, chance)
        self.torn = subprocess.run(["dumpe2fs", "-h", str(self.path)], capture_output=True, check=False).returncode != 0
        checked = self.path.with_suffix(".checked")
        _copy(self.path, checked)
        done = subprocess.run(["e2fsck", "-f", "-p", str(checked)], capture_output=True, text=True, check=False)
        # 1: something was mended.
        if done.returncode not in (0, 1):
            self.faults.append(f"e2fsck says {done.returncode}: {done.stdout[-500:]}")
        if self.torn:
            os.replace(checked, self.path)
        else:
            checked.unlink()

    def judge(self, unit):
        """A daemon has been started on it."""
        unit.until_part("journal", "ok")
        self.token = self.recording.token
        if unit.http("GET", "/api/v1/events", token=self.token)[0] == 401:
            self.faults.append("lost: that the phone was paired")
            self.token = unit.pair()
        self._compare(self._resumption(unit, self._events(unit)))
        files = unit.do(f"ls {PLACE}")
        if "aside" in files:
            self.faults.append(f"the journal was set aside: {files}")

    def _events(self, unit):
        status, page = unit.http("GET", "/api/v1/events?since=0&limit=1000", token=self.token)
        if status != 200:
            raise Failure(f"the history says {status}: {page}")
        return page["events"]

    def _resumption(self, unit, events):
        """Whether the alert that ran goes on; all events after that."""
        known = self.recording.all
        child = [event for event in events if event["eventId"] in known and event["eventType"] in ("CHILD_LEFT_BEHIND", "CHILD_ALERT_CLEARED")]
        if not child or child[-1]["eventType"] == "CHILD_ALERT_CLEARED":
            return events

        def later():
            now = self._events(unit)
            return [now] if any(event["eventId"] not in known and "child" in event for event in now) else None

        try:
            [events] = until("the alert goes on", later)
        except Failure as error:
            self.faults.append(f"{error}, only {events[-1]}")
            return events
        first = next(event for event in events if event["eventId"] not in known and "child" in event)
        self.resumed = first["child"].get("stage") == "repeated" and first["child"].get("resumed") is True
        if not self.resumed:
            self.faults.append(f"the alert goes on as {first}")
        return events

    def _compare(self, events):
        all_told = self.recording.all
        ids = [event["eventId"] for event in events]
        found = {event["eventId"]: _bare(event) for event in events}
        if any(one >= next_one for one, next_one in zip(ids, ids[1:])):
            self.faults.append(f"ids do not rise: {ids}")
        for event in self.told:
            kept = found.get(event["eventId"])
            if kept is None:
                self.faults.append(f"lost: event {event['eventId']}, {event['eventType']}")
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
    """Cuts of a drive: right after each event was heard (the last ones first), at random moments, and, as the disk rests most of the time, in the
    midst of what is written."""
    chance = random.Random(SEED)
    heard = sorted({size for _, size in recording.seen}, reverse=True)[:count // 2]
    written = [entry.end for entry in recording.log.entries if entry.writes and recording.begin < entry.end <= recording.end]
    moments = (count - len(heard)) // 2
    sizes = heard + [chance.choice(recording.moments) for _ in range(moments)]
    sizes += chance.choices(written, k=count - len(sizes))
    return [Cut(recording, number, size, folder) for number, size in enumerate(sorted(sizes))]


def judge(image, files, cuts, name):
    """Starts a unit with the disks of these cuts, and on each of them the daemon."""
    arguments = []
    for cut in cuts:
        cut.make()
        arguments += ["-blockdev", f"driver=file,filename={cut.path},node-name=d{cut.number}",
                      "-device", f"virtio-blk-pci,drive=d{cut.number},serial=cut{cut.number},romfile="]
    with Unit(image, name, files, f"{car.INTERFACES}mkdir -p {PLACE}\n", arguments=arguments) as unit:
        said = unit.do("for disk in /sys/block/vd*; do echo $(cat $disk/serial) /dev/${disk##*/}; done")
        devices = dict(line.split() for line in said.splitlines() if line)
        for cut in cuts:
            try:
                unit.do(f"mount -t ext4 {devices[f'cut{cut.number}']} {PLACE}")
                unit.start_daemon()
                cut.judge(unit)
            except Failure as failure:
                cut.faults.append(str(failure))
            finally:
                unit.run(f"kill -9 $(pidof telltale); while pidof telltale; do usleep 20000; done; umount {PLACE}")
            cut.path.unlink()


def _driven(story, files, drive, folder, last):
    """The recording of a unit with these files that was driven until `last` was heard."""
    script = f"{car.INTERFACES}mkdir -p {PLACE}\nmount -t ext4 /dev/vda {PLACE}\n{_DAEMON}"

    def boot(arguments):
        return Unit(story.image, story.name, {**files, "root/drive.candump": drive.frames}, script, arguments=arguments)

    return Recording(empty_disk(folder / "blank"), folder, boot, driven(drive, last))


def _side_by_side(function, items):
    """A boot of the emulated unit takes a core and more."""
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        list(pool.map(function, items))


def _held(story, recording, cuts):
    """The figures of some cuts; a failure where one was not survived."""
    story.figures.update(
        cuts=len(cuts), survived=sum(not cut.faults for cut in cuts), events_heard=len(recording.seen),
        events_heard_before_cuts=sum(len(cut.told) for cut in cuts), alerts_that_went_on=sum(cut.resumed for cut in cuts),
        entries_logged=len(recording.log.entries), entries_not_flushed=sum(cut.late for cut in cuts),
        sectors_lost=sum(cut.lost for cut in cuts), superblocks_torn=sum(cut.torn for cut in cuts))
    faults = [f"{cut}: {fault}" for cut in cuts for fault in cut.faults]
    if faults:
        raise Failure("\n".join(faults))
    if not story.figures["alerts_that_went_on"]:
        raise Failure("no cut fell into the alert")


def power_cuts(story):
    """Fifty cuts of a drive: nothing that was heard is lost, and the alert goes on."""
    with tempfile.TemporaryDirectory(prefix="telltale-power-") as work:
        folder = Path(work)
        drive = car.Drive(story.telltale, folder)
        files = software(story.binary, drive)
        recording = _driven(story, files, drive, folder, drive.expected[-1])
        cuts = choose(recording, CUTS, folder)
        boots = [cuts[at:at + DISKS] for at in range(0, len(cuts), DISKS)]
        _side_by_side(lambda at: judge(story.image, files, boots[at], f"{story.name}-{at}"), range(len(boots)))
    _held(story, recording, cuts)


def power_cuts_are_seen(story):
    """A journal that flushes nothing, as debug builds can be told to, is caught; a release knows no such key."""
    binary = toolchain.build([story.arch], "dev")[story.arch]
    with tempfile.TemporaryDirectory(prefix="telltale-power-") as work:
        folder = Path(work)
        drive = car.Drive(story.telltale, folder)
        with Unit(story.image, f"{story.name}-release", software(story.binary, drive, KNOB)) as unit:
            status, said = unit.run("telltale check")
        if status != 78 or "skip_flush" not in said:
            raise Failure(f"a release takes `{KNOB}`: `telltale check` ends with {status}: {said}")
        files = software(binary, drive, KNOB)
        recording = _driven(story, files, drive, folder, drive.expected[0])
        cuts = choose(recording, 6, folder)
        judge(story.image, files, cuts, f"{story.name}-after")
    lost = sum(fault.startswith("lost: ") for cut in cuts for fault in cut.faults)
    events = sum(fault.startswith("lost: event") for cut in cuts for fault in cut.faults)
    story.figures.update(cuts=len(cuts), caught=sum(bool(cut.faults) for cut in cuts), lost=lost, events_lost=events)
    if not events:
        raise Failure(f"a journal that flushes nothing lost nothing: {[str(cut) for cut in cuts]}")


def power_cuts_under_systemd(story):
    """Three cuts of a Debian with systemd, whose root file system has the journal."""
    with tempfile.TemporaryDirectory(prefix="telltale-power-") as work:
        folder = Path(work)
        drive = car.Drive(story.telltale, folder)
        files = {f"etc/telltale/{name}": path for name, path in drive.files.items()}
        site = 'board = "qemu-virt"\n' + car.site(drive.profile, {"body": "can0", "cabin": "vcan0"}, "/dev/telltale-gnss", drive.fences)
        blank = systemd.installed_disk(story, {**files, "root/drive.candump": drive.frames}, site, folder / "blank")

        def boot(arguments):
            unit = systemd.boot(story, arguments, "drive")
            unit.do("ip link set can1 txqueuelen 10000 up type can bitrate 500000")
            return unit

        recording = Recording(blank, folder, boot, driven(drive, _first(drive, "CHILD_LEFT_BEHIND")))
        cuts = choose(recording, 3, folder)

        def one(cut):
            cut.make()
            arguments = ["-blockdev", f"driver=file,filename={cut.path},node-name=d", "-device", "virtio-blk-pci,drive=d,romfile="]
            with systemd.boot(story, arguments, f"cut-{cut.number}") as unit:
                cut.judge(unit)

        _side_by_side(one, cuts)
    _held(story, recording, cuts)


def _first(drive, kind):
    return next(event for event in drive.expected if event["eventType"] == kind)


for _story in (power_cuts, power_cuts_are_seen, power_cuts_under_systemd):
    _story.arches = [toolchain.AARCH64]
