"""A full bus: what is lost on the way from the wire to the decoder, and what reading it costs.

500 kbit/s carry about 4,500 frames/s of 8 bytes. QEMU's controllers send in no time, so canplayer paces them by the
stamps of a log. Sent is what the kernel says that can1 has sent, arrived what it says that can0 has received, decoded what
the daemon says. Emulated on a busy machine a unit may be too slow for that rate: then, too, every frame has to be accounted
for, and the rate is lowered until nothing is lost.
"""

from . import car
from .qemu import Failure, Unit, until

RATES = [4500, 3000, 2000, 1000]
SECONDS = 60
# The ids of the simulated car's body bus, each as often as the others: every frame goes through the decoder.
IDS = ["1A0", "280", "3B0", "3B8", "4F0", "5A0"]


def _log(rate):
    """A second of a bus, for canplayer to play again and again."""
    frames = (f"(0.{at * 1_000_000 // rate:06d}) can1 {IDS[at % len(IDS)]}#{at % 256:02X}00000000000000" for at in range(rate))
    return "".join(f"{frame}\n" for frame in frames)


def _unit(story):
    files = car.software(story.binary, car.SIMULATED, profile="car.toml", buses={"body": "can0", "cabin": "vcan0"})
    files.update({f"root/{rate}.candump": _log(rate) for rate in RATES})
    return Unit(story.image, story.name, files, car.INTERFACES)


class Count:
    """What everybody says of the frames so far."""

    def __init__(self, unit, token):
        self.sent, self.arrived = unit.counted("can1", "tx_packets"), unit.counted("can0", "rx_packets")
        self.overruns, self.kernel = unit.counted("can0", "rx_over_errors"), unit.counted("can0", "rx_dropped")
        self.decoded = unit.metric(token, "telltale_can_frames_total", bus="body")
        self.socket = unit.metric(token, "telltale_can_dropped_total", reason="receive_buffer")
        self.controller = unit.metric(token, "telltale_can_dropped_total", reason="controller")

    def __sub__(self, before):
        for key in vars(self):
            vars(self)[key] -= vars(before)[key]
        return self


def _played(unit, token, rate, seconds):
    """Plays so many seconds at `rate`; what came of it, once everything has come through."""
    before = Count(unit, token)
    unit.do(f"canplayer -l {seconds} -g 0 -I /root/{rate}.candump can1=can1 > /dev/null", 60 + 4 * seconds)
    sent = rate * seconds

    def through():
        # A frame that the socket dropped is told with the next that is read.
        now = Count(unit, token)
        seen = (now.sent, now.arrived, now.decoded, now.socket)
        done = now.sent - before.sent == sent and seen == last[0]
        last[0] = seen
        return done and now

    last = [None]
    return until(f"{unit.name}: {sent} frames have come through", through, pause=0.5) - before


def _balance(count):
    """Holds that every frame that was sent is decoded, or said to be dropped by whoever dropped it."""
    lost = count.sent - count.arrived
    # A controller says once that it ran over, however many frames it lost until it could say so.
    if (lost > 0) != (count.overruns > 0) or count.overruns > max(lost, 0) or count.controller > count.overruns:
        raise Failure(f"the controller lost {lost} frames and says {count.overruns} times that it did; told: {vars(count)}")
    if count.arrived - count.decoded != count.socket:
        raise Failure(f"{count.arrived} frames arrived, {count.decoded} are decoded, the socket dropped {count.socket}: {vars(count)}")


def load(story):
    """4,500 frames/s for 60 s: sent - decoded is what controller and socket say they dropped, and is 0."""
    with _unit(story) as unit:
        process = unit.start_daemon()
        token = unit.pair()
        unit.until_part("can.body", "ok")
        for rate in RATES:
            begun = unit.uptime()
            count = _played(unit, token, rate, SECONDS)
            took = unit.uptime() - begun
            _balance(count)
            lost = count.sent - count.decoded
            story.figures[f"at_{rate}_per_s"] = {"sent": count.sent, "decoded": count.decoded, "lost_by_controller": count.sent - count.arrived,
                                                 "lost_by_socket": count.socket, "seconds": round(took, 1)}
            if lost == 0:
                break
        else:
            raise Failure(f"even at {RATES[-1]} frames/s something is lost: {story.figures}")
        memory = unit.memory(process)
        story.figures.update(rate_without_loss=rate, hwm_kib=memory["VmHWM"])


def cpu(story):
    """What the daemon's reading of every frame costs, and what candump's does that writes the same frames to /dev/null."""
    with _unit(story) as unit:
        process = unit.start_daemon()
        token = unit.pair()
        unit.until_part("can.body", "ok")
        unit.do("candump can0 > /dev/null & echo $! > /run/candump.pid")
        other = int(unit.do("cat /run/candump.pid"))
        before = unit.cpu_seconds(process), unit.cpu_seconds(other)
        count = _played(unit, token, 1000, 20)
        daemon, candump = (unit.cpu_seconds(process) - before[0], unit.cpu_seconds(other) - before[1])
        story.figures.update(frames=count.decoded, daemon_cpu_s=round(daemon, 3), candump_cpu_s=round(candump, 3),
                             daemon_to_candump=round(daemon / candump, 2))
