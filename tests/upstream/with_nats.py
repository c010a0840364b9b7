"""Two thousand events to three clustered nats-servers, while each is killed, the last one after
its disk was full, and the daemon dies too.

NATS speaks MQTT 3.1.1 only, so this is that protocol's story as well; and the link is in clear text, as the cluster's own
door is. Each SIGKILL comes in the midst of things: three replicas promise that it may. See `nats`.
"""

import signal
from collections import Counter

from . import fleet
from .basics import until
from .nats import Cluster
from .world import World, deaths, drive_through

EVENTS = 2_000
KILLS = 5
KILL_EVERY = 9.0

UPSTREAM = """
[[upstream]]
name = "nats"
url = "mqtt://{address}:{port}"
clear_text = true
"""


class Road(World):
    """One vehicle, one cluster, one subscriber, one phone."""

    def __init__(self, story):
        super().__init__(story)
        try:
            self.cluster = self.kept(Cluster(story.folder, self.network.fleet))
            self.subscriber = self.kept(fleet.Subscriber(story.python, story.folder, "127.0.0.1", self.cluster.local))
            self.cluster.settle()
            self.drive_off(UPSTREAM.format(address=self.network.fleet, port=self.cluster.port), fences=4)
        except BaseException:
            self.close()
            raise

    def arrived(self):
        """What has come."""
        return fleet.arrived(self.subscriber, self.vehicle.vin)

    def until_more(self):
        """Waits until events come again."""
        before = self.subscriber.count(self.vehicle.vin)
        until("events come again", lambda: self.subscriber.count(self.vehicle.vin) > before)


def three_nodes(story):
    """Every event arrives, in order by kind, while nodes die."""
    counts = Counter()
    with Road(story) as world:
        def nodes_die(faults):
            for node in world.cluster.nodes:
                world.until_more()
                if node is world.cluster.nodes[-1]:
                    with node.disk_full():
                        faults.pause(5)
                    counts["disk_full"] += 1
                node.end(signal.SIGKILL)
                faults.pause(2)
                node.start()
                world.cluster.settle()
                counts["nodes_killed"] += 1

        drive_through(world, EVENTS, nodes_die, deaths(world.vehicle, KILLS, KILL_EVERY))
        story.figures.update(counts)
        fleet.judged(story, world.vehicle, world.phone, world.arrived)
        # Points are durable within half a minute, and a minute's leave when it is over.
        windows = until("the track comes", lambda: fleet.track(world.subscriber, world.vehicle.vin))
        story.figures.update(track_windows=len(windows), track_points=sum(map(len, windows.values())))
