"""The stories of the way to the fleet, in their order, run side by side where that changes nothing, and reported one by one."""

import shutil
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import figures, network, with_collector, with_mosquitto, with_nats
from .basics import Failure, Missing

# What measures runs at the end, by itself.
TOGETHER = [with_mosquitto.ten_thousand, with_nats.three_nodes, with_collector.a_thousand, with_mosquitto.a_dropped_event_is_seen]
ALONE = [figures.after_a_week]


class Story:
    """One test: what it needs, and what it measured."""

    def __init__(self, function, telltale, python, folder):
        self.function, self.telltale, self.python = function, telltale, python
        self.title = f"upstream::{function.__name__}"
        self.folder, self.figures = folder / function.__name__, {}
        self.folder.mkdir()


def names():
    """What a filter may name."""
    return [f"upstream::{function.__name__}" for function in TOGETHER + ALONE]


def run(report, text, pass_over, telltale, python):
    """Runs what `text` means; `python` is an interpreter with paho-mqtt. What a story that failed has left is kept."""
    lacking = network.lacking()
    if lacking:
        # In CI too: what can be installed is missed there, a kernel's leave cannot be.
        print(f"PASSED OVER      upstream: {lacking}", flush=True)
        return
    lock = threading.Lock()

    def one(story):
        begun, trouble = time.monotonic(), ""
        try:
            story.function(story)
        except Missing as missing:
            with lock:
                pass_over(report, story.title, str(missing))
            return
        except Failure as failure:
            trouble = f"{failure}\nleft in {story.folder}"
        except Exception:
            trouble = f"{traceback.format_exc()}\nleft in {story.folder}"
        with lock:
            report.add(story.title, not trouble, time.monotonic() - begun, story.figures, trouble)
        if not trouble:
            shutil.rmtree(story.folder, ignore_errors=True)

    # On a disk, not in memory: the daemon's journal is in it.
    folder = Path(tempfile.mkdtemp(prefix="telltale-upstream-"))
    for functions, side_by_side in ((TOGETHER, 3), (ALONE, 1)):
        stories = [Story(function, telltale, python, folder) for function in functions if text in f"upstream::{function.__name__}"]
        with ThreadPoolExecutor(side_by_side) as pool:
            list(pool.map(one, stories))
    if not any(folder.iterdir()):
        folder.rmdir()
