#!/usr/bin/env python3
"""Frames decoded a second by cantools and by Telltale, one after the other, over the same DBC file and the same log.

usage: benches/cantools.py [DBC [LOG]]     (the simulated car's database and a log of 50,000 frames, if none is given)

Needs Python with cantools (`python3 -m venv /tmp/v && /tmp/v/bin/pip install cantools`, then run this with
/tmp/v/bin/python) and cargo. cantools is timed over frames that are in memory already, for decoding alone. Telltale is
timed so too, and as the whole command `telltale decode can`: start, reading the log, decoding, writing JSON.
"""

import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cantools

ROOT = Path(__file__).resolve().parent.parent
FRAMES = 50_000
ROUNDS = 3


def write_log(database, path):
    """Frames of all messages in turn, with bytes that are the same every time."""
    chance = random.Random(1)
    with open(path, "w", encoding="ascii") as log:
        for number in range(FRAMES):
            message = database.messages[number % len(database.messages)]
            name = f"{message.frame_id:0{8 if message.is_extended_frame else 3}X}"
            log.write(f"({1771545600 + number * 1e-4:.6f}) can0 {name}#{chance.randbytes(message.length).hex().upper()}\n")


def read_log(database, path):
    """Message and payload of each frame that the database knows."""
    known = {(message.frame_id, bool(message.is_extended_frame)): message for message in database.messages}
    frames = []
    for line in Path(path).read_text(encoding="ascii").splitlines():
        name, _, data = line.split()[2].partition("#")
        message = known.get((int(name, 16), len(name) == 8))
        if message and re.fullmatch("([0-9A-F]{2})*", data) and len(data) // 2 >= message.length:
            frames.append((message, bytes.fromhex(data)))
    return frames


def by_cantools(frames):
    """Frames a second: the best of some rounds."""
    best = 0.0
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for message, data in frames:
            message.decode(data, decode_choices=False)
        best = max(best, len(frames) / (time.perf_counter() - begun))
    return best


def by_the_command(dbc, log, frames):
    """Frames a second of the whole command: the best of some rounds."""
    program = subprocess.run(["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    folder = re.search(rb'"target_directory":"([^"]+)"', program.stdout).group(1).decode()
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    best = 0.0
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        command = [f"{folder}/release/telltale", "decode", "can", "--dbc", dbc, log]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        best = max(best, frames / (time.perf_counter() - begun))
    return best


def main():
    """Prints a line for each."""
    dbc = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else str(ROOT / "src/sim/car.dbc")
    database = cantools.database.load_file(dbc, strict=False)
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else f"{folder}/log"
        if len(sys.argv) < 3:
            write_log(database, log)
        frames = read_log(database, log)
        print(f"{len(frames)} frames, {len(database.messages)} messages: {dbc}")
        print(f"cantools {cantools.__version__}, decoding alone: {by_cantools(frames) / 1e6:.2f} million frames/s", flush=True)
        print(f"telltale decode can, whole: {by_the_command(dbc, log, len(frames)) / 1e6:.2f} million frames/s", flush=True)
        environment = {**os.environ, "BENCH_DBC": dbc, "BENCH_LOG": log}
        command = ["cargo", "bench", "--quiet", "--bench", "can", "--", "the_log_of_cantools"]
        print("telltale, decoding alone:", flush=True)
        subprocess.run(command, cwd=ROOT, env=environment, check=True)


if __name__ == "__main__":
    main()
