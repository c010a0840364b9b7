"""A full bus: what is lost on the way from the wire to the decoder, and what reading it costs.

500 kbit/s carry about 4,500 frames/s of 8 bytes. QEMU's controllers send in no time, so canplayer paces them by the
stamps of a log. Sent is what the kernel says that can1 has sent, arrived what it says that can0 has received, decoded what
the daemon says.

The unit runs with QEMU's `-icount`: its clock goes by instructions, 2 ns each, however busy this machine is. What is
counted is so that of a unit with one processor that does 500 million a second, and the same on any machine.
"""

from . import car
from .qemu import Failure, Unit, until

RATE, SECONDS = 4500, 60
ONE_INSTRUCTION_IS_2_NS = ["-icount", "shift=1"]
# The ids of the simulated car's body bus, each as often as the others: every frame goes through the decoder.
IDS = ["1A0", "280", "3B0", "3B8", "4F0", "5A0"]


def _log(rate):
    """A second of a bus, for canplayer to play again and again."""
    frames = (f"(0.{at * 1_000_000 // rate:06d}) can1 {IDS[at % len(IDS)]}#{at % 256:02X}00000000000000" for at in range(rate))
    return "".join(f"{frame}\n" for frame in frames)


def _unit(story, body):
    files = car.software(story.binary, car.SIMULATED, profile="car.toml", buses={"body": body, "cabin": "vcan1"})
    files["root/second.candump"] = _log(RATE)
    start = car.INTERFACES + "ip link add vcan1 type vcan\nip link set vcan1 up\n"
    return Unit(story.image, story.name, files, start, processors=1, arguments=ONE_INSTRUCTION_IS_2_NS)


class Count:
    """What everybody says of the frames so far."""

    def __init__(self, unit, token):
        self.sent, self.arrived = unit.counted("can1", "tx_packets"), unit.counted("can0", "rx_packets")
        # The controller's own buffer, and the kernel's queue between its driver and the sockets.
        self.controller, self.queue = unit.counted("can0", "rx_over_errors"), unit.counted("can0", "rx_dropped")
        self.decoded = unit.metric(token, "telltale_can_frames_total", bus="body")
        self.socket = unit.metric(token, "telltale_can_dropped_total", reason="receive_buffer")
        self.told = unit.metric(token, "telltale_can_dropped_total", reason="controller")

    def __sub__(self, before):
        for key in vars(self):
            vars(self)[key] -= vars(before)[key]
        return self


def _played(unit, seconds, interface):
    """Plays so many seconds of the full bus; how long that took by the unit's clock."""
    begun = unit.uptime()
    unit.do(f"canplayer -l {seconds} -I /root/second.candump {interface}=can1 > /dev/null", 60 + 20 * seconds)
    return unit.uptime() - begun


def _settled(unit, token, before):
    """The count, once nothing moves any more. What the socket dropped is told with the next frame that is read: one more."""
    last = [None]

    def still():
        now = Count(unit, token)
        last[0], same = vars(now), vars(now) == last[0]
        return same and now

    until(f"{unit.name}: all frames have come through", still, pause=0.5)
    unit.do("cansend can1 1A0#0000000000000000")
    last[0] = None
    return until(f"{unit.name}: the last frame has come through", still, pause=0.5) - before


def _balance(count):
    """Holds that every frame that was sent is decoded, or said to be dropped by who dropped it."""
    if count.arrived - count.decoded != count.queue + count.socket:
        raise Failure(f"{count.arrived} frames arrived, {count.decoded} are decoded; the rest is not accounted for: {vars(count)}")
    # A controller says that it ran over, and cannot say by how much.
    lost = count.sent - count.arrived
    if (lost > 0) != (count.controller > 0) or count.controller > lost or (count.told > 0) != (count.controller > 0):
        raise Failure(f"{lost} frames were lost in the controller, and it is not said so: {vars(count)}")


def load(story):
    """4,500 frames/s for 60 s: sent - decoded is what controller, queue and socket say they dropped, and is 0."""
    with _unit(story, "can0") as unit:
        process = unit.start_daemon()
        token = unit.pair()
        unit.until_part("can.body", "ok")
        before = Count(unit, token)
        took = _played(unit, SECONDS, "can1")
        count = _settled(unit, token, before)
        story.figures.update(vars(count), seconds=round(took, 1), frames_per_s=round(RATE * SECONDS / took), hwm_kib=unit.memory(process)["VmHWM"])
        _balance(count)
        if count.sent != RATE * SECONDS + 1 or count.sent != count.decoded:
            raise Failure(f"{count.sent - count.decoded} of {count.sent} frames were lost, of {RATE * SECONDS + 1} that canplayer had")


def cpu(story):
    """What reading every frame of a full bus costs the daemon, and what it costs candump that writes them to /dev/null.

    On a virtual bus: there a frame costs its sender, and not whoever happens to run, what the emulated controller costs.
    """
    with _unit(story, "vcan0") as unit:
        process = unit.start_daemon()
        token = unit.pair()
        unit.until_part("can.body", "ok")
        unit.do("candump vcan0 > /dev/null & echo $! > /run/candump.pid")
        other = int(unit.do("cat /run/candump.pid"))
        before = unit.cpu_seconds(process), unit.cpu_seconds(other)
        _played(unit, 10, "vcan0")
        unit.until_metric(token, "telltale_can_frames_total", 10 * RATE, bus="body")
        daemon, candump = (unit.cpu_seconds(process) - before[0], unit.cpu_seconds(other) - before[1])
        each = 1e6 / (10 * RATE)
        story.figures.update(frames=10 * RATE, daemon_us_a_frame=round(daemon * each, 1), candump_us_a_frame=round(candump * each, 1),
                             daemon_to_candump=round(daemon / candump, 2))
