"""Every client, against real daemons: what each sees when it is cut in the middle of an event, when the daemon is killed,
and when its token is revoked, held against the daemon's history.

usage: python matrix.py TELLTALE CHROMIUM RUST_CLIENT

One JSON line a client for tests/run, and a table. RUST_CLIENT is `-` where it could not be built.
"""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from proxy import Cutter
from secure import Site

HERE = Path(__file__).resolve().parent
GENEROUS = 240.0

NODE = ["Chromium EventSource", "eventsource 4.1.1", "eventsource 2.0.2", "event-source-polyfill 1.0.31", "fetch-event-source 2.0.1",
        "launchdarkly-eventsource 2.2.0", "axios 1.21.1"]
PYTHON = ["httpx-sse 0.4.3", "requests-sse 0.5.3", "sseclient-py 1.9.0"]
RUST = ["eventsource-client 0.17.5"]

ALL = "child,geofence,diagnosis,trip"
# What a drive of the simulated car tells.
TYPES = ["TRIP_START", "TRIP_END", "GEOFENCE_ENTER", "GEOFENCE_EXIT", "GEOFENCE_DWELL", "GEOFENCE_OVERSPEED", "CHILD_LEFT_BEHIND",
         "CHILD_SEAT_REMINDER", "CHILD_ALERT_SNOOZED", "CHILD_ALERT_ACKNOWLEDGED", "CHILD_ALERT_CLEARED", "DTC_SET", "DTC_CLEARED",
         "MIL_ON", "MIL_OFF", "COOLANT_OVERHEAT", "COOLANT_NORMAL", "BATTERY_LOW", "BATTERY_RECOVERED", "CAN_BUS_FAULT",
         "CAN_BUS_RECOVERED", "GNSS_LOST", "GNSS_RECOVERED", "SENSOR_STALE", "SENSOR_RECOVERED", "JOURNAL_DEGRADED", "JOURNAL_RECOVERED"]
# Path, the kinds of history that it shows, and the names under which it tells them.
SURFACES = {
    "fieldpine": (f"/eventsource?want={ALL}", ALL, ALL.split(",")),
    "events": ("/events", ALL, TYPES),
    "geofence": ("/api/v1/childcare/vehicles/self/geofence/events", "geofence", ["message"]),
}
CUTS_FOR_A_FAULT = 10
SECONDS_OF_SILENCE = 0.1
CELLS = ["in order", "cut in the data", "cut before the id", "cut before the end", "killed", "revoked"]

# What a client does otherwise through its own fault, and why. The test fails when that changes. A fault within a cut shows
# only where the client read what came before the end (Chromium may drop what it has not yet given to a page): it is cut again
# until it shows, with a longer silence of the wire before each end.
TAKES_IDS_EARLY = "takes an id as its line comes, not as its event does (the standard dispatches both at the blank line)"
FAULTS = {
    ("eventsource 2.0.2", "cut before the end"): ("misses events", TAKES_IDS_EARLY),
    ("fetch-event-source 2.0.1", "cut before the end"): ("misses events", TAKES_IDS_EARLY),
    ("fetch-event-source 2.0.1", "revoked"): ("told, keeps asking", "its README's onopen tries again after 204"),
    ("eventsource-client 0.17.5", "revoked"): ("told, keeps asking", "takes 204 for a stream that has ended"),
}


class Paired:
    """Devices that a unit's owner has paired with it, one a client and one that may revoke; and what the unit remembers."""

    def __init__(self, telltale, clients):
        self.folder = tempfile.TemporaryDirectory(prefix="telltale-clients-")
        site = Site(telltale)
        try:
            self.tokens, self.ids = {}, {}
            for client in clients:
                self.tokens[client], self.ids[client], _ = site.pair(client, "read")
            self.owner, _, _ = site.pair("owner", "read,admin")
            site.stop()
            shutil.copytree(site.folder / "journal", Path(self.folder.name, "journal"))
        finally:
            site.end()


class Demo:
    """A daemon with a simulated car in a hurry, which remembers what was paired."""

    def __init__(self, telltale, paired):
        self.telltale, self.paired, self.process = telltale, paired, None
        self.folder = tempfile.TemporaryDirectory(prefix="telltale-clients-")
        shutil.copytree(paired.folder.name, self.folder.name, dirs_exist_ok=True)
        self.start("127.0.0.1:0")

    def start(self, listen):
        """Starts it, at the same port where there was one; it remembers."""
        command = [self.telltale, "demo", "--json", "--speed", "60", "--data", self.folder.name, "--listen", listen]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        said = json.loads(self.process.stdout.readline())
        self.token, self.port = said["token"], urllib.parse.urlsplit(said["url"]).port

    def kill(self):
        """Pulls the plug."""
        self.process.kill()
        self.process.wait()

    def ask(self, path, token, method="GET"):
        """One answer of its API; `None` for one without a body."""
        headers = {"Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=GENEROUS) as response:
            return json.loads(response.read() or "null")

    def revoke(self, client):
        """Takes a device's token from it, as who may at the page."""
        self.ask(f"/api/v1/devices/{self.paired.ids[client]}", self.paired.owner, "DELETE")


class Run:
    """One client on one surface."""

    def __init__(self, client, surface, demo):
        self.client, self.surface, self.demo = client, surface, demo
        self.path, self.kinds, self.names = SURFACES[surface]
        self.proxy = Cutter(demo.port)
        self.token = demo.paired.tokens[client]
        # An EventSource sets no header; a ticket may stand in the query.
        if client == "Chromium EventSource":
            self.token = demo.ask("/ActiveSession/AboutMe", self.token)["data"]["UrlToken"]
        self.seen, self.told, self.ended = [], False, False
        self.changed = threading.Condition()
        self.cells = {}

    def job(self):
        """What its program is asked to do."""
        url = f"http://127.0.0.1:{self.proxy.port}{self.path}"
        return {"run": f"{self.client}|{self.surface}", "client": self.client, "url": url, "token": self.token, "names": self.names}

    def hear(self, line):
        """What its program tells."""
        with self.changed:
            if "id" in line:
                self.seen.append(line["id"])
            self.told |= line.get("revoked", False)
            self.ended |= line.get("ended", False)
            self.changed.notify_all()

    def until(self, condition):
        """Whether it comes true in a generous time, and before the client gives up."""
        deadline = time.monotonic() + GENEROUS
        with self.changed:
            while not condition():
                if self.ended or time.monotonic() > deadline:
                    return False
                self.changed.wait(0.1)
        return True

    def history(self, since):
        """The ids that this surface shows, as the daemon kept them."""
        path = f"/api/v1/events?types={self.kinds}&since={since}&limit=1000"
        return [event["eventId"] for event in self.demo.ask(path, self.demo.token)["events"]]

    def judge(self, after):
        """What it has seen after its `after`-th event, held against the history."""
        seen = list(self.seen)
        ids = seen[after:]
        kept = [event for event in self.history(seen[after - 1]) if event <= ids[-1]]
        if ids == kept:
            return "ok"
        if set(kept) - set(ids):
            return "misses events"
        return "sees events twice" if len(set(ids)) < len(ids) else "out of order"

    def in_order(self):
        """Connects, and sees what happens."""
        if not self.until(lambda: len(self.seen) >= 5):
            return "sees nothing"
        # The first may be an alert that was active already: what happened between it and the connection is none of the stream's.
        return self.judge(2)

    def cut(self, place, fault):
        """Is cut within an event, and comes back; more than once where it has a `fault` that is to show."""
        for cuts in range(CUTS_FOR_A_FAULT):
            outcome = self.cut_once(place, SECONDS_OF_SILENCE * cuts ** 2)
            if not (fault and outcome == "ok"):
                break
        return outcome

    def cut_once(self, place, silence):
        """Is cut after some seconds of silence, and comes back."""
        after = len(self.seen)
        event = self.proxy.cut(place, silence, GENEROUS)
        if event is None:
            return "nothing came to cut"
        if not self.until(lambda: self.proxy.resumed is not None):
            return "does not come back" if not self.proxy.came_back else "does not say what it saw"
        if not self.until(lambda: sum(each > event for each in self.seen) >= 2):
            return "sees nothing more"
        return self.judge(after)

    def killed(self, after):
        """Goes on when the daemon, killed, is there again."""
        if not after:
            return "saw nothing before"
        kept = self.history(self.seen[after - 1])
        head = kept[-1] if kept else self.seen[after - 1]
        if not self.until(lambda: sum(each > head for each in self.seen) >= 2):
            return "does not go on"
        return self.judge(after)

    def revoked(self):
        """Is told, comes back, gets 204, and gives up or not."""
        if not self.until(lambda: self.ended or self.proxy.no_contents >= 3):
            return "told, does not come back" if self.told else "not told, does not come back"
        return ("told" if self.told else "not told") + (", stops" if self.ended else ", keeps asking")


def programs(runs, chromium, rust):
    """Starts what runs the clients; reads what they tell."""
    by_name = {run.job()["run"]: run for run in runs}

    def read(process, names):
        for line in process.stdout:
            said = json.loads(line)
            by_name[said["run"]].hear(said)
        for run in names:
            by_name[run].hear({"ended": True})

    started = []
    commands = {"node": (NODE, ["node", "clients.mjs", chromium]), "python": (PYTHON, [sys.executable, "-B", "clients.py"]), "rust": (RUST, [rust])}
    for clients, command in commands.values():
        jobs = [run.job() for run in runs if run.client in clients]
        if jobs:
            process = subprocess.Popen([*command, json.dumps(jobs)], cwd=HERE, stdout=subprocess.PIPE, text=True)
            threading.Thread(target=read, args=(process, [job["run"] for job in jobs]), daemon=True).start()
            started.append(process)
    return started


def live(run):
    """The cells in which nothing happens to the daemon."""
    run.cells["in order"] = run.in_order()
    for place in ["data", "id", "end"]:
        cell = "cut in the data" if place == "data" else f"cut before the {place}"
        run.cells[cell] = run.cut(place, (run.client, cell) in FAULTS) if run.cells["in order"] == "ok" else "not tried"


def all_of(runs, what):
    """Each at the same time."""
    with ThreadPoolExecutor(len(runs)) as pool:
        list(pool.map(what, runs))


def outcomes(runs):
    """Every cell, for every client on every surface."""
    all_of(runs, live)
    demos = {id(run.demo): run.demo for run in runs}.values()
    marks = {id(run): len(run.seen) for run in runs}
    for demo in demos:
        demo.kill()
    for demo in demos:
        demo.start(f"127.0.0.1:{demo.port}")
    all_of(runs, lambda run: run.cells.update(killed=run.killed(marks[id(run)])))
    for run in runs:
        run.demo.revoke(run.client)
    all_of(runs, lambda run: run.cells.update(revoked=run.revoked()))


def verdicts(runs):
    """A line a client for tests/run, and the table."""
    wide = max(len(run.client) for run in runs)
    table, failed = [" " * wide + "  " + " ".join(f"{cell:<19}" for cell in CELLS)], 0
    for client in dict.fromkeys(run.client for run in runs):
        wrong, row = [], []
        for cell in CELLS:
            should, why = FAULTS.get((client, cell), ("told, stops" if cell == "revoked" else "ok", ""))
            of_surface = {run.surface: run.cells.get(cell, "not tried") for run in runs if run.client == client}
            wrong += [f"{cell} on {surface}: {said!r}, not {should!r} {why}" for surface, said in of_surface.items() if said != should]
            row.append("; ".join(dict.fromkeys(of_surface.values())) + ("*" if why else ""))
        failed += bool(wrong)
        table.append(f"{client:<{wide}}  " + " ".join(f"{said:<19}" for said in row))
        line = {"name": f"clients: {client}", "passed": not wrong, "seconds": 0.0, "figures": dict(zip(CELLS, row)), "error": "\n".join(wrong)}
        print(json.dumps(line), flush=True)
    table += [f"* {client}, {cell}: {why}" for (client, cell), (_, why) in FAULTS.items()]
    print("\n".join(table), flush=True)
    return failed


def main():
    """The whole matrix: a daemon for each surface, with all clients."""
    # Whoever ends this ends all that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    telltale, chromium, rust = sys.argv[1:4]
    clients = NODE + PYTHON + (RUST if rust != "-" else [])
    begun = time.monotonic()
    paired = Paired(telltale, clients)
    runs, demos, processes = [], [], []
    try:
        for surface in SURFACES:
            demos.append(Demo(telltale, paired))
            runs += [Run(client, surface, demos[-1]) for client in clients]
        processes = programs(runs, chromium, rust)
        outcomes(runs)
        failed = verdicts(runs)
        figures = {"clients": len(clients), "surfaces": len(SURFACES)}
        whole = {"name": "clients: the matrix", "passed": not failed, "seconds": time.monotonic() - begun, "figures": figures}
        print(json.dumps(whole), flush=True)
        return 1 if failed else 0
    finally:
        for process in processes:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
        for demo in demos:
            demo.kill()


if __name__ == "__main__":
    sys.exit(main())
