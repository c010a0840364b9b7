"""Three real nats-servers, clustered, that can be killed one at a time, behind one address.

What they promise, and what these tests therefore may ask of them: with three replicas a message is acknowledged once two of
three have it, so a SIGKILL of any one of them may come at any moment. NATS speaks MQTT 3.1.1 only, and needs JetStream and
a `server_name` for it. In front stands what stands in front of every cluster: one address, from which each connection
goes to a node that lives.
"""

import contextlib
import json
import shutil
import socket
import subprocess
import threading
import urllib.request

from .basics import Failure, Missing, Server, answers, free_port, until

NODES = 3
DISK = 64 * 1024 * 1024


class Node(Server):
    """One server with a disk of its own."""

    def __init__(self, folder, number, ports):
        super().__init__(folder, DISK)
        self.number = number
        self.mqtt, self.cluster, self.monitor, self.client = ports[number]
        routes = ", ".join(f'"nats://127.0.0.1:{port[1]}"' for port in ports)
        (folder / "nats.conf").write_text(f'''
            server_name: n{number}
            listen: "127.0.0.1:{self.client}"
            http: "127.0.0.1:{self.monitor}"
            jetstream {{ store_dir: "{self.disk}", max_file_store: {DISK * 3 // 4}, max_memory_store: 16777216 }}
            cluster {{ name: telltale, listen: "127.0.0.1:{self.cluster}", routes: [{routes}] }}
            mqtt {{ listen: "127.0.0.1:{self.mqtt}", stream_replicas: {NODES}, consumer_replicas: {NODES}, ack_wait: "5s" }}
        ''', encoding="ascii")

    def start(self):
        """Starts it where it was."""
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(["nats-server", "-c", self.folder / "nats.conf"], stdout=log, stderr=log)

    def _monitor(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor}/{path}", timeout=2) as answer:
                return json.load(answer)
        except OSError:
            return {}

    def alive(self):
        """Whether it takes connections; a failure where it has ended by itself."""
        if self.process.poll() is not None:
            raise Failure(f"nats-server {self.number} has ended: {self.log()}")
        return self._monitor("healthz?js-server-only=true").get("status") == "ok" and answers("127.0.0.1", self.mqtt)

    def replicas(self):
        """Of the streams that it leads: by name, how many of the others have everything."""
        accounts = self._monitor("jsz?accounts=true&streams=true").get("account_details", [])
        streams = {stream["name"]: stream.get("cluster", {}) for account in accounts for stream in account.get("stream_detail", [])}
        return {name: sum(replica["current"] for replica in cluster.get("replicas", [])) for name, cluster in streams.items()
                if cluster.get("leader") == f"n{self.number}"}


class Cluster:
    """The three, behind `address`:`port` for vehicles and 127.0.0.1:`local` for the tests."""

    name = "nats-server"

    def __init__(self, folder, address):
        if not shutil.which("nats-server"):
            raise Missing("nats-server is not installed")
        ports = [[free_port() for _ in range(4)] for _ in range(NODES)]
        self.nodes = []
        try:
            for number in range(NODES):
                self.nodes.append(Node(folder / f"nats{number}", number, ports))
            for node in self.nodes:
                node.start()
            self.settle()
            self._doors = [Door(each, self.nodes) for each in (address, "127.0.0.1")]
        except BaseException:
            self.close()
            raise
        self.port, self.local = (door.port for door in self._doors)

    def settle(self):
        """Waits until all live, and each message is on all three: only then may the next one die. (`/healthz` says more, but
        2.9 says for minutes after a restart that a consumer is not current.)"""
        until("the cluster is whole", self._whole)

    def _whole(self):
        if not all(node.alive() for node in self.nodes):
            return False
        led = {name: others for node in self.nodes for name, others in node.replicas().items()}
        return all(others == NODES - 1 for others in led.values())

    def close(self):
        """Takes all away."""
        for node in self.nodes:
            node.close()


class Door:
    """Listens, and joins each connection to a node that lives."""

    def __init__(self, address, nodes):
        self._nodes = nodes
        self._listener = socket.create_server((address, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            near, _ = self._listener.accept()
            far = self._node()
            if far is None:
                near.close()
                continue
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()

    def _node(self):
        # Another one first each time, so that no node has all.
        self._nodes = self._nodes[1:] + self._nodes[:1]
        for node in self._nodes:
            try:
                return socket.create_connection(("127.0.0.1", node.mqtt), timeout=1)
            except OSError:
                continue
        return None


def _pass_on(one, other):
    one.settimeout(None)
    try:
        while data := one.recv(65536):
            other.sendall(data)
    except OSError:
        pass
    for each in (one, other):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
