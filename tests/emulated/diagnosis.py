"""Trouble codes on real controllers: ECUs that are asked by either ISO-TP, and ECUs that are only heard.

Debug builds can be simulated ECUs (`telltale sim-ecus`); they sit on the car's controller, and the release is the daemon.
"""

import re
import time

from . import car, toolchain
from .buses import BUSES
from .phone import Phone
from .qemu import GENEROUS, Failure, Unit, until

PHONE = "/api/v1/diagnosis/auto/events"
# What the ECUs list; that of the engine, which the profile names, by UDS as well, which knows what fails now.
ENGINE = {"stored", "pending", "permanent", "active"}
LISTS = {("P0301", "7E8"): ENGINE, ("P0420", "7E8"): ENGINE, ("P0128", "7E8"): {"pending", "active"},
         ("P0741", "7E9"): ENGINE - {"active"}}
WINDOW, BUS_SHARE = 10, 5000
SECONDS = 25
# What the truck's engine on the same wire has, which is heard (DM1) and asked for (DM2).
TRUCK = {("SPN 110 FMI 0", "SA 0"): {"active"}, ("SPN 639 FMI 9", "SA 0"): {"previouslyActive"}}
# Where a diagnostic tool without an address of its own claims one (SAE J1939-81), and what it may say: claims, requests, and
# how a message to it is to go on.
TOOL, SAYS = 0xF9, {0xEE00, 0xEA00, 0xEC00}
# Of `car.dbc`: the ignition is on.
IGNITION = "cangen can1 -g 100 -I 3B0 -L 8 -D 0200000000000000"
ECUS = "/usr/bin/telltale-ecus sim-ecus --interface can1"


def _unit(story, mode):
    files = car.software(story.binary, car.SIMULATED, profile="car.toml", buses=BUSES)
    files["usr/bin/telltale-ecus"] = (toolchain.build([story.arch], "dev")[story.arch], 0o755)
    return Unit(story.image, story.name, files, car.INTERFACES.replace("listen-only on", f"listen-only {mode}", 1))


def _begin(unit, name, command):
    """Something that runs in the unit until `_end`."""
    unit.do(f"{command} > /tmp/{name} 2>&1 & echo $! > /run/{name}.pid")


def _end(unit, *names):
    for name in names:
        unit.do(f"kill $(cat /run/{name}.pid)")
        unit.until(f"{name} has ended", f"! kill -0 $(cat /run/{name}.pid)")


class Heard:
    """The frames that candump has seen on the car's controller: when, whether they came from there, id, bytes."""

    def __init__(self, unit):
        found = re.findall(r"\((\d+\.\d+)\)\s+can1\s+(TX|RX).*?\s([0-9A-F]{3,8})\s+\[(\d+)\]", unit.do("cat /tmp/candump"))
        self.frames = [(float(at), way == "TX", int(identity, 16), int(length)) for at, way, identity, length in found]

    def answered(self):
        """When an ECU first answered."""
        return next(at for at, of_car, identity, _ in self.frames if of_car and 0x7E8 <= identity <= 0x7EF)

    def __len__(self):
        return len(self.frames)

    def seconds(self):
        """From the first answer of an ECU to the last frame."""
        first = next((at for at, of_car, _, _ in self.frames if of_car), None)
        return self.frames[-1][0] - first if first else 0

    def bits(self, since, seconds):
        """Most bits on the wire of the frames of this time: stuffed after every four that may be, where all are alike."""
        within = [8 * length + (54 if identity > 0x7FF else 34) for at, _, identity, length in self.frames if since <= at < since + seconds]
        return sum(stuffed + (stuffed - 1) // 4 + 13 for stuffed in within)

    def fullest(self):
        """Bits a second in the fullest ten seconds."""
        return round(max(self.bits(at, WINDOW) for at, _, _, _ in self.frames) / WINDOW)


def _codes(unit, token):
    """The lamp and the codes that a phone is shown, but for when."""
    status, said = unit.http("GET", "/api/v1/diagnosis/vehicles/self/auto/dtc", token=token)
    if status != 200:
        raise Failure(f"the codes: {status}: {said}")
    data = said["data"]
    codes = [{key: value for key, value in code.items() if key not in ("firstSeen", "lastSeen")} for code in data.get("codes", [])]
    return {"mil": data.get("mil"), "codes": sorted(codes, key=lambda code: (code["ecu"], code["code"]))}


def _until_listed(unit, token, expected):
    """Waits until these codes stand in these lists, whatever else there is."""
    shown = {}

    def listed():
        shown.update(_codes(unit, token))
        lists = {(code["code"], code["ecu"]): set(code["status"]) for code in shown["codes"]}
        return all(lists.get(code) == status for code, status in expected.items())

    try:
        until(f"{sorted(expected)} are known", listed, 2 * GENEROUS, 0.5)
    except Failure as error:
        raise Failure(f"{error}: {shown}") from error


def _until_all_known(unit, token):
    """Waits until all that the ECUs have is known, of each a freeze frame too."""
    shown = {}

    def known():
        shown.update(_codes(unit, token))
        frozen = {code["ecu"] for code in shown["codes"] if "freezeFrame" in code}
        # What the engine's ECU, which the profile names, says of each confirmed code by UDS: it was set once.
        kept = [code["code"] for code in shown["codes"] if code.get("extendedData") == {"01": "01"}]
        lists = {(code["code"], code["ecu"]): set(code["status"]) for code in shown["codes"]}
        return shown["mil"] and lists == LISTS and frozen == {"7E8", "7E9"} and kept == ["P0301", "P0420"]

    try:
        until("all that the ECUs have is known", known, 2 * GENEROUS, 0.5)
    except Failure as error:
        raise Failure(f"{error}: {shown}") from error


def _asked_by(story, unit, stack):
    """Starts the daemon with this ISO-TP and no memory; what a phone was shown in the end."""
    unit.do(f"rm -rf /var/lib/telltale; sed -i 's/^isotp = .*/isotp = \"{stack}\"/' /etc/telltale/telltale.toml")
    unit.start_daemon()
    token = unit.pair()
    unit.until_part("can.body", "ok")
    unit.until_part("diagnostics.obd", "ok", "nobody was asked yet")
    _begin(unit, "candump", "candump -ta -x can1,7DF:7FF,7E0:7F0")
    with Phone(unit.address, token, PHONE) as phone:
        phone.until_connected()
        begun = time.time()
        _begin(unit, "cangen", IGNITION)
        phone.until("MIL_ON", lambda event: event["eventType"] == "MIL_ON")
        for code, ecu in LISTS:
            has = lambda event: any((each["code"], each["ecu"]) == (code, ecu) for each in event.get("diagnosis", {}).get("codes", []))
            phone.until(f"{code} of {ecu}", lambda event: event["eventType"] == "DTC_SET" and has(event))
        _until_all_known(unit, token)
        known = time.time() - begun
        until("ECUs are asked for a while", lambda: Heard(unit).seconds() >= SECONDS, 4 * SECONDS + GENEROUS, 1)
        told = phone.events()
    heard, shown = Heard(unit), _codes(unit, token)
    dropped = [unit.metric(token, "telltale_diagnostics_timeouts_total"), unit.metric(token, "telltale_diagnostics_dropped_total")]
    if unit.http("GET", "/healthz")[1]["parts"]["diagnostics.obd"]["condition"] != "ok" or unit.metric(token, "telltale_can_dropped_total"):
        raise Failure(f"{stack}: {unit.http('GET', '/healthz')}")
    _end(unit, "cangen", "candump")
    unit.do("kill $(cat /run/telltale.pid)")
    unit.until("the daemon has ended", "! kill -0 $(cat /run/telltale.pid)")
    first = heard.frames[0][0]
    seconds = heard.frames[-1][0] - first
    mean = round(heard.bits(first, seconds + 1) / seconds)
    # From the first answer on, by the unit's clock: what a phone was told or shown, and when that was decided.
    codes = lambda event: [each["code"] for each in event.get("diagnosis", {}).get("codes", [])]
    status = lambda event: event.get("status", {}).get("codes", [])
    permanent = lambda event: sum("permanent" in code["status"] for code in status(event)) == 3
    frozen = lambda event: {code["ecu"] for code in status(event) if "freezeFrame" in code} == {"7E8", "7E9"}
    after = lambda is_it: round(next(car.moment(event) for event in told if is_it(event)) - heard.answered(), 2)
    story.figures.update({f"{stack}_mil_s": after(lambda event: event["eventType"] == "MIL_ON"),
                          f"{stack}_stored_s": after(lambda event: "P0741" in codes(event)),
                          f"{stack}_pending_s": after(lambda event: "P0128" in codes(event)), f"{stack}_permanent_s": after(permanent),
                          f"{stack}_frozen_s": after(frozen), f"{stack}_all_known_s": round(known, 1), f"{stack}_bits_per_s": mean, f"{stack}_fullest_bits_per_s": heard.fullest(), f"{stack}_frames": len(heard),
                          f"{stack}_timeouts": dropped[0], f"{stack}_broken": dropped[1]})
    if heard.fullest() >= BUS_SHARE:
        raise Failure(f"{stack}: {heard.fullest()} bits/s are more than 1 % of the bus")
    return shown


def _cleared(story, unit):
    """A truck's engine is on the same wire, and somebody's tester clears the car's codes: the phone knows, of the truck's too."""
    _end(unit, "ecus")
    unit.do("rm -rf /var/lib/telltale; sed -i 's/^obd = .*/&\\nj1939 = \"body\"/' /etc/telltale/car.toml")
    unit.start_daemon()
    token = unit.pair()
    unit.until_part("can.body", "ok")
    unit.until_part("diagnostics.obd", "ok", "nobody was asked yet")
    _begin(unit, "candump", "candump -ta -x can1,7DF:7FF,7E0:7F0,80000000:80000000")
    with Phone(unit.address, token, PHONE) as phone:
        phone.until_connected()
        _begin(unit, "cangen", IGNITION)
        _begin(unit, "ecus", f"{ECUS} --script mixed")
        gone = lambda event, code: event["eventType"] == "DTC_CLEARED" and code in [each["code"] for each in event["diagnosis"]["codes"]]
        cleared = [phone.until(f"the end of {code}", lambda event: gone(event, code)) for code, _ in LISTS]
        dark = phone.until("MIL_OFF", lambda event: event["eventType"] == "MIL_OFF")
        _until_listed(unit, token, TRUCK)
    heard = Heard(unit)
    _end(unit, "cangen", "ecus", "candump")
    # Ours and the tester's are told apart by the way they came.
    last = max(at for at, of_car, identity, _ in heard.frames if of_car and identity == 0x7DF)
    ours = {(identity & 0xFF, identity >> 8 & 0x3FF00) for _, of_car, identity, _ in heard.frames if not of_car and identity > 0x7FF}
    story.figures.update(cleared_s=round(max(map(car.moment, cleared)) - last, 2), dark_s=round(car.moment(dark) - last, 2),
                         both_fullest_bits_per_s=heard.fullest())
    if not ours or any(source != TOOL or group not in SAYS for source, group in ours):
        raise Failure(f"the unit has said {[(source, hex(group)) for source, group in ours]} on the truck's bus")
    if heard.fullest() >= BUS_SHARE:
        raise Failure(f"with a truck: {heard.fullest()} bits/s are more than 1 % of the bus")


def asked(story):
    """The kernel's ISO-TP and our own bring the same codes to the phone, neither takes 1 % of the bus, and a clear is known."""
    with _unit(story, "off") as unit:
        unit.do("printf '\\n[diagnostics]\\ntransmit = true\\nisotp = \"auto\"\\n' >> /etc/telltale/telltale.toml")
        _begin(unit, "ecus", ECUS)
        by_kernel = _asked_by(story, unit, "kernel")
        by_ourselves = _asked_by(story, unit, "own")
        if by_kernel != by_ourselves:
            raise Failure(f"the kernel's ISO-TP brings\n  {by_kernel}\nand our own\n  {by_ourselves}")
        story.figures["codes"] = len(by_kernel["codes"])
        _cleared(story, unit)


def overheard(story):
    """What ECUs answer to a tester is told by a unit that sends nothing; and a controller that only listens asks nobody."""
    with _unit(story, "on") as unit:
        unit.start_daemon()
        token = unit.pair()
        unit.until_part("can.body", "ok")
        _begin(unit, "candump", "candump -ta -x can1")
        _begin(unit, "cangen", IGNITION)
        with Phone(unit.address, token, PHONE) as phone:
            phone.until_connected()
            _begin(unit, "ecus", f"{ECUS} --script looks-on")
            for ecu in ("7E8", "7E9"):
                has = lambda event: any(code["ecu"] == ecu for code in event.get("diagnosis", {}).get("codes", []))
                phone.until(f"codes of {ecu}", lambda event: event["eventType"] == "DTC_SET" and has(event))
        unit.do("kill $(cat /run/telltale.pid)")
        unit.until("the daemon has ended", "! kill -0 $(cat /run/telltale.pid)")
        unit.do("printf '\\n[diagnostics]\\ntransmit = true\\n' >> /etc/telltale/telltale.toml")
        unit.start_daemon()
        unit.until_part("can.body", "ok")
        unit.until_part("diagnostics.obd", "degraded", "can0 only listens, so nobody can be asked")
        before = unit.metric(token, "telltale_can_frames_total")
        unit.until_metric(token, "telltale_can_frames_total", before + 100)
        _end(unit, "cangen", "ecus", "candump")
        heard = Heard(unit)
        of_the_car = sum(of_car for _, of_car, _, _ in heard.frames)
        counted = [unit.counted("can1", "rx_packets"), unit.counted("can0", "tx_packets")]
        if not of_the_car or len(heard) != of_the_car or any(counted):
            raise Failure(f"candump on can1 has seen {len(heard) - of_the_car} frames of the unit; the kernel counts {counted}")
        story.figures.update(frames_of_the_car=of_the_car, frames_from_the_unit=len(heard) - of_the_car)


# A debug build of the other architecture, which only these would need, takes minutes: `tests/run armv7::asked` makes it.
for _story in (asked, overheard):
    _story.arches, _story.named = [toolchain.AARCH64], [toolchain.ARMV7]
