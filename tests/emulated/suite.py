"""The stories, run side by side and reported one by one."""

import shutil
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from . import buses, drive, load, receiver, toolchain
from .image import Image
from .qemu import Failure, LOGS

# The longest first. What is measured does not depend on how busy this machine is, so they may run side by side.
STORIES = [drive.drive, load.load, load.cpu, buses.conditions, receiver.unplugged, buses.listen_only, buses.up_and_down,
           buses.flexible_data, receiver.clock]
SIDE_BY_SIDE = 4


class Story:
    """One test on one architecture: what it needs, and what it measured."""

    def __init__(self, arch, function, telltale):
        self.arch, self.function, self.telltale = arch, function, telltale
        self.name = f"emulated-{arch}-{function.__name__.replace('_', '-')}"
        self.title = f"emulated::{arch}::{function.__name__}"
        self.image = self.binary = None
        self.figures = {}


def run(report, text, pass_over, telltale):
    """Builds, makes the images, runs the stories that `text` means. `telltale` is the program of this machine."""
    stories = [Story(arch, function, telltale) for function in STORIES for arch in toolchain.ARCHES]
    stories = [story for story in stories if text in story.title]
    if not stories:
        return
    try:
        toolchain.prepare()
        images = {arch: Image(arch) for arch in {story.arch for story in stories}}
    except toolchain.Missing as missing:
        for story in stories:
            pass_over(report, story.title, str(missing))
        return
    binaries = {}
    for arch in images:
        begun = time.monotonic()
        try:
            binaries[arch] = toolchain.build(arch)
        except RuntimeError as error:
            report.add(f"emulated::{arch}::build", False, time.monotonic() - begun, output=str(error))
            continue
        figures = {"rustc": toolchain.compiler(), "binary_bytes": binaries[arch].stat().st_size}
        report.add(f"emulated::{arch}::build", True, time.monotonic() - begun, figures)
    stories = [story for story in stories if story.arch in binaries]
    for story in stories:
        story.image, story.binary = images[story.arch], binaries[story.arch]
    lock = threading.Lock()

    def one(story):
        begun, trouble = time.monotonic(), ""
        try:
            story.function(story)
        except Failure as failure:
            trouble = f"{failure}\nlogs: {LOGS / story.name}"
        except Exception:
            trouble = f"{traceback.format_exc()}\nlogs: {LOGS / story.name}"
        with lock:
            report.add(story.title, not trouble, time.monotonic() - begun, story.figures, trouble)
        if not trouble:
            shutil.rmtree(LOGS / story.name, ignore_errors=True)

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        list(pool.map(one, stories))
