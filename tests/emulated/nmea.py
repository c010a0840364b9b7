"""A GNSS receiver: writes sentences into a unit's port as fast as a line of 9,600 baud carries them, 960 bytes a second."""

import threading
import time

BYTES_PER_SECOND = 960


def checksum(body):
    """The sentence `$BODY*hh` of its body."""
    total = 0
    for byte in body.encode():
        total ^= byte
    return f"${body}*{total:02X}\r\n"


def fix(seconds, latitude=37.544601, longitude=127.055703, knots=0.0, day="200226"):
    """RMC and GGA of a fix so many seconds after midnight (UTC) of `day` (ddmmyy)."""
    def angle(value, width):
        degrees = int(abs(value))
        return f"{degrees:0{width}d}{(abs(value) - degrees) * 60:08.5f}"
    clock = time.strftime("%H%M%S.00", time.gmtime(seconds))
    place = f"{angle(latitude, 2)},{'N' if latitude >= 0 else 'S'},{angle(longitude, 3)},{'E' if longitude >= 0 else 'W'}"
    return checksum(f"GNRMC,{clock},A,{place},{knots:.2f},0.0,{day},,,A,V") + checksum(f"GNGGA,{clock},{place},1,11,0.80,38.4,M,18.5,M,,")


def seconds_of(sentence):
    """The second of the day that a sentence tells, or None."""
    parts = sentence.split(",")
    if len(parts) < 2 or not parts[0].startswith("$") or not parts[1][:6].isdigit() or len(parts[1]) < 6:
        return None
    return int(parts[1][:2]) * 3600 + int(parts[1][2:4]) * 60 + float(parts[1][4:])


class Receiver:
    """Writes cycles of sentences in the background: `cycles` are pairs of (seconds from the start, text)."""

    def __init__(self, port, cycles):
        self.port, self.written, self.sentences = port, 0, 0
        self._cycles, self._stop = cycles, threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Falls silent."""
        self._stop.set()
        self._thread.join(10)

    def _write(self):
        begun = time.monotonic()
        for due, text in self._cycles:
            if self._stop.wait(max(0.0, begun + due - time.monotonic())):
                return
            data = text.encode() if isinstance(text, str) else text
            # A tenth of a second's worth at a time.
            for start in range(0, len(data), BYTES_PER_SECOND // 10):
                piece = data[start:start + BYTES_PER_SECOND // 10]
                try:
                    self.port.sendall(piece)
                except OSError:
                    return
                self.written += len(piece)
                if self._stop.wait(len(piece) / BYTES_PER_SECOND):
                    return
            self.sentences += data.count(b"\n")


def ticking(start=0, **place):
    """A receiver that stands, one cycle a second, for ever."""
    second = 0
    while True:
        yield second, fix(start + second, **place)
        second += 1
