"""The clients from PyPI, each as its own documentation uses it.

usage: python clients.py '[{"run": …, "client": …, "url": …, "token": …, "names": […]}, …]'

One JSON line for everything that a client tells: {"run", "protocol"} (httpx), {"run", "id"} for an event, {"run", "revoked"}, {"run", "ended"}.
"""

import json
import sys
import threading
import time

import httpx
import requests
import sseclient
from httpx_sse import SSEError, connect_sse
from requests_sse import EventSource, InvalidContentTypeError, InvalidStatusCodeError


def say(**line):
    """One line, whole also when threads talk at the same time."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def tell(job, kind, data):
    """What an app would do with an event; Fieldpine's stands in an array under its keyword."""
    if kind in job["names"]:
        told = json.loads(data)
        say(run=job["run"], id=told["eventId"] if "eventId" in told else next(iter(told.values()))[0]["eventId"])
    elif kind == "revoked":
        say(run=job["run"], revoked=True)


def with_httpx_sse(job, url, token):
    """Its README's loop; what it leaves to `stamina` (which errors to retry) is said here in plain words."""
    last_event_id, reconnection_delay = "", 0.0
    # No authority signs for a unit in a car.
    with httpx.Client(timeout=30, http2=True, verify=False) as client:
        while True:
            time.sleep(reconnection_delay)
            headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {token}"}
            if last_event_id:
                headers["Last-Event-ID"] = last_event_id
            try:
                with connect_sse(client, "GET", url, headers=headers) as event_source:
                    say(run=job["run"], protocol=event_source.response.http_version)
                    for sse in event_source.iter_sse():
                        last_event_id = sse.id
                        if sse.retry is not None:
                            reconnection_delay = sse.retry / 1000
                        tell(job, sse.event, sse.data)
            except SSEError:
                return
            except httpx.TransportError:
                reconnection_delay = reconnection_delay or 1.0


def with_requests_sse(job, url, token):
    """It comes back by itself."""
    headers = {"Authorization": f"Bearer {token}"}
    with EventSource(url, timeout=30, headers=headers) as event_source:
        try:
            for event in event_source:
                tell(job, event.type, event.data)
        except (InvalidStatusCodeError, InvalidContentTypeError, requests.RequestException):
            pass


def with_sseclient(job, url, token):
    """It reads one answer, here of requests; coming back is the app's."""
    last_event_id, delay = None, 2.0
    while True:
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        try:
            response = requests.get(url, stream=True, headers=headers, timeout=30)
            if response.status_code in (204, 401):
                return
            for event in sseclient.SSEClient(response).events():
                last_event_id = event.id or last_event_id
                delay = int(event.retry) / 1000 if event.retry else delay
                tell(job, event.event, event.data)
        except requests.RequestException:
            pass
        time.sleep(delay)


CLIENTS = {"httpx-sse 0.4.3": with_httpx_sse, "requests-sse 0.5.3": with_requests_sse, "sseclient-py 1.9.0": with_sseclient}


def follow(job):
    """One client until it gives up."""
    CLIENTS[job["client"]](job, job["url"], job["token"])
    say(run=job["run"], ended=True)


for each in json.loads(sys.argv[1]):
    threading.Thread(target=follow, args=(each,)).start()
