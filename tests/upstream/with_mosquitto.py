"""Ten thousand events to one mosquitto, with everything thrown at it at once.

While the car drives, at about a hundred events a second:

| what | how often |
|---|---|
| the daemon is killed with -9 and started again | `KILLS` times, every few seconds, whatever else goes on |
| the broker is asked to end, and begins again | once before each of the others |
| the broker is killed with -9 after it took what the vehicle never learns that it took | 3 times |
| the modem loses its carrier | 2 times |
| nothing reaches the vehicle, while what it sends arrives | 2 times |
| the broker's disk is full: what it saves is spoilt or out of date, and it goes on from memory | once |
| and it is killed with -9 with such a disk: it may begin again without any memory, not even a session | once |
| its certificate is another authority's, until the vehicle is given that authority too; and the vehicle's own one is renewed | once |

While the vehicle hears nothing it has at most one batch on its way and sends no more, so that after a second all of it has
arrived. See `mosquitto` for what mosquitto promises, and why it is killed only while the vehicle does not hear it.
"""

import json
import signal
from collections import Counter

from . import drive, fleet
from .authority import Authority
from .basics import Failure, until
from .mosquitto import Mosquitto
from .world import World, deaths, drive_through

EVENTS = 10_000
KILLS = 20
KILL_EVERY = 3.0

UPSTREAM = """
[[upstream]]
name = "broker"
url = "mqtts://{address}:{port}"
ca = "authorities.pem"
certificate = "car.pem"
key = "car.key"
"""


class Road(World):
    """One vehicle, one mosquitto, one subscriber, one phone."""

    def __init__(self, story, more=""):
        super().__init__(story)
        try:
            self.broker = self.kept(Mosquitto(story.folder, self.network.fleet, self.authority))
            self.subscriber = self.kept(fleet.Subscriber(story.python, story.folder, "127.0.0.1", self.broker.local))
            self.broker.save()
            self.drive_off(UPSTREAM.format(address=self.network.fleet, port=self.broker.port) + more)
        except BaseException:
            self.close()
            raise

    def arrived(self):
        """What has come."""
        return fleet.arrived(self.subscriber, self.vehicle.vin)

    def until_more(self, count=1):
        """Waits until events come again."""
        before = self.subscriber.count(self.vehicle.vin)
        until("events come again", lambda: self.subscriber.count(self.vehicle.vin) >= before + count)


class Thrown:
    """What is thrown at it, in turn."""

    def __init__(self, world):
        self.world, self.counts = world, Counter()
        self.other = Authority(world.story.folder, "other-ca")

    def all(self, faults):
        """One after the other."""
        for fault in (self._killed, self._no_carrier, self._full, self._deaf, self._stranger, self._killed, self._no_carrier,
                      self._forgetful, self._deaf, self._killed):
            self.world.until_more()
            self._restarted()
            self.world.until_more()
            fault(faults)
            self.counts[fault.__name__[1:]] += 1
            if not faults.pause(0):
                return

    def _restarted(self):
        """Asked to end in the midst of things."""
        self.world.broker.end()
        self.world.broker.start()
        self.counts["restarted"] += 1

    def _killed(self, faults):
        with self.world.network.deaf():
            faults.pause(1)
            self.world.subscriber.drained()
            self.world.broker.end(signal.SIGKILL)
        self.world.broker.start()

    def _no_carrier(self, faults):
        with self.world.network.down():
            faults.pause(4)

    def _deaf(self, faults):
        with self.world.network.deaf():
            faults.pause(4)

    def _full(self, _faults):
        with self.world.broker.disk_full():
            self.world.broker.save()
            self.world.until_more(100)
        self.world.broker.save()

    def _forgetful(self, faults):
        broker, subscriber = self.world.broker, self.world.subscriber
        with self.world.network.deaf():
            faults.pause(1)
            subscriber.drained()
            with broker.disk_full():
                broker.save()
                before = len(subscriber.lines())
                broker.end(signal.SIGKILL)
            broker.start()
            until("the subscriber is back", lambda: any("subscribed" in line for line in subscriber.lines()[before:]))
            broker.save()

    def _stranger(self, faults):
        """Its certificate is by somebody whom the vehicle does not know yet. Nothing may be told to such a one."""
        world = self.world
        world.broker.end()
        world.broker.certify(self.other)
        world.broker.start()
        world.subscriber.drained()
        before = world.subscriber.count(world.vehicle.vin)
        faults.pause(4)
        if world.subscriber.count(world.vehicle.vin) != before:
            raise Failure("a broker whose certificate nobody knows was told events")
        world.certify(world.authority)
        world.trust(world.authority, self.other)


def ten_thousand(story):
    """Every event that the vehicle tells arrives, in order by kind, whatever happens on the way."""
    with Road(story) as world:
        thrown = Thrown(world)
        drive_through(world, EVENTS, thrown.all, deaths(world.vehicle, KILLS, KILL_EVERY))
        story.figures.update(thrown.counts)
        fleet.judged(story, world.vehicle, world.phone, world.arrived)
        until("all is well", lambda: world.vehicle.health("upstream.broker")["condition"] == "ok")
        _status(world)


def a_dropped_event_is_seen(story):
    """The count can fail: a daemon that takes its 100th message for acknowledged without sending it is found out."""
    with Road(story, "drop_event = 100\n") as world:
        with drive.Car(world.vehicle.folder) as car:
            until("there are events enough", lambda: world.phone.count() >= 300)
            car.park()
        try:
            fleet.judged(story, world.vehicle, world.phone, world.arrived, missing=1)
        except Failure as failure:
            if ": 1 of " not in str(failure):
                raise
            story.figures["found"] = str(failure)
            return
        raise Failure("an event was dropped, and nobody has noticed")


def _status(world):
    """Online and offline, as the broker keeps it for whoever comes later."""
    topic = f"telltale/{world.vehicle.vin}/status"
    states = [json.loads(line["payload"])["state"] for line in world.subscriber.messages(topic)]
    if "online" not in states:
        raise Failure(f"never online, only {set(states)}")

    def kept(name):
        late = fleet.Subscriber(world.story.python, world.story.folder, "127.0.0.1", world.broker.local, name, [topic])
        try:
            return until("a retained status", lambda: [line for line in late.messages(topic) if line["retain"]][-1:])[0]
        finally:
            late.close()

    def last():
        return json.loads(world.subscriber.messages(topic)[-1]["payload"])["state"]

    until("it is online", lambda: last() == "online")
    if json.loads(kept("late")["payload"])["state"] != "online":
        raise Failure("who comes late is not told that it is online")
    world.vehicle.kill()
    until("its will says offline", lambda: last() == "offline")
    world.vehicle.start()
    until("it is online again", lambda: last() == "online")
    world.story.figures["seconds_to_stop"] = round(world.vehicle.stop(), 2)
    until("it says offline", lambda: last() == "offline")
    if json.loads(kept("later")["payload"])["state"] != "offline":
        raise Failure("who comes late is not told that it is offline")
