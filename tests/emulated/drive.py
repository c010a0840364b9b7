"""A drive, as the unit sees it: frames on a real controller, sentences on a serial port, phones on the network."""

import tempfile
import time
from pathlib import Path

from . import car
from .nmea import Receiver
from .phone import Phone
from .qemu import GENEROUS, Failure, Unit, until


def drive(story):
    """The alerts of a drive arrive at phones, those that `telltale replay` tells of the same frames and sentences."""
    with tempfile.TemporaryDirectory() as work:
        seen = car.Drive(story.telltale, Path(work))
        buses = {"body": "can0", "cabin": "vcan0"}
        files = car.software(story.binary, seen.files, profile=seen.profile, buses=buses, fences=seen.fences)
        files["root/drive.candump"] = seen.frames
        start = car.INTERFACES + "mkdir -p /run/telltale\nRUNTIME_DIRECTORY=/run/telltale telltale run > /tmp/telltale.log 2>&1 &\n"
        with Unit(story.image, story.name, files, start) as unit:
            unit.until_open()
            story.figures["boot_to_open_s"] = round(time.monotonic() - unit.powered, 2)
            token = unit.pair()
            with Phone(unit.address, token) as phone, \
                    Phone(unit.address, token, "/api/v1/childcare/vehicles/self/child-alert/events") as other:
                phone.until_connected()
                other.until_connected()
                unit.do("canplayer -I /root/drive.candump can1=can0 vcan0=can1 > /tmp/canplayer.log 2>&1 &\necho $! > /run/canplayer.pid")
                with Receiver(unit.gnss, seen.cycles) as receiver:
                    unit.until_part("gnss", "ok")
                    _judge(story, unit, seen, phone, other)
                    until("the whole drive is written", lambda: receiver.sentences >= 2 * len(seen.cycles) - 2)
                unit.until("the whole drive is sent", "! kill -0 $(cat /run/canplayer.pid)")
                _count(story, unit, seen, token)


def _judge(story, unit, seen, phone, other):
    """What was told is what had to be told."""
    last = seen.expected[-1]
    patience = seen.end - seen.begin + GENEROUS
    phone.until("CHILD_LEFT_BEHIND", lambda event: event["eventType"] == "CHILD_LEFT_BEHIND", patience)
    phone.cut()
    phone.until(car.gist(last), lambda event: car.gist(event) == car.gist(last), patience)
    told = phone.events()
    if car.by_family(told) != car.by_family(seen.expected):
        raise Failure(f"of {seen.name} was told\n  {car.by_family(told)}\nand a replay tells\n  {car.by_family(seen.expected)}")
    ids = [event["eventId"] for event in told]
    if ids != sorted(set(ids)):
        raise Failure(f"ids that do not rise: {ids}")
    for must in seen.truth:
        # What falls into this piece, with a moment to spare at its begin.
        if not seen.begin + 10 < must["earliest"] or not must["latest"] <= seen.end:
            continue
        story.figures["truths_held"] = story.figures.get("truths_held", 0) + 1
        if not any(_holds(event, must) for event in told):
            raise Failure(f"no {must} in {[(car.gist(event), event['timestamp']) for event in told]}")
    children = [event["eventId"] for event in told if event["eventType"].startswith("CHILD")]
    until("the other phone has heard the same", lambda: [event["eventId"] for event in other.events()] == children)
    wrong = [event for event in told if event["timeSource"] != "gnss" or event["vin"] != car.VIN]
    if wrong:
        raise Failure(f"not by the receiver's time, or of another car: {wrong}")
    shifts = [abs(car.moment(event) - car.moment(twin)) for event in told for twin in seen.expected if car.gist(event) == car.gist(twin)]
    story.figures.update(drive=seen.name, events=len(told), connections=phone.connections, worst_shift_to_replay_s=round(max(shifts), 2))


def _holds(event, must):
    """Whether an event is what the truth asks for."""
    child, fence = event.get("child", {}), event.get("geofence", {})
    same = event["eventType"] == must["event"] and all(child.get(key) == must[key] for key in ("stage", "confidence", "reason") if key in must)
    return same and must.get("fence") in (None, fence.get("id")) and must["earliest"] - 1 <= car.moment(event) <= must["latest"] + 5


def _count(story, unit, seen, token):
    """What was sent and what arrived, by the kernel's count; and how much memory the daemon took."""
    sent, arrived = unit.counted("can1", "tx_packets"), unit.counted("can0", "rx_packets")
    if not sent == arrived == seen.sent("can0"):
        raise Failure(f"{seen.sent('can0')} frames in the log, {sent} sent, {arrived} arrived")
    back = unit.counted("can1", "rx_packets")
    if back:
        raise Failure(f"{back} frames came from a unit that only listens")
    memory = unit.memory(int(unit.do("pidof telltale")))
    mapped = unit.metric(token, "telltale_can_frames_total")
    dropped = unit.metric(token, "telltale_can_dropped_total")
    if dropped:
        raise Failure(f"{dropped} frames were dropped")
    story.figures.update(frames_sent=sent, frames_arrived=arrived, frames_mapped=mapped, rss_kib=memory["VmRSS"], hwm_kib=memory["VmHWM"])
