"""A thousand events to a collector that goes wrong in every way that one can (see `collector`), while the daemon dies.

On the way the bearer token is renewed, and the collector takes no batches for a while.
"""

from collections import Counter

from . import fleet
from .basics import Failure, until
from .collector import TOKEN, Collector
from .vehicle import KINDS
from .world import World, deaths, drive_through

EVENTS = 1_000
KILLS = 5
KILL_EVERY = 4.0
FENCES = 5

UPSTREAM = """
[[upstream]]
name = "collector"
url = "https://{address}:{port}"
ca = "authorities.pem"
token_file = "token"
member = "anna"
"""


class Road(World):
    """One vehicle, one collector, one phone."""

    def __init__(self, story):
        super().__init__(story)
        try:
            certificate, key = self.authority.sign("collector", [self.network.fleet])
            self.collector = self.kept(Collector(self.network.fleet, certificate, key, "anna"))
            self.drive_off(UPSTREAM.format(address=self.network.fleet, port=self.collector.port), FENCES)
        except BaseException:
            self.close()
            raise

    def certify(self, authority):
        """A token in the place of a certificate."""
        self.place("token", TOKEN.encode())

    def arrived(self):
        """What has come, and how many were twins by id."""
        first, twins = {kind: {} for kind in KINDS}, Counter()
        with self.collector.lock:
            events = [event for event in self.collector.events if event["subject"] in KINDS and event["type"] != "GAP"]
        for event in events:
            twins[event["subject"]] += event["id"] in first[event["subject"]]
            first[event["subject"]].setdefault(event["id"], event)
        return {kind: list(of.values()) for kind, of in first.items()}, twins


def a_thousand(story):
    """Every event arrives, in order by kind, whatever the collector does."""
    with Road(story) as world:
        collector = world.collector

        def renewed(faults):
            until("events come", lambda: len(collector.events) > 100)
            collector.tokens = {"another-token"}
            until("the old token is refused", lambda: collector.outcomes["wrong token"])
            world.place("token", b"another-token\n")
            before = len(collector.events)
            until("events come again", lambda: len(collector.events) > before + 100)
            collector.single = True
            until("a batch is refused", lambda: collector.outcomes["batch refused"])
            singles = collector.outcomes["singles"]
            until("events come one at a time", lambda: collector.outcomes["singles"] > singles + 20)
            collector.single = False
            # A daemon that has learnt to send one at a time does so for an hour, or as long as it lives.
            deaths(world.vehicle, KILLS, KILL_EVERY)(faults)

        drive_through(world, EVENTS, renewed)
        fleet.judged(story, world.vehicle, world.phone, world.arrived)
        story.figures.update(requests=collector.requests, outcomes=dict(collector.outcomes))
        if collector.faults:
            raise Failure("\n".join(collector.faults[:5]))
