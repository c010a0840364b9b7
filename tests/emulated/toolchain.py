"""Debian's Rust 1.85 with its ARM standard libraries, the cross compilers, and builds with them.

1.85 is the floor that `Cargo.toml` promises, so these builds prove it; they have a target folder of their own, as another
compiler's artefacts would be of no use to them.
"""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET_FOLDER = ROOT / "target" / "cross"

# Always with the version: the security suite has a later rustc, for which Debian has no ARM library.
RUST = "1.85.0+dfsg3-1~deb12u3"
RUSTC = "/usr/bin/rustc"


class Arch:
    """A processor family by the names that everybody has for it."""

    def __init__(self, name, debian, triplet, compiler, package, kernel, qemu, machine, cpu, controllers):
        self.name, self.debian, self.triplet, self.compiler, self.package = name, debian, triplet, compiler, package
        self.kernel, self.qemu, self.machine, self.cpu, self.controllers = kernel, qemu, machine, cpu, controllers

    def __str__(self):
        return self.name


AARCH64 = Arch("aarch64", "arm64", "aarch64-unknown-linux-gnu", "aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu",
               "linux-image-arm64", "qemu-system-aarch64", "virt", "cortex-a53", ["-device", "kvaser_pci,canbus=wire"] * 2)
# A 32-bit kernel without large addresses finds PCI only below 4 GiB, and Debian's lets no PCI driver at I/O ports, as
# kvaser_pci has: `image` reaches the SJA1000 of these cards another way. Two cards with two each, of which one is on the
# wire: both of a card have one interrupt, and QEMU takes back the one's with the other's.
ARMV7 = Arch("armv7", "armhf", "armv7-unknown-linux-gnueabihf", "arm-linux-gnueabihf-gcc", "gcc-arm-linux-gnueabihf",
             "linux-image-armmp", "qemu-system-arm", "virt,highmem=off", "cortex-a7",
             ["-object", "can-bus,id=nowhere"] + ["-device", "pcm3680_pci,canbus0=wire,canbus1=nowhere"] * 2)
ARCHES = [AARCH64, ARMV7]


class Missing(Exception):
    """Something that is needed is not here and cannot be had."""


def retried(what, command, cwd=None):
    """Runs a command of apt's, again after a while when a mirror is out of step."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for attempt in range(5):
        if attempt:
            time.sleep(15 * attempt)
            subprocess.run(["apt-get", "update", "-q"], env=environment, capture_output=True, check=False)
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout
    raise Missing(f"{what}: {' '.join(command[:4])} …: {done.stderr[-1500:]}")


def _foreign_architectures():
    done = subprocess.run(["dpkg", "--print-foreign-architectures"], capture_output=True, text=True, check=False)
    return done.stdout.split()


def prepare():
    """Installs what is missing; `Missing` says what cannot be had. Debian 12, as root, or everything there already."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise Missing("the emulated unit is made of Debian's packages: it needs apt-get and dpkg")
    absent = [arch.debian for arch in ARCHES if arch.debian not in _foreign_architectures()]
    packages = []
    for arch in ARCHES:
        packages += [] if shutil.which(arch.compiler) else [arch.package, f"libc6-dev-{arch.debian}-cross"]
    packages += [] if all(shutil.which(arch.qemu) for arch in ARCHES) else ["qemu-system-arm"]
    packages += [] if shutil.which("readelf") else ["binutils"]
    packages += [] if _rust_version() else [f"{name}={RUST}" for name in ("rustc-web", "libstd-rust-web-1.85", "libstd-rust-web-dev")]
    libraries = [arch for arch in ARCHES if not Path("/usr/lib/rustlib", arch.triplet).is_dir()]
    if not (absent or packages or libraries):
        return
    if os.geteuid() != 0:
        raise Missing(f"only root can install {' '.join(packages + absent + [arch.triplet for arch in libraries])}")
    for name in absent:
        subprocess.run(["dpkg", "--add-architecture", name], check=True)
    # One list of many may be out of step: what is missing then is asked for again below.
    subprocess.run(["apt-get", "update", "-q"], capture_output=True, check=False)
    if packages:
        # Another rustc may be there already; its own libraries must make way for those of this version.
        retried("the cross compilers", ["apt-get", "install", "-q", "-y", "--no-install-recommends", "--allow-downgrades", *packages])
    for arch in libraries:
        _add_library(arch)
    if not _rust_version():
        raise Missing(f"{RUSTC} is not 1.85")


def _rust_version():
    """What Debian's compiler calls itself, when it is the floor."""
    if not os.access(RUSTC, os.X_OK):
        return None
    done = subprocess.run([RUSTC, "-V"], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.stdout.startswith("rustc 1.85.") else None


def _add_library(arch):
    """The standard library of another architecture does not install beside the host's, so it is put there."""
    with tempfile.TemporaryDirectory() as folder:
        retried(f"Rust's library for {arch}", ["apt-get", "download", "-q", f"libstd-rust-web-dev:{arch.debian}={RUST}"], cwd=folder)
        deb = next(Path(folder).glob("*.deb"))
        subprocess.run(["dpkg", "-x", str(deb), folder], check=True)
        shutil.copytree(Path(folder, "usr/lib/rustlib"), "/usr/lib/rustlib", dirs_exist_ok=True)


def build(arches, profile="release", before=()):
    """Builds the program for `arches`, in one go, as their linking takes one core each; the path for each. Profile `dev`
    has debug assertions, and no symbols: it goes into a unit. `before` are words before the command."""
    environment = {**os.environ, "RUSTC": RUSTC, "CARGO_TARGET_DIR": str(TARGET_FOLDER), "CARGO_PROFILE_DEV_DEBUG": "0",
                   "CARGO_PROFILE_DEV_STRIP": "symbols"}
    for name in ("RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"):
        environment.pop(name, None)
    command = [*before, "cargo", "build", "--bin", "telltale", "--locked", "--profile", profile]
    for arch in arches:
        command += ["--target", arch.triplet]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stdout[-8000:]}")
    folder = "debug" if profile == "dev" else profile
    return {arch: TARGET_FOLDER / arch.triplet / folder / "telltale" for arch in arches}


def compiler():
    """The compiler's name and version, for the report."""
    return _rust_version()
