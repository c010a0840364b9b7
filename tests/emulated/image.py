"""A kernel and a root file system in memory, of Debian's packages.

What is slow to get (packages) stays in `${XDG_CACHE_HOME:-~/.cache}/telltale/`, by name and version, and is put there by
renaming, so that a run that was cut leaves nothing half made.
"""

import gzip
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from .toolchain import Missing, retried

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "telltale"

# Busybox's applets do not know CAN, hence iproute2.
# `sh` is not busybox's either: that one takes its own applets before anything in the PATH. libgcc is for Rust.
PACKAGES = ["busybox-static", "dash", "iproute2", "can-utils", "libgcc-s1"]
TOOLS = ["bin/dash", "bin/ip", "usr/bin/candump", "usr/bin/cansend", "usr/bin/canplayer", "usr/bin/cangen"]
MODULES = ["vcan", "can-raw", "can-isotp", "kvaser_pci", "virtio_pci", "virtio_net", "virtio_console", "virtio_blk", "crc32c_generic",
           "ext4", "8250_pci", "usbserial", "ftdi_sio", "xhci-pci", "virtio_rng"]
ON_DEMAND = ["sja1000_isa", "gpio_keys"]
# Where a distribution keeps the libraries of another.
_LIBRARY_FOLDERS = ["lib/{}", "usr/lib/{}"]
_MULTIARCH = {"arm64": "aarch64-linux-gnu", "armhf": "arm-linux-gnueabihf"}


def kernel_package(arch):
    """The newest kernel's package: what Debian's empty package for the architecture depends on."""
    said = retried("the kernel's name", ["apt-cache", "depends", f"{arch.kernel}:{arch.debian}"])
    found = re.search(r"Depends: (linux-image-\S+)", said)
    return found.group(1).removesuffix(f":{arch.debian}")


def closure(arch, packages):
    """These packages, and the libraries that they depend on, as `name:arch`."""
    names = [f"{name}:{arch.debian}" for name in packages]
    command = ["apt-cache", "depends", "--recurse", "--important", "--no-breaks", "--no-conflicts", "--no-replaces", "--no-enhances", *names]
    found = set(names)
    for line in retried("the packages' dependencies", command).splitlines():
        if line.endswith(f":{arch.debian}") and re.match(r"(lib|zlib)", line):
            found.add(line)
    return sorted(found)


def versions(packages):
    """The version that apt would take of each `name:arch`."""
    said = retried("the packages' versions", ["apt-cache", "policy", *packages])
    found = dict(re.findall(r"^(\S+):\n(?:  .*\n)*?  Candidate: (\S+)", said, re.M))
    absent = [package for package in packages if package not in found]
    if absent:
        raise Missing(f"apt knows no {' '.join(absent)}")
    return {package: found[package] for package in packages}


def unpacked(package, version):
    """The folder into which this version of the package `name:arch` is unpacked, in the cache."""
    folder = CACHE / "packages" / f"{package}={version}".replace(":", "_")
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as work:
            retried(package, ["apt-get", "download", "-q", f"{package}={version}"], cwd=work)
            deb = next(Path(work).glob("*.deb"))
            subprocess.run(["dpkg", "-x", str(deb), f"{work}/tree"], check=True)
            try:
                os.rename(f"{work}/tree", folder)
            except OSError:
                # Another run was first.
                if not folder.is_dir():
                    raise
    return folder


class Archive:
    """A cpio archive (`newc`), as the kernel unpacks it into memory."""

    def __init__(self):
        self._bytes, self._folders, self._inode = bytearray(), {""}, 0

    def _entry(self, path, mode, data):
        self._inode += 1
        name = path.encode() + b"\0"
        fields = [self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
        self._bytes += b"070701" + "".join(f"{field:08X}" for field in fields).encode() + name
        self._bytes += bytes(-len(self._bytes) % 4) + data
        self._bytes += bytes(-len(self._bytes) % 4)

    def folder(self, path):
        """A folder and those above it."""
        if path not in self._folders:
            self.folder(os.path.dirname(path))
            self._folders.add(path)
            self._entry(path, stat.S_IFDIR | 0o755, b"")

    def file(self, path, data, mode=0o644):
        """A file of these bytes or this text."""
        path = path.lstrip("/")
        self.folder(os.path.dirname(path))
        self._entry(path, stat.S_IFREG | mode, data.encode() if isinstance(data, str) else bytes(data))

    def link(self, path, to):
        """A symbolic link."""
        path = path.lstrip("/")
        self.folder(os.path.dirname(path))
        self._entry(path, stat.S_IFLNK | 0o777, to.encode())

    def close(self):
        """The whole archive; archives may follow one another in an initramfs."""
        self._entry("TRAILER!!!", 0, b"")
        return bytes(self._bytes)


def _libraries(roots, folders, binaries):
    """The shared libraries that `binaries` need, wherever in `roots`: name and file."""
    found, todo = {}, list(binaries)
    while todo:
        said = subprocess.run(["readelf", "-d", str(todo.pop())], capture_output=True, text=True, check=True).stdout
        for name in re.findall(r"\(NEEDED\).*\[(\S+)\]", said):
            if name in found:
                continue
            places = [root / folder / name for root in roots for folder in folders]
            path = next((path for path in places if path.exists()), None)
            if path is None:
                raise FileNotFoundError(f"{name}, which a program of the unit needs")
            found[name] = path.resolve()
            todo.append(found[name])
    return found


def _module_order(tree, wanted):
    """The files of these modules, and of what they need, in the order in which they go in."""
    table = {}
    listed = next(tree.glob("lib/modules/*"))
    files = {path.name.removesuffix(".ko").replace("-", "_"): path for path in listed.rglob("*.ko")}

    def needs(path):
        if path not in table:
            said = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes())
            table[path] = [name.replace("-", "_") for name in said.group(1).decode().split(",") if name] if said else []
        return table[path]

    order = []

    def add(name):
        path = files.get(name.replace("-", "_"))
        # What is not a module here is in the kernel itself.
        if path is None or path in order:
            return
        for other in needs(path):
            add(other)
        order.append(path)

    for name in wanted:
        add(name)
    return order


_INIT = """#!/usr/bin/dash
/bin/busybox mkdir -p /proc /sys /dev /tmp /run /var/lib /usr/sbin /root
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp; mount -t tmpfs run /run
while read module; do insmod /lib/modules/$module; done < /lib/modules/order
# Debian's 32-bit ARM kernel lets no PCI driver at I/O ports. The controllers of a PCM-3680I are reached at where QEMU shows
# those ports in memory.
mem= irq=
for device in /sys/bus/pci/devices/*; do
  [ $(cat $device/vendor)$(cat $device/device) = 0x13fe0xc002 ] || continue
  # A driver that looks at it, in vain, has its interrupt numbered.
  [ $mem ] || echo 13fe c002 > /sys/bus/pci/drivers/kvaser_pci/new_id
  echo 1 > $device/enable
  read first rest < $device/resource
  mem=$mem$((0x3eff0000 + first)), irq=$irq$(cat $device/irq),
done
[ $mem ] && insmod /lib/modules/sja1000_isa.ko mem=${mem%,} irq=${irq%,}
export PATH=/usr/bin:/sbin:/bin:/usr/sbin HOME=/root
hostname unit
ip link set lo up
[ -e /sys/class/net/eth0 ] && { ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up; ip route add default via 10.0.2.2; }
[ -e /etc/start ] && sh /etc/start
until [ -e /dev/hvc0 ]; do usleep 10000; done
exec < /dev/hvc0 > /dev/hvc0 2>&1
stty raw -echo
echo '--unit is up--'
# Not on the terminal itself: a shell that takes itself for an interactive one has prompts and jobs to tell of. And not by
# `cat`, which waits until a pipe is full.
dd bs=4096 2> /dev/null | sh
poweroff -f
"""


class Image:
    """A kernel and the part of an initramfs that every unit of an architecture has."""

    def __init__(self, arch):
        self.arch = arch
        names = closure(arch, PACKAGES)
        kernel = f"{kernel_package(arch)}:{arch.debian}"
        chosen = versions([*names, kernel])
        tree = unpacked(kernel, chosen[kernel])
        self.kernel = next(tree.glob("boot/vmlinuz-*"))
        key = hashlib.sha256(repr((sorted(chosen.items()), Path(__file__).read_text())).encode()).hexdigest()[:12]
        self.base = CACHE / f"initramfs-{arch}-{chosen[kernel]}-{key}"
        if not self.base.is_file():
            self._make(tree, [unpacked(name, chosen[name]) for name in names])

    def _make(self, kernel, trees):
        folders = [folder.format(_MULTIARCH[self.arch.debian]) for folder in _LIBRARY_FOLDERS]
        tools = {tool: next(tree / tool for tree in trees if (tree / tool).exists()) for tool in TOOLS}
        archive = Archive()
        archive.file("init", _INIT, 0o755)
        archive.folder("root")
        busybox = next(tree / "bin/busybox" for tree in trees if (tree / "bin/busybox").exists())
        archive.file("bin/busybox", busybox.read_bytes(), 0o755)
        archive.link("bin/sh", "/usr/bin/dash")
        for tool, path in tools.items():
            # Busybox has an `ip` of its own in /bin.
            archive.file(f"usr/bin/{Path(tool).name}", path.read_bytes(), 0o755)
        libraries = _libraries(trees, folders, tools.values())
        for name in ("libm.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "librt.so.1"):
            # What the program under test may need besides.
            found = [tree / folder / name for tree in trees for folder in folders if (tree / folder / name).exists()]
            libraries.update({name: path.resolve() for path in found[:1]})
        for name, path in libraries.items():
            archive.file(f"lib/{_MULTIARCH[self.arch.debian]}/{name}", path.read_bytes(), 0o755)
        linker = "ld-linux-aarch64.so.1" if self.arch.debian == "arm64" else "ld-linux-armhf.so.3"
        found = next(tree / folder / linker for tree in trees for folder in [*folders, "lib"] if (tree / folder / linker).exists())
        archive.file(f"lib/{_MULTIARCH[self.arch.debian]}/{linker}", found.resolve().read_bytes(), 0o755)
        archive.link(f"lib/{linker}", f"{_MULTIARCH[self.arch.debian]}/{linker}")
        order = _module_order(kernel, MODULES)
        for path in order + [path for path in _module_order(kernel, ON_DEMAND) if path not in order]:
            archive.file(f"lib/modules/{path.name}", path.read_bytes())
        archive.file("lib/modules/order", "".join(f"{path.name}\n" for path in order))
        with tempfile.NamedTemporaryFile(dir=CACHE, delete=False) as file:
            file.write(gzip.compress(archive.close(), 6))
        os.rename(file.name, self.base)

    def initramfs(self, files, to):
        """Writes an initramfs with `files` besides (path: bytes, text, a file's `Path`, or any of these and a mode)."""
        archive = Archive()
        for path, content in files.items():
            content, mode = content if isinstance(content, tuple) else (content, 0o644)
            archive.file(path, content.read_bytes() if isinstance(content, Path) else content, mode)
        with open(to, "wb") as file, open(self.base, "rb") as base:
            shutil.copyfileobj(base, file)
            # Each part starts at a multiple of four.
            file.write(bytes(-file.tell() % 4))
            file.write(archive.close())
