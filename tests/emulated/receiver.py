"""GNSS as it goes wrong: a receiver that is pulled out, rubbish on its line, and a unit that does not know the day."""

import random

from . import car
from .nmea import Receiver, ticking
from .phone import Phone
from .qemu import Failure, Unit, until

BUSES = {"body": "can0", "cabin": "vcan0"}


def unplugged(story):
    """A receiver on USB that is pulled out, talks rubbish or falls silent is told each time, and taken up again."""
    files = car.software(story.binary, car.SIMULATED, profile="car.toml", buses=BUSES, gnss="/dev/ttyUSB0")
    with Unit(story.image, story.name, files, car.INTERFACES, gnss="usb") as unit:
        unit.start_daemon()
        token = unit.pair()
        with Receiver(unit.gnss, ticking()):
            unit.until_part("gnss", "ok")
            for times in range(3):
                unit.unplug()
                unit.until_part("gnss", "absent", "plug the receiver in")
                unit.plug()
                unit.until_part("gnss", "ok")
                story.figures["times_unplugged"] = times + 1
        unit.until_part("gnss", "degraded", "silent")
        noise = random.Random(1)
        rubbish = bytes(noise.randrange(256) for _ in range(4000))
        with Receiver(unit.gnss, [(0, rubbish)]):
            unit.until_part("gnss", "degraded", "baud rate")
            until("the rubbish is written", lambda: unit.metric(token, "telltale_gnss_dropped_total") > 0)
        with Receiver(unit.gnss, ticking(100)):
            unit.until_part("gnss", "ok")
        fixes = unit.metric(token, "telltale_gnss_fixes_total")
        story.figures.update(fixes=fixes, lines_dropped=unit.metric(token, "telltale_gnss_dropped_total"))
        if fixes < 1:
            raise Failure("no fix was read")


def clock(story):
    """A unit whose clock stands at 1970 stamps events as such, and with the receiver's time once it has one."""
    files = car.software(story.binary, car.SIMULATED, profile="car.toml", buses=BUSES)
    with Unit(story.image, story.name, files, car.INTERFACES, rtc="1970-01-01T00:00:00") as unit:
        year = unit.do("date +%Y").strip()
        if year != "1970":
            raise Failure(f"the unit's clock is in {year}")
        unit.start_daemon()
        token = unit.pair()
        unit.until_part("can.cabin", "ok")
        with Phone(unit.address, token) as phone:
            phone.until_connected()
            unit.do("cansend vcan0 20000040#0000000000000000")
            before = phone.until("CAN_BUS_FAULT", lambda event: event["eventType"] == "CAN_BUS_FAULT")
            with Receiver(unit.gnss, ticking(7200)):
                unit.until_part("gnss", "ok")
                until("a fix has come", lambda: unit.metric(token, "telltale_gnss_fixes_total") > 0)
                unit.do("cansend vcan0 20000100#0000000000000000")
                after = phone.until("CAN_BUS_RECOVERED", lambda event: event["eventType"] == "CAN_BUS_RECOVERED")
        if before["timeSource"] != "unset" or "bootTime" not in before:
            raise Failure(f"without a clock: {before}")
        if after["timeSource"] != "gnss" or not after["timestamp"].startswith("2026-02-20T02:0"):
            raise Failure(f"with the receiver's time: {after}")
        if not before["eventId"] < after["eventId"]:
            raise Failure(f"ids must rise: {before['eventId']}, {after['eventId']}")
        if unit.do("date +%Y").strip() != "1970":
            raise Failure("the daemon has set the system's clock")
        story.figures.update(stamp_before=before["timestamp"], stamp_after=after["timestamp"])
