"""A collector of the tests' own: HTTPS, takes what `POST /events` brings, and goes wrong in every way that one can.

What it does with a request is drawn by lot, the same lots every time:

| what | so often | what it has then |
|---|---|---|
| takes it | else | all of it |
| hangs up before it has read the body, or in the middle of it | 1 in 20 | nothing |
| takes it, and hangs up without an answer | 1 in 20 | all of it: what comes again has the same `Idempotency-Key` |
| 503 with `Retry-After: 1` | 1 in 60 | nothing |
| 500 | 1 in 40 | nothing |
| a captive portal: 302, or 200 with a page | 1 in 40 each | nothing |

While `single` is set it takes one event a request, as the receiver of the guide does, and refuses a batch with 415.
"""

import hashlib
import http.server
import json
import random
import ssl
import threading
from collections import Counter

TOKEN = "a-token-of-the-tests"


class Collector:
    """Listens at `address` with this certificate. `events`: what it has, in the order in which it came."""

    def __init__(self, address, certificate, key, member, port=0):
        self.member, self.path, self.single = member, "/events", False
        self.tokens = {TOKEN}
        self.events, self.keys, self.outcomes, self.faults = [], {}, Counter(), []
        self.requests = self.received = 0
        self.lock, self._lots = threading.Lock(), random.Random(1)
        # Whether nothing goes wrong.
        self.calm = False
        collector = self

        class Handler(_Handler):
            """With its collector."""

            of = collector

        self._server = http.server.ThreadingHTTPServer((address, port), Handler)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        # The handshake belongs to the connection's own thread.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def lot(self):
        """What becomes of the next request."""
        if self.calm:
            return "take"
        lot = self._lots.random() * 120
        for width, what in ((3, "hang up at once"), (3, "hang up in the body"), (6, "take and hang up"), (2, "busy"), (3, "broken"),
                            (3, "redirect"), (3, "page")):
            lot -= width
            if lot < 0:
                return what
        return "take"

    def take(self, body, headers):
        """Has all of it now; a twin by its key is not counted again."""
        key = headers.get("Idempotency-Key", "")
        if key != hashlib.sha256(body).hexdigest()[:32]:
            self.faults.append(f"the key {key!r} is not that of its body")
        if key in self.keys:
            self.outcomes["twin by key"] += 1
        self.keys[key] = len(body)
        lines = body.splitlines()
        batch = headers.get("Content-Type") == "application/x-ndjson"
        if not batch and (headers.get("Content-Type") != "application/json" or len(lines) != 1):
            self.faults.append(f"{len(lines)} lines as {headers.get('Content-Type')}")
        self.outcomes["batches" if batch else "singles"] += 1
        for line in lines:
            event = json.loads(line)["event"]
            if event["type"] != event["body"]["type"]:
                self.faults.append(f"{event['type']} around {event['body']['type']}")
            self.events.append(event["body"])

    def close(self):
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *_):
        """Nothing."""

    def do_POST(self):
        """One request."""
        of = self.of
        with of.lock:
            of.requests += 1
            lot = of.lot()
            of.outcomes[lot] += 1
        length = int(self.headers["Content-Length"])
        if lot == "hang up at once":
            return self._hang_up()
        if lot == "hang up in the body":
            self.rfile.read(length // 2)
            return self._hang_up()
        body = self.rfile.read(length)
        with of.lock:
            of.received += len(body)
            return self._answer(of, lot, body)

    def _answer(self, of, lot, body):
        if self.path != of.path or self.headers.get("Member-ID") != of.member:
            of.faults.append(f"{self.path} for {self.headers.get('Member-ID')}")
        if lot == "busy":
            return self._say(503, b"", {"Retry-After": "1"})
        if lot == "broken":
            return self._say(500, b"something is wrong")
        if lot == "redirect":
            return self._say(302, b"", {"Location": "http://portal.invalid/"})
        if lot == "page":
            return self._say(200, b"<html>Sign in to this network</html>", {"Content-Type": "text/html"})
        if self.headers.get("Authorization") not in {f"Bearer {token}" for token in of.tokens}:
            of.outcomes["wrong token"] += 1
            return self._say(401, b"")
        if of.single and self.headers.get("Content-Type") == "application/x-ndjson":
            of.outcomes["batch refused"] += 1
            return self._say(415, b"one event at a time")
        of.take(body, self.headers)
        if lot == "take and hang up":
            return self._hang_up()
        return self._say(201, b"")

    def _say(self, status, body, headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self):
        self.close_connection = True
        self.connection.close()
