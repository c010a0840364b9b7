"""A fleet's program: subscribes to everything, and writes down each message as it comes, before it acknowledges it.

usage: python subscriber.py ADDRESS PORT CLIENT FILE FILTER...

A persistent session with QoS 1, MQTT 3.1.1. One JSON line a message: {"topic", "payload", "retain", "dup", "at"}, and one
{"connected": session present?} whenever it is connected. Ends when its input does.
"""

import json
import os
import sys
import threading
import time

import paho.mqtt.client as mqtt


def main():
    """Comes back whenever it is cut, until it is told to end."""
    address, port, name, path, *filters = sys.argv[1:]
    file = open(path, "a", encoding="utf-8")

    def write(**line):
        file.write(json.dumps(line) + "\n")
        file.flush()

    def on_connect(client, _userdata, flags, reason, _properties):
        if not reason.is_failure:
            client.subscribe([(each, 1) for each in filters])
            write(connected=flags.session_present)

    def on_subscribe(_client, _userdata, _mid, reasons, _properties):
        write(subscribed=[str(each) for each in reasons])

    def on_message(_client, _userdata, message):
        text = message.payload.decode("utf-8", "replace")
        write(topic=message.topic, payload=text, retain=message.retain, dup=message.dup, at=time.time())

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, clean_session=False, protocol=mqtt.MQTTv311)
    client.on_connect, client.on_message, client.on_subscribe = on_connect, on_message, on_subscribe
    client.reconnect_delay_set(1, 1)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    client.connect_async(address, int(port), keepalive=10)
    client.loop_forever(retry_first_connection=True)


main()
