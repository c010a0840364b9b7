"""TCP proxies: one that cuts a stream within an event and notes what is asked of the daemon afterwards, and one for TLS."""

import re
import socket
import struct
import threading
import time

# An unnamed event, whole, as the daemon writes it.
EVENT = re.compile(rb"\n(data: \{[^\n]*\}\n)(id: (\d+)\n)\n")


class Cutter:
    """Listens at `port` for one client. What it learns is read by others, and written under a lock."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.lock = threading.Condition()
        self.place, self.silence, self.event = None, 0.0, None
        self.came_back, self.resumed, self.no_contents = False, None, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, place, silence, seconds):
        """Cuts the next event: within its `data`, before its `id`, before the blank line at its `end`; after it, the wire is
        silent for some seconds, and then ends. Which it was."""
        with self.lock:
            self.place, self.silence, self.event, self.came_back, self.resumed = place, silence, None, False, None
            self.lock.wait_for(lambda: self.event is not None, seconds)
            return self.event

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            try:
                daemon = socket.create_connection(("127.0.0.1", self.daemon))
            except OSError:
                client.close()
                continue
            methods = []
            threading.Thread(target=self._up, args=(client, daemon, methods), daemon=True).start()
            threading.Thread(target=self._down, args=(daemon, client, methods), daemon=True).start()

    def _up(self, client, daemon, methods):
        """Requests: short enough to come in one piece."""
        for data in pieces(client):
            head = re.match(rb"(GET|OPTIONS) (\S+)", data)
            if head:
                methods.append(head[1])
            if head and head[1] == b"GET":
                header = re.search(rb"(?i)\r\nlast-event-id: *(\d+)", data)
                query = re.search(rb"[?&]lastEventId=(\d+)", head[2])
                with self.lock:
                    self.came_back = True
                    if self.place is None and (header or query):
                        self.resumed = int((header or query)[1])
            if not send(daemon, data):
                break
        hang_up(daemon)

    def _down(self, daemon, client, methods):
        """Answers, up to where one is to be cut."""
        for data in pieces(daemon):
            if data.startswith(b"HTTP/1.1 ") and methods and methods[-1] == b"GET":
                with self.lock:
                    self.no_contents += data.startswith(b"HTTP/1.1 204")
            end = self._where(data)
            if end is None and send(client, data):
                continue
            if end is not None:
                send(client, data[:end])
                time.sleep(self.silence)
                self._cut(client, EVENT.search(data))
            break
        hang_up(client)
        hang_up(daemon)

    def _where(self, data):
        with self.lock:
            found = EVENT.search(data) if self.place else None
            if not found:
                return None
            return {"data": (found.start(1) + found.end(1)) // 2, "id": found.start(2), "end": found.end(2)}[self.place]

    def _cut(self, client, found):
        with self.lock:
            if self.place == "data":
                # A reset; the other cuts are an end. Whoever reads from it lets go first.
                client.shutdown(socket.SHUT_RD)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
            self.place, self.event = None, int(found[3])
            self.came_back = False
            self.lock.notify_all()


class Wire:
    """Listens at `port` and knows nothing of what goes through it; `cut` ends all that is open."""

    def __init__(self, daemon):
        self.daemon, self.lock, self.open = daemon, threading.Lock(), []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Ends every connection at once."""
        with self.lock:
            ended, self.open = self.open, []
        for connection in ended:
            hang_up(connection)

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            daemon = socket.create_connection(("127.0.0.1", self.daemon))
            with self.lock:
                self.open += [client, daemon]
            for one, other in ((client, daemon), (daemon, client)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    @staticmethod
    def _pass_on(one, other):
        for data in pieces(one):
            if not send(other, data):
                break
        hang_up(one)
        hang_up(other)


def pieces(connection):
    """What comes until the other side goes."""
    while True:
        try:
            data = connection.recv(65536)
        except OSError:
            return
        if not data:
            return
        yield data


def send(connection, data):
    """Whether it could be sent."""
    try:
        connection.sendall(data)
    except OSError:
        return False
    return True


def hang_up(connection):
    """Ends both directions, so that whoever reads from it wakes."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    connection.close()
