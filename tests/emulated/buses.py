"""CAN as it goes wrong: interfaces that go, controllers in trouble, frames of 64 bytes, and a unit that must stay silent."""

from . import car
from .nmea import Receiver, ticking
from .phone import Phone
from .qemu import Failure, Unit

BUSES = {"body": "can0", "cabin": "vcan0"}

# Of `car.dbc`: the wheels stand.
WHEELS = "1A0#0000000000000000"


def _unit(story, start=car.INTERFACES, files=None, **options):
    options = {"profile": "car.toml", "buses": BUSES, **options}
    return Unit(story.image, story.name, car.software(story.binary, files or car.SIMULATED, **options), start)


def _hears(unit, token, interface="can1", bus="body", frame=WHEELS):
    """One more frame is sent, and decoded."""
    before = unit.metric(token, "telltale_can_frames_total", bus=bus)
    unit.do(f"cansend {interface} {frame}")
    unit.until_metric(token, "telltale_can_frames_total", before + 1, bus=bus)


def up_and_down(story):
    """An interface that goes down, or away, degrades its bus and nothing else, says how to help it, and is taken up again."""
    with _unit(story) as unit:
        unit.start_daemon()
        token = unit.pair()
        unit.until_part("can.body", "ok")
        _hears(unit, token)
        for times in range(3):
            unit.do("ip link set can0 down")
            unit.until_part("can.body", "degraded", "ip link set can0 up")
            unit.until_part("can.cabin", "ok")
            unit.do("ip link set can0 up")
            unit.until_part("can.body", "ok")
            _hears(unit, token)
            story.figures["times_down"] = times + 1
        unit.do("ip link del vcan0")
        unit.until_part("can.cabin", "absent", "no interface vcan0")
        unit.do("ip link add vcan0 type vcan && ip link set vcan0 mtu 72 up")
        unit.until_part("can.cabin", "ok")
        _hears(unit, token, "vcan0", "cabin", "98FFA045#0000000000000000")
        said = unit.do("cat /tmp/telltale.log")
        if "panic" in said:
            raise Failure(said)


def conditions(story):
    """Bus-off is told at once, error-passive after ten seconds; both end when the controller takes full part again."""
    with _unit(story) as unit:
        unit.start_daemon()
        token = unit.pair()
        unit.until_part("can.cabin", "ok")
        told = []
        with Phone(unit.address, token, "/api/v1/diagnosis/auto/events") as phone:
            phone.until_connected()

            def hear(kind, cause):
                event = phone.until(f"{kind} {cause}", lambda event: event.get("eventId", 0) > (told[-1]["eventId"] if told else 0))
                seen = (event["eventType"], event["diagnosis"]["source"], event["diagnosis"]["cause"])
                if seen != (kind, "cabin", cause):
                    raise Failure(f"{seen} instead of {kind} of cabin by {cause}")
                told.append(event)

            unit.do("cansend vcan0 20000040#0000000000000000")
            hear("CAN_BUS_FAULT", "bus_off")
            unit.do("cansend vcan0 20000100#0000000000000000")
            hear("CAN_BUS_RECOVERED", "bus_off")
            # A moment of it is no fault: only the second time, when it lasts, something is told.
            unit.do("cansend vcan0 20000004#0030000000000000 && cansend vcan0 20000004#0040000000000000")
            unit.do("cansend vcan0 20000204#0030000000008090")
            hear("CAN_BUS_FAULT", "error_passive")
            unit.do("cansend vcan0 20000004#0040000000000000")
            hear("CAN_BUS_RECOVERED", "error_passive")
            # The controller's own buffer ran over.
            unit.do("cansend vcan0 20000004#0001000000000000")
            unit.until_metric(token, "telltale_can_dropped_total", 1, reason="controller")
        story.figures.update(error_frames_sent=6, events=len(told))


FD_CAR = {
    "fd.dbc": """VERSION ""
NS_ :
BS_:
BU_: ECU
BO_ 291 BATTERY_FD: 64 ECU
 SG_ First : 0|16@1+ (0.01,0) [0|655.35] "V" ECU
 SG_ Last : 496|16@1+ (0.1,-40) [-40|6513.5] "degC" ECU
""",
    "fd.toml": """[bus.traction]
dbc = ["fd.dbc"]
interface = "vcan0"

[[signals."Vehicle.LowVoltageBattery.CurrentVoltage"]]
bus = "traction"
message = "BATTERY_FD"
signal = "First"

[[signals."Vehicle.Exterior.AirTemperature"]]
bus = "traction"
message = "BATTERY_FD"
signal = "Last"
""",
}


def flexible_data(story):
    """A CAN FD frame of 64 bytes is read to its last bit, and one that is too short for a signal is counted."""
    with _unit(story, files=FD_CAR, profile="fd.toml", buses={"traction": "vcan0"}) as unit:
        unit.start_daemon()
        token = unit.pair()
        unit.until_part("can.traction", "ok")
        data = (1250).to_bytes(2, "little") + bytes(60) + (615).to_bytes(2, "little")
        unit.do(f"cansend vcan0 123##1{data.hex()}")
        unit.until_metric(token, "telltale_can_frames_total", 1, bus="traction")
        status, state = unit.http("GET", "/api/v1/vehicles/self/state", token=token)
        seen = [state["signals"][name]["value"] for name in ("Vehicle.LowVoltageBattery.CurrentVoltage", "Vehicle.Exterior.AirTemperature")]
        if status != 200 or seen != [12.5, 21.5]:
            raise Failure(f"{seen} instead of 12.5 V and 21.5 degC")
        unit.do("cansend vcan0 123##1E204000000000000")
        unit.until_metric(token, "telltale_can_dropped_total", 1, reason="short_frame")
        story.figures.update(fd_frames_sent=2, fd_frames_decoded=unit.metric(token, "telltale_can_frames_total", bus="traction"))


def listen_only(story):
    """Not one frame leaves the unit; a controller that could acknowledge one is refused, unless its bus wants it so."""
    with _unit(story) as unit:
        unit.start_daemon()
        token = unit.pair()
        unit.until_part("can.body", "ok")
        unit.do("candump -x can1 > /tmp/heard & echo $! > /run/candump.pid")
        # The car drives for a while, and the receiver and a phone have their say.
        with Receiver(unit.gnss, ticking()), Phone(unit.address, token) as phone:
            unit.until_part("gnss", "ok")
            phone.until_connected()
            unit.do(f"cangen can1 -I 1A0 -L 8 -g 1 -n 1000")
            unit.until_metric(token, "telltale_can_frames_total", 1000, bus="body")
        unit.do("kill $(cat /run/candump.pid)")
        sent = int(unit.do("grep -c ' TX ' /tmp/heard"))
        heard = int(unit.run("grep -c ' RX ' /tmp/heard")[1])
        counted = [unit.counted("can1", "rx_packets"), unit.counted("can0", "tx_packets")]
        if sent != 1000 or heard or any(counted):
            raise Failure(f"candump on can1 has seen {sent} frames of its own and {heard} of the unit; the kernel counts {counted}")
        story.figures.update(frames_sent=sent, frames_from_the_unit=heard)
        unit.do("ip link set can0 down; ip link set can0 up type can bitrate 500000 listen-only off")
        unit.until_part("can.body", "degraded", "listen-only on")
        before = unit.metric(token, "telltale_can_frames_total", bus="body")
        unit.do(f"cansend can1 {WHEELS}")
        unit.do("kill $(cat /run/telltale.pid)")
        unit.until("the daemon has ended", "! kill -0 $(cat /run/telltale.pid)")
        unit.do("sed -i 's/interface = \"can0\"/&\\nlisten_only = false/' /etc/telltale/telltale.toml")
        unit.start_daemon()
        unit.until_part("can.body", "ok")
        _hears(unit, token)
        if before != 1000:
            raise Failure(f"{before} frames were read, and an interface that is not listen-only must not be")
