"""A car that makes many events on the true path: CAN frames and NMEA sentences into the daemon's FIFOs.

| kind | how | how many |
|---|---|---|
| geofence | fences around one place, all but alike, through which the car goes back and forth: each passage enters and leaves all | `FENCES` × 2 a passage |
| diagnosis | the controller goes bus-off and comes back | 2 a second |
| trip | the ignition is off for a moment every 8 s | 2 in 8 s |
| child | a child is left behind at the start, and somebody lets the engine run from afar: the alert stays, and is told again now and then and after every restart | a few |

As on a wire, what nobody reads is gone: the car does not wait for a daemon, and drives on while none is there.
"""

import itertools
import json
import os
import threading
import time

from emulated.nmea import checksum

FENCES = 36
PASSAGES_A_SECOND = 2.5
BEAT = 0.05
LATITUDE, LONGITUDE = 37.5446, 127.0557
# Half a passage in degrees of latitude: 60 m.
AWAY = 60 / 111_000

PROFILE = """
[bus.car]
dbc = ["car.dbc"]

[[signals."Vehicle.LowVoltageSystemState"]]
bus = "car"
message = "CAR"
signal = "Ignition"
values = { 0 = "OFF", 2 = "ON" }
"""

SIGNALS = [("Vehicle.Cabin.Door.Row1.DriverSide.IsOpen", "DriverDoor"), ("Vehicle.Cabin.Door.Row2.DriverSide.IsOpen", "RearDoor"),
           ("Vehicle.Cabin.IsLocked", "Locked"), ("Vehicle.Cabin.RearOccupant.IsDetected", "RearOccupant")]

DATABASE = """VERSION ""
BU_: CAR
BO_ 256 CAR: 5 CAR
 SG_ Ignition : 0|8@1+ (1,0) [0|3] "" CAR
 SG_ DriverDoor : 8|8@1+ (1,0) [0|1] "" CAR
 SG_ RearDoor : 16|8@1+ (1,0) [0|1] "" CAR
 SG_ Locked : 24|8@1+ (1,0) [0|1] "" CAR
 SG_ RearOccupant : 32|8@1+ (1,0) [0|1] "" CAR
"""

SITE = """
[bus.car]
interface = "can0"
candump = "can.fifo"

[[gnss]]
device = "gnss.fifo"

[geofences]
file = "fences.geojson"

[geofence]
jump_m_s = 1000.0
through_accuracies = 0.5
"""


def lay_out(folder, fences=FENCES):
    """Writes what the site's file names, and makes the FIFOs."""
    signals = [f'[[signals."{path}"]]\nbus = "car"\nmessage = "CAR"\nsignal = "{signal}"\nvalues = {{ 0 = false, 1 = true }}\n'
               for path, signal in SIGNALS]
    (folder / "car.toml").write_text(PROFILE + "\n".join(signals), encoding="ascii")
    (folder / "car.dbc").write_text(DATABASE, encoding="ascii")
    place = {"type": "Point", "coordinates": [LONGITUDE, LATITUDE]}

    def ring(number):
        shape = {"type": "Circle", "radius": 20 + number * 0.01, "radius_units": "m"}
        return {"type": "Feature", "id": f"fence-{number}", "properties": {"name": f"Ring {number}", **shape}, "geometry": place}

    collection = {"type": "FeatureCollection", "features": [ring(number) for number in range(fences)]}
    (folder / "fences.geojson").write_text(json.dumps(collection), encoding="ascii")
    for fifo in ("can.fifo", "gnss.fifo"):
        os.mkfifo(folder / fifo)


def epoch(wall, side):
    """What the receiver says at this time, on this side of the fences."""
    clock = time.strftime("%H%M%S", time.gmtime(wall)) + f"{wall % 1:.2f}"[1:]
    day = time.strftime("%d%m%y", time.gmtime(wall))
    latitude = LATITUDE + side * AWAY
    place = f"{minutes(latitude, 2)},N,{minutes(LONGITUDE, 3)},E"
    # 10 km/h: fast enough for a trip, too slow for a driver who is back.
    return checksum(f"GNRMC,{clock},A,{place},5.40,0.0,{day},,,A,V") + checksum(f"GNGGA,{clock},{place},1,11,0.60,38.4,M,18.5,M,,")


def minutes(angle, width):
    """Degrees and minutes as NMEA writes them."""
    return f"{int(angle):0{width}d}{angle % 1 * 60:09.6f}"


class Wire:
    """A FIFO, of which nobody may be at the other end."""

    def __init__(self, path):
        self.path, self.file = path, None

    def say(self, text):
        """Says it to whoever listens."""
        try:
            if self.file is None:
                self.file = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
            os.write(self.file, text.encode())
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def close(self):
        """Nobody speaks."""
        if self.file is not None:
            os.close(self.file)
        self.file = None


class Car:
    """Drives in the background until `close`. `moving`: whether the child has been left, where one is, and the passages have
    begun."""

    def __init__(self, folder, passages_a_second=PASSAGES_A_SECOND, child=True):
        self._folder, self._beats = folder, max(1, round(1 / passages_a_second / BEAT))
        self._stop, self.moving = threading.Event(), threading.Event()
        self._park, self._first = threading.Event(), 0 if child else round(20 / BEAT)
        self._thread = threading.Thread(target=self._drive, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """The car falls silent."""
        self._stop.set()
        self._thread.join(10)

    def park(self):
        """No more passages, bus-offs and trips; the car stays where it is, and speaks."""
        self._park.set()

    def _drive(self):
        can, gnss = Wire(self._folder / "can.fifo"), Wire(self._folder / "gnss.fifo")
        begun, side = time.monotonic() - self._first * BEAT, 1
        for beat in itertools.count(self._first):
            if self._stop.wait(max(0.0, begun + beat * BEAT - time.monotonic())):
                break
            at = beat * BEAT
            ignition, driver, occupant = 2, 0, 1
            if at < 20:
                # Driven with somebody on the rear seat; parked, left and locked; started from afar 14 s later.
                ignition, driver = (2 if at < 5 or at >= 19 else 0), int(6 <= at < 7)
            elif not self._park.is_set():
                self.moving.set()
                ignition = 0 if at % 8 < 0.5 else 2
            if beat % 2 == 0:
                can.say(f"({at:.6f}) can0 100#{ignition:02X}{driver:02X}00{1:02X}{occupant:02X}\n")
            if self.moving.is_set() and not self._park.is_set() and beat % 10 == 0:
                condition = "20000040#0000000000000000" if beat % 20 == 0 else "20000100#0000000000000000"
                can.say(f"({at:.6f}) can0 {condition}\n")
            if beat % self._beats == 0:
                side = -side if self.moving.is_set() and not self._park.is_set() else side
                gnss.say(epoch(time.time(), side))
        can.close()
        gnss.close()
