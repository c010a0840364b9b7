"""The fleet's side: a subscriber that writes down what comes, and the count of it against what the vehicle told."""

import contextlib
import json
import subprocess
import time
from collections import Counter
from pathlib import Path

from .basics import GENEROUS, Failure, until
from .vehicle import KINDS

HERE = Path(__file__).resolve().parent
MARKER = "marker"


class Subscriber:
    """Another process that subscribes at `address`; `python` has paho-mqtt."""

    def __init__(self, python, folder, address, port, name="fleet", filters=("telltale/#", MARKER)):
        self.file, self._at, self._lines, self._markers = folder / f"{name}.jsonl", 0, [], 0
        self._address, self._port = address, port
        self.file.touch()
        command = [python, "-B", HERE / "subscriber.py", address, str(port), name, self.file, *filters]
        with open(folder / f"{name}.log", "ab") as log:
            self._process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=log, stderr=log)
        until(f"{name} has subscribed", lambda: any("subscribed" in line for line in self.lines()))

    def lines(self):
        """Everything written down so far."""
        with open(self.file, encoding="utf-8") as file:
            file.seek(self._at)
            for line in iter(file.readline, ""):
                if not line.endswith("\n"):
                    break
                self._at = file.tell()
                self._lines.append(json.loads(line))
        return self._lines

    def messages(self, topic):
        """The messages of this topic and those below it."""
        return [line for line in self.lines() if line.get("topic", "").startswith(topic)]

    def count(self, vin):
        """How many events have come, twins among them."""
        return len(self.messages(f"telltale/{vin}/events/"))

    def drained(self):
        """Waits until everything that the broker has taken so far has come: a marker behind it has."""
        self._markers += 1
        text = f"{self.file}-{self._markers}"
        command = ["mosquitto_pub", "-h", self._address, "-p", str(self._port), "-V", "mqttv311", "-q", "1", "-t", MARKER, "-m", text]
        until("the marker is taken", lambda: subprocess.run(command, capture_output=True, check=False).returncode == 0)
        until("the marker arrives", lambda: any(line["payload"] == text for line in self.messages(MARKER)))

    def close(self):
        """Ends it."""
        self._process.stdin.close()
        self._process.wait(10)


def arrived(subscriber, vin):
    """What has come by kind: CloudEvents in the order in which each came first, and how many were twins."""
    first, twins = {kind: {} for kind in KINDS}, Counter()
    for line in subscriber.messages(f"telltale/{vin}/events/"):
        kind = line["topic"].rsplit("/", 1)[1]
        event = json.loads(line["payload"])
        twins[kind] += event["id"] in first[kind]
        first[kind].setdefault(event["id"], event)
    return {kind: list(of.values()) for kind, of in first.items()}, twins


def track(subscriber, vin):
    """The windows of the track that have come, by id, each with its points; one that came again has to be the same."""
    windows = {}
    for line in subscriber.messages(f"telltale/{vin}/track"):
        window = json.loads(line["payload"])
        if windows.setdefault(window["id"], window["data"]["points"]) != window["data"]["points"]:
            raise Failure(f"two windows are called {window['id']}")
    return windows


def by_kind(told, kind_of):
    """Events as phones were told them, by kind."""
    found = {kind: [] for kind in KINDS}
    for event in told:
        found[kind_of[event["eventType"]]].append(event)
    return found


def faults(told, come, vin):
    """What is wrong with what has come, by kind; nothing when it is exactly what was told, in order."""
    found = []
    for kind in KINDS:
        wanted, have = [str(event["eventId"]) for event in told[kind]], [event["id"] for event in come[kind]]
        lost, strange = set(wanted) - set(have), set(have) - set(wanted)
        if lost:
            found.append(f"{kind}: {len(lost)} of {len(wanted)} lost, the first {min(lost)}")
        if strange:
            found.append(f"{kind}: {len(strange)} that no phone was told, the first {min(strange)}")
        if not lost and not strange and wanted != have:
            at = next(at for at, (a, b) in enumerate(zip(wanted, have)) if a != b)
            found.append(f"{kind}: out of order from the {at}th on: {have[at]} where {wanted[at]} belongs")
        same = {str(event["eventId"]): event for event in told[kind]}
        odd = [event for event in come[kind] if event["id"] in same and not _envelope(event, same[event["id"]], kind, vin)]
        if odd:
            found.append(f"{kind}: {len(odd)} not as described, the first {odd[0]} of {same[odd[0]['id']]}")
    return found


def _envelope(event, told, kind, vin):
    """Whether this is the CloudEvent of what was told."""
    return (event["specversion"] == "1.0" and event["source"] == f"/vehicles/{vin}" and event["type"] == told["eventType"]
            and event["subject"] == kind and event["datacontenttype"] == "application/json"
            and event["severity"] == told["severity"] and ("time" in event) == (told["timeSource"] != "unset") and event["data"] == told)


def judged(story, vehicle, phone, source, missing=0):
    """Waits until as much has come as the vehicle has told, but for so many that never do, and holds both lists against each
    other. Tells the figures."""
    begun, seen = time.monotonic(), {}

    def whole():
        # A car that stands tells things too.
        seen["history"], seen["come"] = vehicle.history(), source()
        return sum(map(len, seen["come"][0].values())) == len(seen["history"]) - missing

    with contextlib.suppress(Failure):
        until("everything has come", whole, 2 * GENEROUS, 0.5)
    story.figures["seconds_to_the_last_event"] = round(time.monotonic() - begun, 1)
    history, (come, twins) = seen["history"], seen["come"]
    until("the phone has heard all", lambda: phone.count() >= len(history))
    heard, kept = [event["eventId"] for event in phone.events()], [event["eventId"] for event in history]
    if heard[:len(kept)] != kept:
        raise Failure(f"the phone was told other events than the {len(kept)} of the history")
    kinds = {event["eventType"]: kind for kind in KINDS for event in vehicle.history([kind])}
    told = by_kind(history, kinds)
    story.figures.update(told=len(history), arrived=sum(map(len, come.values())), twins=sum(twins.values()))
    story.figures.update({kind: f"{len(told[kind])} told, {len(come[kind])} arrived, {twins[kind]} twins" for kind in KINDS})
    wrong = faults(told, come, vehicle.vin)
    if wrong:
        raise Failure("\n".join(wrong))
