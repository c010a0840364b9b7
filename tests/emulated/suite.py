"""The stories, in their order, run side by side where that changes nothing, and reported one by one."""

import contextlib
import shutil
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from . import buses, button, diagnosis, drive, load, package, power, receiver, systemd, toolchain
from .image import Image
from .qemu import Failure, LOGS

# Those that wait more than they compute go first and together, the longest first, so that none is left by itself in the end;
# those that measure run at the end, beside each other only.
TOGETHER = [systemd.installed, diagnosis.asked, diagnosis.overheard, power.power_cuts, power.power_cuts_under_systemd, drive.drive,
            power.power_cuts_are_seen, receiver.unplugged, buses.listen_only, buses.up_and_down, buses.conditions,
            buses.flexible_data, receiver.clock, button.button, package.package]
ALONE = [load.load, load.cpu]


def arches(function, text=""):
    """The architectures of which a story is told, and those of which it is where `text` names them."""
    named = [arch for arch in getattr(function, "named", []) if str(arch) in text]
    return getattr(function, "arches", toolchain.ARCHES) + named


class Story:
    """One test on one architecture: what it needs, and what it measured."""

    def __init__(self, arch, function, telltale):
        self.arch, self.function, self.telltale = arch, function, telltale
        self.name = f"emulated-{arch}-{function.__name__.replace('_', '-')}"
        self.title = f"emulated::{arch}::{function.__name__}"
        self.image = self.binary = None
        self.figures = {}


def meant(text, telltale):
    """The stories that `text` means. `telltale` is the program of this machine."""
    stories = [Story(arch, function, telltale) for function in TOGETHER + ALONE for arch in arches(function, text)]
    return [story for story in stories if text in story.title]


def begin(text, telltale):
    """Builds what `run` asks for, with what others leave of the processors: less is to be done then. `run` tells what is wrong."""
    wanted = {story.arch for story in meant(text, telltale)}

    def build():
        with contextlib.suppress(RuntimeError):
            toolchain.build([arch for arch in toolchain.ARCHES if arch in wanted], before=["nice", "-n", "19"])

    with contextlib.suppress(toolchain.Missing):
        if wanted:
            toolchain.prepare()
            threading.Thread(target=build, daemon=True).start()


def run(report, text, pass_over, telltale):
    """Builds, makes the images, runs the stories that `text` means."""
    stories = meant(text, telltale)
    if not stories:
        return
    try:
        toolchain.prepare()
        images = {arch: Image(arch) for arch in {story.arch for story in stories}}
    except toolchain.Missing as missing:
        for story in stories:
            pass_over(report, story.title, str(missing))
        return
    begun = time.monotonic()
    try:
        binaries = toolchain.build(list(images))
    except RuntimeError as error:
        report.add("emulated::build", False, time.monotonic() - begun, output=str(error))
        return
    seconds = (time.monotonic() - begun) / len(binaries)
    for arch, binary in binaries.items():
        figures = {"rustc": toolchain.compiler(), "binary_bytes": binary.stat().st_size}
        report.add(f"emulated::{arch}::build", True, seconds, figures)
    for story in stories:
        story.image, story.binary = images[story.arch], binaries[story.arch]
    lock = threading.Lock()

    def one(story):
        begun, trouble = time.monotonic(), ""
        try:
            story.function(story)
        except Failure as failure:
            trouble = f"{failure}\nlogs: {LOGS / story.name}"
        except toolchain.Missing as missing:
            with lock:
                pass_over(report, story.title, str(missing))
            return
        except Exception:
            trouble = f"{traceback.format_exc()}\nlogs: {LOGS / story.name}"
        with lock:
            report.add(story.title, not trouble, time.monotonic() - begun, story.figures, trouble)
        if not trouble:
            shutil.rmtree(LOGS / story.name, ignore_errors=True)

    for functions, side_by_side in ((TOGETHER, 4), (ALONE, len(toolchain.ARCHES))):
        with ThreadPoolExecutor(side_by_side) as pool:
            list(pool.map(one, [story for story in stories if story.function in functions]))
