"""The clients from PyPI, each as its own documentation uses it.

usage: python clients.py '[{"run": …, "client": …, "url": …, "token": …}, …]'

One JSON line for everything that a client tells: {"run", "id"} for an event, {"run", "revoked"}, {"run", "ended"}.
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


def tell(run, kind, data):
    """What an app would do with an event."""
    if kind == "message":
        say(run=run, id=json.loads(data)["eventId"])
    elif kind == "revoked":
        say(run=run, revoked=True)


def with_httpx_sse(run, url, token):
    """Its README's loop; what it leaves to `stamina` (which errors to retry) is said here in plain words."""
    last_event_id, reconnection_delay = "", 0.0
    with httpx.Client(timeout=30) as client:
        while True:
            time.sleep(reconnection_delay)
            headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {token}"}
            if last_event_id:
                headers["Last-Event-ID"] = last_event_id
            try:
                with connect_sse(client, "GET", url, headers=headers) as event_source:
                    for sse in event_source.iter_sse():
                        last_event_id = sse.id
                        if sse.retry is not None:
                            reconnection_delay = sse.retry / 1000
                        tell(run, sse.event, sse.data)
            except SSEError:
                return
            except httpx.TransportError:
                reconnection_delay = reconnection_delay or 1.0


def with_requests_sse(run, url, token):
    """It comes back by itself."""
    headers = {"Authorization": f"Bearer {token}"}
    with EventSource(url, timeout=30, headers=headers) as event_source:
        try:
            for event in event_source:
                tell(run, event.type, event.data)
        except (InvalidStatusCodeError, InvalidContentTypeError, requests.RequestException):
            pass


def with_sseclient(run, url, token):
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
                tell(run, event.event, event.data)
        except requests.RequestException:
            pass
        time.sleep(delay)


CLIENTS = {"httpx-sse 0.4.3": with_httpx_sse, "requests-sse 0.5.3": with_requests_sse, "sseclient-py 1.9.0": with_sseclient}


def follow(job):
    """One client until it gives up."""
    CLIENTS[job["client"]](job["run"], job["url"], job["token"])
    say(run=job["run"], ended=True)


for each in json.loads(sys.argv[1]):
    threading.Thread(target=follow, args=(each,)).start()
