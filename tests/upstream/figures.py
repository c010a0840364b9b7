"""How fast a backlog drains, what memory that takes, and what an event costs on the wire: printed, never asserted.

The backlog is made while the modem has no carrier: more events than the liveliest week has, at the journal's default limits.
Then the link comes back, with a mosquitto at its end, and a collector once that has everything. Bytes are those of
the modem's wire, both ways, with everything from Ethernet upwards: handshakes, acknowledgements, TLS and TCP included.
"""

import threading
import time

from . import drive, fleet
from .basics import GENEROUS, free_port, until
from .collector import TOKEN, Collector
from .mosquitto import Mosquitto
from .vehicle import KINDS, VIN
from .world import World

EVENTS = 6_000
FENCES = 100
PASSAGES_A_SECOND = 5
ALONE = 10

UPSTREAM = """
[[upstream]]
name = "broker"
url = "mqtts://{address}:{broker}"
ca = "authorities.pem"
certificate = "car.pem"
key = "car.key"

[[upstream]]
name = "collector"
url = "https://{address}:{collector}"
ca = "authorities.pem"
token_file = "token"
"""


class Memory:
    """Looks at the daemon's memory again and again, until this is left."""

    def __init__(self, vehicle):
        self._vehicle, self._stop, self.most = vehicle, threading.Event(), 0
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _look(self):
        while not self._stop.wait(0.05):
            self.most = max(self.most, self._vehicle.memory()[0])


class Road(World):
    """A vehicle with two upstreams, of which the second's receiver is not there yet."""

    def __init__(self, story):
        super().__init__(story)
        try:
            self.broker = self.kept(Mosquitto(story.folder, self.network.fleet, self.authority))
            self.subscriber = self.kept(fleet.Subscriber(story.python, story.folder, "127.0.0.1", self.broker.local))
            self.free = free_port()
            upstream = UPSTREAM.format(address=self.network.fleet, broker=self.broker.port, collector=self.free)
            self.drive_off(upstream, FENCES)
        except BaseException:
            self.close()
            raise

    def certify(self, authority):
        """A certificate for the one, a token for the other."""
        super().certify(authority)
        self.place("token", TOKEN.encode())

    def collect(self):
        """The second receiver is there."""
        collector = Collector(self.network.fleet, *self.authority.sign("collector", [self.network.fleet]), VIN, self.free)
        collector.calm = True
        return self.kept(collector)


def after_a_week(story):
    """What a week without a link costs once it is back."""
    with Road(story) as world:
        vehicle, figures = world.vehicle, story.figures
        with world.network.down():
            with drive.Car(vehicle.folder, PASSAGES_A_SECOND, child=False) as car:
                until("there are events enough", lambda: world.phone.count() >= EVENTS, 2 * GENEROUS)
                car.park()
            # Whatever a car that fell silent has to tell is told; reading all of it makes the caches as large as they get.
            until("the car is silent", lambda: vehicle.health("gnss")["condition"] == "degraded")
            told = len(vehicle.history())
            figures.update(events_waiting=told, memory_before=vehicle.memory()[0])
        _drain(world, "mqtt", told, lambda: world.subscriber.count(vehicle.vin))
        with world.network.down():
            collector = world.collect()
        _drain(world, "https", told, lambda: sum(event["subject"] in KINDS for event in list(collector.events)))
        figures["memory_most_ever"] = vehicle.memory()[1]
        figures["https_body_bytes_an_event"] = round(collector.received / told)
        _alone(world)


def _drain(world, name, told, come):
    """Waits until all have come by this way."""
    figures, before, begun = world.story.figures, world.network.bytes(), time.monotonic()
    until(f"the first by {name}", come, pause=0.01)
    first, came = time.monotonic(), come()
    with Memory(world.vehicle) as memory:
        until(f"all by {name}", lambda: come() >= told, 2 * GENEROUS, 0.02)
    seconds = time.monotonic() - first
    sent, received = (after - before for after, before in zip(world.network.bytes(), before))
    figures[f"{name}_seconds_to_the_first"] = round(first - begun, 2)
    figures[f"{name}_events_a_second"] = round((told - came) / seconds)
    figures[f"{name}_wire_bytes_an_event"] = f"{sent / told:.0f} sent, {received / told:.0f} received"
    figures[f"{name}_memory_most_while_draining"] = memory.most
    figures[f"{name}_memory_after"] = world.vehicle.memory()[0]


def _alone(world):
    """What an event costs that comes by itself: by what the daemon counts, without TLS and below."""
    def sent():
        counted = world.vehicle.metrics()
        return {way: [counted[f'telltale_upstream_{what}_total{{upstream="{way}"}}'] for what in ("sent", "sent_bytes")]
                for way in ("broker", "collector")}

    before = sent()
    # The first passage is years away: only the bus goes off and comes back.
    with drive.Car(world.vehicle.folder, 1e-9, child=False):
        until("events come one by one", lambda: all(now[0] >= before[way][0] + ALONE for way, now in sent().items()), pause=0.2)
    for (way, now), name in zip(sent().items(), ("mqtt", "https")):
        events, size = (after - ago for after, ago in zip(now, before[way]))
        world.story.figures[f"{name}_bytes_of_an_event_alone"] = round(size / events)
