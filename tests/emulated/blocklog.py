"""What was written to a disk, and the disks that a power cut could have left.

QEMU's `blklogwrites` writes down everything that a unit sends to its disk, in the format of the kernel's dm-log-writes
(Documentation/admin-guide/device-mapper/log-writes.rst): a sector with magic, version, entry count and sector size, then for
each entry a sector with first sector, length in sectors, flags and data length, and the data, filled up to a sector. All
numbers are 64 bits wide, little-endian; the sector size has 32. An entry is there before the unit hears that it is done.

What was flushed is on the disk. Of what was written since, a disk has whatever it got round to, in pieces of 512 bytes.
"""

import os
import random
import struct
from pathlib import Path

MAGIC, VERSION, SECTOR = 0x6A736677736872, 1, 512
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
_SUPER, _ENTRY = struct.Struct("<QQQI"), struct.Struct("<QQQQ")


class Entry:
    """One thing that a unit sent to its disk."""

    def __init__(self, number, sector, sectors, flags, start, end):
        # Where its data begins in the log, and where the entry ends there.
        self.number, self.sector, self.sectors, self.flags, self.start, self.end = number, sector, sectors, flags, start, end

    @property
    def writes(self):
        """Whether it changes what is on the disk."""
        return self.sectors > 0 and not self.flags & MARK

    @property
    def flushes(self):
        """Whether what was written before it is on the disk for sure."""
        return bool(self.flags & FLUSH)


class Log:
    """A log as it is now. What stands at its end and is not complete yet is no part of it."""

    def __init__(self, path):
        self._file = open(path, "rb")
        size = os.fstat(self._file.fileno()).st_size
        magic, version, _, sector = _SUPER.unpack(self._at(0, _SUPER.size))
        if (magic, version, sector) != (MAGIC, VERSION, SECTOR):
            raise ValueError(f"{path} is no log of version 1 with sectors of 512 bytes: {magic:#x}, {version}, {sector}")
        # The count in the first sector is only right after a flush.
        self.entries, at = [], SECTOR
        while at + SECTOR <= size:
            first, sectors, flags, _ = _ENTRY.unpack(self._at(at, _ENTRY.size))
            data = 0 if flags & (DISCARD | MARK) else sectors * SECTOR
            if not (sectors or flags) or at + SECTOR + data > size:
                break
            self.entries.append(Entry(len(self.entries), first, sectors, flags, at + SECTOR, at + SECTOR + data))
            at += SECTOR + data

    def close(self):
        """Closes the file."""
        self._file.close()

    def _at(self, offset, count):
        return os.pread(self._file.fileno(), count, offset)

    def data(self, entry):
        """What an entry writes; of a discard, zeros."""
        return bytes(entry.sectors * SECTOR) if entry.flags & DISCARD else self._at(entry.start, entry.sectors * SECTOR)

    def count_at(self, size):
        """How many entries were complete when the log had this size."""
        return sum(entry.end <= size for entry in self.entries)


# ext4's superblock, 1,024 bytes long. What tears it takes the file system with it, whatever a journal upon it promises: ext4
# takes for granted that a medium writes it whole, and so do these disks.
SUPERBLOCK = range(2, 4)


def cut(log, count, blank, to, chance):
    """Writes to `to` a disk that a cut after the first `count` entries could leave; the disk began as the file `blank`.

    `chance` is a `random.Random`. Returns how many entries were sure to be there, how many came after the last flush, and how
    many sectors of those were lost."""
    entries = log.entries[:count]
    flushed = max((entry.number + 1 for entry in entries if entry.flushes), default=0)
    late = [entry for entry in entries[flushed:] if entry.writes]
    sure = [entry for entry in entries[:flushed] if entry.writes]
    # What is written past the disk's own cache is there at once.
    sure += [entry for entry in late if entry.flags & FUA]
    manner = chance.choice(["nothing", "entries", "sectors", "in order"])
    last = chance.randrange(len(late) + 1)
    lost = 0
    with open(blank, "rb") as source, open(to, "wb") as disk:
        _copy_sparse(source, disk)
        for entry in sure:
            disk.seek(entry.sector * SECTOR)
            disk.write(log.data(entry))
        for number, entry in enumerate(late):
            if entry.flags & FUA:
                continue
            kept = {"nothing": False, "entries": chance.random() < 0.5, "sectors": True, "in order": number <= last}[manner]
            torn = manner == "sectors" or (manner == "in order" and number == last)
            data = log.data(entry)
            whole = chance.random() < 0.5
            for sector in range(entry.sectors):
                survives = whole if entry.sector + sector in SUPERBLOCK else chance.random() < 0.5
                if kept and (not torn or survives):
                    disk.seek((entry.sector + sector) * SECTOR)
                    disk.write(data[sector * SECTOR:(sector + 1) * SECTOR])
                else:
                    lost += 1
    return flushed, len(late), lost


def _copy_sparse(source, to):
    """Copies a file and leaves out what is empty."""
    size = os.fstat(source.fileno()).st_size
    to.truncate(size)
    at = 0
    while at < size:
        try:
            at = os.lseek(source.fileno(), at, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(source.fileno(), at, os.SEEK_HOLE)
        source.seek(at)
        to.seek(at)
        while at < end:
            piece = source.read(min(1 << 20, end - at))
            to.write(piece)
            at += len(piece)


def check():
    """The reader and the cuts against a log made by hand."""
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        path, blank, to = (Path(folder, name) for name in ("log", "blank", "disk"))
        blank.write_bytes(bytes(64 * SECTOR))

        def entry(sector, data, flags=0):
            return _ENTRY.pack(sector, len(data) // SECTOR, flags, 0).ljust(SECTOR, b"\0") + data

        def of(byte, sectors):
            return bytes([byte]) * (sectors * SECTOR)

        discard = _ENTRY.pack(4, 2, DISCARD, 0).ljust(SECTOR, b"\0")
        whole = [entry(0, of(1, 8)), discard, entry(0, b"", FLUSH), entry(2, of(2, 4)), entry(20, of(3, 2), FUA), entry(30, of(4, 1))]
        half = entry(40, of(5, 2))[:-SECTOR]
        # A count that lags behind, as it is between flushes.
        log = _SUPER.pack(MAGIC, VERSION, 3, SECTOR).ljust(SECTOR, b"\0") + b"".join(whole)
        for rest in (b"", half, bytes(4 * SECTOR)):
            path.write_bytes(log + rest)
            found = Log(path)
            assert [(one.sector, one.sectors, one.flags) for one in found.entries] == [
                (0, 8, 0), (4, 2, DISCARD), (0, 0, FLUSH), (2, 4, 0), (20, 2, FUA), (30, 1, 0)]
            assert found.count_at(len(log)) == 6 and found.count_at(len(log) - 1) == 5 and found.count_at(SECTOR) == 0
            found.close()
        found = Log(path)
        seen, losses = set(), set()
        for seed in range(200):
            flushed, late, lost = cut(found, 6, blank, to, random.Random(seed))
            assert (flushed, late) == (3, 3)
            disk = to.read_bytes()
            sectors = [set(disk[at * SECTOR:(at + 1) * SECTOR]) for at in range(64)]
            assert len(disk) == 64 * SECTOR and all(len(sector) == 1 for sector in sectors), "no sector is torn"
            state = [next(iter(sector)) for sector in sectors]
            assert state[:2] + state[6:8] == [1] * 4 and state[20:22] == [3] * 2, "flushed, or written past the cache"
            assert all(was in (kept, 2) for was, kept in zip(state[2:6], [1, 1, 0, 0])) and state[30] in (0, 4) and not any(state[31:])
            seen.add((*state[2:6], state[30]))
            losses.add(lost)
        # The first two are the superblock, and go together.
        assert len(seen) > 12 and losses >= {0, 1, 4, 5} and all(one == other for one, other, *_ in seen), (seen, losses)
        # Before the flush nothing is sure.
        assert any(cut(found, 1, blank, to, random.Random(seed))[0] == 0 and not any(to.read_bytes()) for seed in range(20))
        found.close()
        path.write_bytes(bytes(SECTOR))
        try:
            Log(path)
        except ValueError:
            return
        raise AssertionError("what has no magic is no log")


if __name__ == "__main__":
    check()
