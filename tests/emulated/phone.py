"""A phone: follows a stream as an `EventSource` does, and writes down when it heard what."""

import http.client
import json
import threading
import time

from .qemu import GENEROUS, Failure, until


class Phone:
    """Follows `path` of a unit from its own thread, over every break of the connection, until `close`."""

    def __init__(self, address, token, path="/api/my-events", last=None):
        self.address, self.token, self.path = address, token, path
        # What was told: id (None for telemetry), name, data, host's time.
        self.told = []
        self.last, self.connections = last, 0
        self._closed, self._connection = False, None
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Hangs up."""
        self._closed = True
        self.cut()
        self._thread.join(10)

    def cut(self):
        """Loses the connection, and makes another one."""
        connection = self._connection
        if connection is not None and connection.sock is not None:
            try:
                connection.sock.shutdown(2)
            except OSError:
                pass

    def _follow(self):
        while not self._closed:
            try:
                self._stream()
            except (OSError, http.client.HTTPException, ValueError):
                pass
            if not self._closed:
                time.sleep(0.2)

    def _stream(self):
        # The daemon says something every 15 s, but for how busy this machine is.
        self._connection = http.client.HTTPConnection(self.address, timeout=GENEROUS)
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "text/event-stream"}
        if self.last is not None:
            headers["Last-Event-ID"] = str(self.last)
        self._connection.request("GET", self.path, headers=headers)
        answer = self._connection.getresponse()
        if answer.status != 200:
            raise OSError(f"{answer.status}")
        self.connections += 1
        name, data, identity = "message", [], None
        while True:
            line = answer.readline()
            if not line:
                return
            line = line.rstrip(b"\r\n").decode()
            if not line:
                if data:
                    self._tell(identity, name, "\n".join(data))
                name, data, identity = "message", [], None
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                data.append(value)
            elif field == "event":
                name = value
            elif field == "id":
                identity = value

    def _tell(self, identity, name, data):
        with self._news:
            if identity is not None:
                self.last = identity
            self.told.append((identity, name, data, time.time()))
            self._news.notify_all()

    def events(self, kind=None):
        """The events told so far (unnamed ones), as objects, perhaps of one kind."""
        with self._news:
            told = [json.loads(data) for _, name, data, _ in self.told if name == "message"]
        return [event for event in told if kind is None or event.get("eventType") == kind]

    def until(self, what, condition, patience=GENEROUS):
        """The first event, told already or still to come, for which `condition` holds."""
        deadline = time.monotonic() + patience
        with self._news:
            seen = 0
            while True:
                for _, name, data, _ in self.told[seen:]:
                    if name == "message" and condition(json.loads(data)):
                        return json.loads(data)
                seen = len(self.told)
                if not self._news.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    kinds = [json.loads(data).get("eventType") for _, name, data, _ in self.told if name == "message"]
                    raise Failure(f"a phone hears no {what} within {patience:.0f} s, only {kinds}")

    def until_connected(self):
        """Waits for the first connection."""
        until("a phone's stream is open", lambda: self.connections)
