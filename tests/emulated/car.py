"""What stands in a unit's file system, and the drives that it is given to see.

The drives are those of `../shared/data/drives`; where that folder is absent, one that the project's simulated car makes.
"""

import json
import subprocess
from datetime import datetime
from pathlib import Path

from . import nmea
from .qemu import Failure, until
from .toolchain import ROOT

SHARED = ROOT.parent / "shared" / "data"
VIN = "TELLTALETEST00001"

# Two controllers on one wire: can0 is the unit's, which only listens, can1 the car's. What has no second wire is virtual.
INTERFACES = """
ip link set can0 up type can bitrate 500000 listen-only on
ip link set can1 txqueuelen 10000 up type can bitrate 500000
ip link add vcan0 type vcan
ip link set vcan0 mtu 72 up
"""

SITE = """
[vehicle]
vin = "{vin}"
profile = "{profile}"

{buses}
[[gnss]]
device = "{gnss}"
baud = 9600
silent_after_s = 5

{fences}
[journal]
dir = "/var/lib/telltale"
# A busy machine's disk is none that hangs.
stall_seconds = 60

[http]
listen = "[::]:8080"
trusted = ["eth0", "lo"]
"""


def site(profile, buses, gnss="/dev/ttyS0", fences=None):
    """The site's file: `buses` are names of the profile and their interfaces."""
    tables = "".join(f'[bus.{name}]\ninterface = "{interface}"\n\n' for name, interface in buses.items())
    where = f'[geofences]\nfile = "{fences}"\n' if fences else ""
    return SITE.format(vin=VIN, profile=profile, buses=tables, gnss=gnss, fences=where)


def software(binary, files, **options):
    """The program, a site's file, and the files that it names, as they lie in the unit."""
    found = {"usr/bin/telltale": (Path(binary), 0o755), "etc/telltale/telltale.toml": site(**options)}
    found.update({f"etc/telltale/{name}": content for name, content in files.items()})
    return found


# The simulated car's own profile stands for any car where no drive is played.
SIMULATED = {name: ROOT / "src" / "sim" / name for name in ("car.toml", "car.dbc", "fences.geojson")}


class Drive:
    """A piece of a recorded drive around a child's being left behind, and what a gateway has to make of it."""

    def __init__(self, telltale, work):
        self.telltale, self.work = telltale, work
        if (SHARED / "drives").is_dir():
            self._shared()
        else:
            self._simulated()
        self._cut()

    def _shared(self):
        folder = SHARED / "drives"
        self.name, source = "child-left-sensor", folder / "child-left-sensor"
        self.files = {"drives/hyundai.toml": folder / "hyundai.toml", "drives/fences.geojson": folder / "fences.geojson"}
        self.files.update({f"dbc/{path.name}": path for path in (SHARED / "dbc").glob("*.dbc")})
        self.profile, self.fences = "drives/hyundai.toml", "drives/fences.geojson"
        self._profile_here, self._fences_here = folder / "hyundai.toml", folder / "fences.geojson"
        self._frames, self._sentences = Path(f"{source}.candump"), Path(f"{source}.nmea")
        self.truth = json.loads(Path(f"{source}.expect.json").read_text())["must"]

    def _simulated(self):
        self.name, self.truth = "school-run-forgotten", []
        self.files = dict(SIMULATED)
        self.profile, self.fences = "car.toml", "fences.geojson"
        self._profile_here, self._fences_here = SIMULATED["car.toml"], SIMULATED["fences.geojson"]
        record = self.work / "record"
        command = [self.telltale, "demo", "--speed", "10", "--scenario", self.name, "--listen", "127.0.0.1:0", "--json",
                   "--data", str(self.work / "demo"), "--record", str(record)]
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self._frames, self._sentences = record / f"{self.name}.candump", record / f"{self.name}.nmea"
            cleared = lambda: any(event["eventType"] == "CHILD_ALERT_CLEARED" for event in self._recorded())
            until("a drive of the simulated car is recorded", cleared, pause=2)
        finally:
            running.kill()
            running.wait()

    def _recorded(self):
        """What the recording makes so far."""
        if not self._sentences.exists():
            return []
        try:
            return self._replay(self._frames, self._sentences)
        except subprocess.CalledProcessError:
            # Cut in the middle of a line.
            return []

    def _replay(self, frames, sentences):
        command = [self.telltale, "replay", "--profile", self._profile_here, "--candump", frames, "--nmea", sentences,
                   "--fences", self._fences_here, "--json"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return [json.loads(line) for line in said.splitlines()]

    def _cut(self):
        """Keeps the piece from a minute and more before the first alert to just after its escalation."""
        stages = {event["child"]["stage"]: moment(event) for event in self._replay(self._frames, self._sentences)
                  if event["eventType"] == "CHILD_LEFT_BEHIND"}
        self.begin, self.end = stages["initial"] - 75, stages["escalated"] + 3
        self.lines = []
        for line in self._frames.read_text().splitlines():
            at = float(line[1:line.index(")")])
            if self.begin <= at <= self.end:
                self.lines.append(line)
        midnight = self.begin - self.begin % 86400
        self.cycles = []
        for sentence in self._sentences.read_text().splitlines():
            second = nmea.seconds_of(sentence)
            if second is None:
                continue
            due = midnight + second - self.begin
            # A drive may go on after midnight.
            due += 86400 if due < -43200 else 0
            if not 0 <= due <= self.end - self.begin:
                continue
            if self.cycles and self.cycles[-1][0] == due:
                self.cycles[-1] = (due, self.cycles[-1][1] + sentence + "\r\n")
            else:
                self.cycles.append((due, sentence + "\r\n"))
        frames, sentences = self.work / "piece.candump", self.work / "piece.nmea"
        frames.write_text("".join(f"{line}\n" for line in self.lines))
        sentences.write_text("".join(text for _, text in self.cycles))
        self.frames = frames
        self.expected = self._replay(frames, sentences)
        if not any(event["eventType"] == "CHILD_LEFT_BEHIND" for event in self.expected):
            raise Failure(f"the piece of {self.name} has no alert")

    def sent(self, interface):
        """How many frames of the piece are this interface's."""
        return sum(f" {interface} " in line for line in self.lines)


def moment(event):
    """An event's time, in Unix seconds."""
    return datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00")).timestamp()


def gist(event):
    """What has to be the same wherever a drive is seen: kind, and what it tells of."""
    child, fence, diagnosis = event.get("child", {}), event.get("geofence", {}), event.get("diagnosis", {})
    words = [event["eventType"], child.get("stage"), child.get("confidence"), fence.get("id"), diagnosis.get("source"), diagnosis.get("cause")]
    return " ".join(word for word in words if word)


def by_family(events):
    """The gists of events, those of one family in their order: what CAN says and what GNSS says come on two ways."""
    families = {}
    for event in events:
        families.setdefault(event["eventType"].split("_")[0], []).append(gist(event))
    return families
