"""The Debian package, built by `cargo deb` from what the cross compiler built."""

import os
import re
import subprocess
import tempfile
import threading
from pathlib import Path

from . import toolchain
from .image import CACHE
from .qemu import Failure

CARGO_DEB = "3.8.0"
# Stories side by side want the same.
_ONE_AT_A_TIME = threading.Lock()


def _cargo_deb():
    """The tool, built once into the cache."""
    folder = CACHE / f"cargo-deb-{CARGO_DEB}"
    if not (folder / "bin" / "cargo-deb").is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as work:
            command = ["cargo", "install", "cargo-deb", "--version", CARGO_DEB, "--locked", "--root", work]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode != 0:
                raise toolchain.Missing(f"cargo-deb cannot be had: {done.stdout[-3000:]}")
            try:
                os.rename(work, folder)
                Path(work).mkdir()
            except OSError:
                # Another run was first.
                if not folder.is_dir():
                    raise
    return folder / "bin" / "cargo-deb"


def build(arch, folder, revision="1", profile="release"):
    """Builds the package of the program that `toolchain.build` left, into `folder`; its path."""
    path = Path(folder, f"telltale_{revision}_{arch.debian}.deb")
    environment = {**os.environ, "CARGO_TARGET_DIR": str(toolchain.TARGET_FOLDER), "RUSTC": toolchain.RUSTC}
    with _ONE_AT_A_TIME:
        return _build(arch, path, revision, profile, environment)


def _build(arch, path, revision, profile, environment):
    command = [_cargo_deb(), "deb", "--no-build", "--no-strip", "--target", arch.triplet, "--profile", profile,
               "--deb-revision", revision, "--output", path]
    done = subprocess.run(command, cwd=toolchain.ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0 or not path.is_file():
        raise Failure(f"cargo deb ends with {done.returncode}: {done.stdout[-3000:]}")
    return path


def said(deb, field):
    """A field of a package's control file."""
    return subprocess.run(["dpkg-deb", "-f", deb, field], capture_output=True, text=True, check=True).stdout.strip()


def package(story):
    """The package of each architecture: what is in it, what it asks for, how large it is."""
    with tempfile.TemporaryDirectory() as work:
        deb = build(story.arch, work)
        story.figures["package_bytes"] = deb.stat().st_size
        story.figures["installed_bytes"] = int(said(deb, "Installed-Size")) * 1024
        if said(deb, "Architecture") != story.arch.debian:
            raise Failure(f"the package is for {said(deb, 'Architecture')}")
        control = Path(work, "control")
        subprocess.run(["dpkg-deb", "-e", deb, control], check=True)
        if (control / "conffiles").read_text().split() != ["/etc/telltale/telltale.toml"]:
            raise Failure(f"conffiles: {(control / 'conffiles').read_text()}")
        # What the program asks of the C library is what the package says.
        symbols = subprocess.run(["readelf", "-V", story.binary], capture_output=True, text=True, check=True).stdout
        newest = max(tuple(map(int, found)) for found in re.findall(r"GLIBC_(\d+)\.(\d+)", symbols))
        promised = re.search(r"libc6 \(>= (\d+)\.(\d+)\)", said(deb, "Depends"))
        if newest > tuple(map(int, promised.groups())):
            raise Failure(f"the program needs glibc {newest}, and the package depends on {said(deb, 'Depends')}")
        # The command that lets a task hang is for tests, and not in what is shipped.
        if b"a test of the watchdog" in Path(story.binary).read_bytes():
            raise Failure("the release knows the debug builds' command `hang`")
