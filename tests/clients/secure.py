"""Clients over TLS and HTTP/2, each with a paired device's own token: in order, cut off, and with its device revoked.

usage: python secure.py TELLTALE CHROMIUM

One JSON line a client for tests/run. What is told are events that are published here, so that each is known.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from proxy import Wire

HERE = Path(__file__).resolve().parent
GENEROUS = 240.0
PROTOCOLS = {"Chromium EventSource": "h2", "node:http2": "h2", "httpx-sse 0.4.3": "HTTP/2"}
TYPE = "ICE_CREAM"


class Site:
    """A daemon as in a car that says nothing, with TLS."""

    def __init__(self, telltale):
        self.telltale, self.folder = telltale, Path(tempfile.mkdtemp(prefix="telltale-secure-"))
        file = self.folder / "telltale.toml"
        file.write_text("[vehicle]\nvin = 'TELLTALESAMPLE001'\n[[gnss]]\ndevice = '/dev/telltale-absent'\n[journal]\ndir = 'journal'\n"
                        "[http]\nlisten = '127.0.0.1:0'\ntls = '127.0.0.1:0'\n", encoding="utf-8")
        self.environment = {**os.environ, "RUNTIME_DIRECTORY": str(self.folder / "runtime")}
        command = [telltale, "run", "--config", str(file)]
        self.log = open(self.folder / "log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(command, env=self.environment, stdout=self.log, stderr=self.log)
        ready = until("the daemon is ready", lambda: re.search(r"ready addresses=\[127.0.0.1:(\d+), 127.0.0.1:(\d+)\]", self.said()))
        self.plain, self.secure = int(ready[1]), int(ready[2])

    def said(self):
        """Its log."""
        return (self.folder / "log").read_text(encoding="utf-8")

    def ask(self, method, path, token=None, body=None):
        """One answer of its API; `None` for one without a body."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.plain}{path}", data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=GENEROUS) as response:
            return json.loads(response.read() or "null")

    def pair(self, name, scopes):
        """A paired device: its token, its id, and the pin that came with the link."""
        before = {device["id"] for device in self.devices()}
        command = [self.telltale, "pair", "--member", "anna", "--scopes", scopes]
        link = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout
        code, pin = re.search(r"#pair=(\w+)&pin=(\w+)", link).groups()
        token = self.ask("POST", "/api/v1/pair", None, {"code": code, "device": name})["token"]
        return token, next(device["id"] for device in self.devices() if device["id"] not in before), pin

    def devices(self):
        """The paired devices."""
        said = subprocess.run([self.telltale, "devices"], env=self.environment, capture_output=True, text=True, check=True).stdout
        return [{"id": found} for found in re.findall(r"(?m)^([0-9a-f]{16})\b", said)]

    def stop(self):
        """Lets it end by itself, with all written that it remembers."""
        self.process.terminate()
        self.process.wait(GENEROUS)

    def end(self):
        """Ends it, and all that it left."""
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Run:
    """One client."""

    def __init__(self, client, site):
        self.client, self.wire = client, Wire(site.secure)
        self.token, self.device, self.pin = site.pair(client, "read")
        self.seen, self.protocol, self.told, self.ended, self.opened = [], None, False, False, 0
        self.wrong = []

    def job(self):
        """What its program is asked to do."""
        url = f"https://127.0.0.1:{self.wire.port}/events"
        return {"run": self.client, "client": self.client, "url": url, "token": self.token, "names": [TYPE], "pin": self.pin}

    def hear(self, line):
        """What its program tells."""
        if "id" in line:
            self.seen.append(line["id"])
        self.protocol = line.get("protocol", self.protocol)
        self.opened += "protocol" in line
        self.told |= line.get("revoked", False)
        self.ended |= line.get("ended", False)

    def expect(self, what, condition):
        """Notes what never comes true."""
        if not self.wrong:
            try:
                until(what, lambda: condition() or self.wrong)
            except TimeoutError:
                self.wrong.append(f"{what}; saw {self.seen}, {self.protocol}, told {self.told}, ended {self.ended}")


def until(what, condition):
    """Waits for it, a generous time."""
    deadline = time.monotonic() + GENEROUS
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError(what)


def publish(site, token, count):
    """So many events; their ids."""
    event = {"event": {"type": TYPE, "body": {}}}
    return [site.ask("POST", "/events", token, event)["id"] for _ in range(count)]


def programs(runs, chromium):
    """Starts what runs the clients; reads what they tell."""
    by_name = {run.client: run for run in runs}

    def read(process):
        for line in process.stdout:
            said = json.loads(line)
            by_name[said["run"]].hear(said)

    started = []
    for command in (["node", "secure.mjs", chromium], [sys.executable, "-B", "clients.py"]):
        jobs = json.dumps([run.job() for run in runs if run.client.startswith("httpx") == (command[0] != "node")])
        started.append(subprocess.Popen([*command, jobs], cwd=HERE, stdout=subprocess.PIPE, text=True))
        threading.Thread(target=read, args=(started[-1],), daemon=True).start()
    return started


def story(site, runs):
    """What happens to all of them at once."""
    def all_of(what, condition):
        with ThreadPoolExecutor(len(runs)) as pool:
            list(pool.map(lambda run: run.expect(what, lambda: condition(run)), runs))

    publisher, _, _ = site.pair("publisher", "read,publish,admin")
    all_of("it connects", lambda run: run.opened)
    ids = publish(site, publisher, 4)
    all_of("it sees what is told, in order", lambda run: run.seen == ids)
    for run in runs:
        run.wire.cut()
    ids += publish(site, publisher, 4)
    all_of("it comes back, misses nothing and sees nothing twice", lambda run: run.seen == ids)
    all_of("its protocol", lambda run: run.protocol == PROTOCOLS[run.client])
    for run in runs:
        site.ask("DELETE", f"/api/v1/devices/{run.device}", publisher)
    all_of("it is told that its device is revoked, and stops", lambda run: run.told and run.ended)


def main():
    """All of it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    telltale, chromium = sys.argv[1:3]
    site, processes, begun = Site(telltale), [], time.monotonic()
    try:
        runs = [Run(client, site) for client in PROTOCOLS]
        processes = programs(runs, chromium)
        story(site, runs)
        for run in runs:
            line = {"name": f"clients over TLS: {run.client}", "passed": not run.wrong, "seconds": time.monotonic() - begun,
                    "figures": {"protocol": run.protocol, "events": len(run.seen), "connections": run.opened}, "error": "\n".join(run.wrong)}
            print(json.dumps(line), flush=True)
        return any(run.wrong for run in runs)
    finally:
        for process in processes:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
        site.end()


if __name__ == "__main__":
    sys.exit(main())
