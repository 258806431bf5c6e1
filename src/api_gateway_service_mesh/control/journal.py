"""An append-only file of records that survives being killed at any instant.

A record is a frame: magic, length, digest, payload. It counts once it is whole on disk: `append` returns after fsync.
What a crash leaves behind the last whole record was never acknowledged, and is cut off when the journal is opened
again. A damaged record with whole ones behind it is no crash but rot: then nothing is opened, and the sentence says
where.
"""

from __future__ import annotations

import errno
import hashlib
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from api_gateway_service_mesh.errors import AgwError, Origin

from .store import StoreUnavailable

__all__ = [
    "Disk",
    "Journal",
    "JournalDamaged",
    "begin_record",
    "end_record",
    "sync_folder",
    "unwritten",
    "write_durably",
]

_MAGIC = b"\xa9AGW"
_HEAD = struct.Struct("!4sQ16s")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class JournalDamaged(AgwError):
    """A record that was acknowledged cannot be read any more."""

    origin = Origin.CONFIG
    problem = "journal-damaged"


class Disk:
    """What is asked of the disk, in one place: tests make the n-th call fail."""

    def write(self, fd: int, data: bytes) -> None:
        """All of `data`, at the end of the file."""
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def sync(self, fd: int) -> None:
        """On disk when this returns."""
        os.fsync(fd)

    def cut(self, fd: int, size: int) -> None:
        """The file has `size` bytes from now on."""
        os.ftruncate(fd, size)

    def replace(self, source: Path, target: Path) -> None:
        """`source` takes the place of `target` in one step."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """`path` is gone for good when this returns."""
        path.unlink(missing_ok=True)
        sync_folder(path.parent, self)


class Journal:
    """One file of records. Not for several processes at once: whoever owns the folder holds its lock."""

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        """Open or make the file, and cut off what a crash left.

        Raises:
            JournalDamaged: see the module.
            OSError: it cannot be opened.
        """
        self.path = path
        self.torn = 0
        """Bytes that were cut off on opening."""
        self._disk = disk or Disk()
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._broken: str | None = None
        self._offsets: list[int] = []
        self._size = self._recovered()

    def __len__(self) -> int:
        return len(self._offsets)

    @property
    def size(self) -> int:
        """Bytes of whole records."""
        return self._size

    def _recovered(self) -> int:
        data = self.path.read_bytes()
        at = 0
        while (end := _whole(data, at)) is not None:
            self._offsets.append(at)
            at = end
        if at < len(data):
            behind = data.find(_MAGIC, at + 1)
            while behind >= 0:
                if _whole(data, behind) is not None:
                    raise JournalDamaged(
                        f"{self.path} is damaged at byte {at}: whole records stand behind what cannot be read",
                        remedy="restore the folder from a copy; what stands before the damage can be read",
                    )
                behind = data.find(_MAGIC, behind + 1)
            self.torn = len(data) - at
            self._disk.cut(self._fd, at)
            self._disk.sync(self._fd)
        return at

    def append(self, payload: bytes) -> None:
        """Add a record; it is on disk when this returns.

        Raises:
            StoreUnavailable: it is not; the journal is as it was.
        """
        self.extend((payload,))

    def extend(self, payloads: Sequence[bytes]) -> None:
        """`append` for several, at the price of one; all of them or none."""
        if self._broken is not None:
            raise StoreUnavailable(self._broken, remedy="mend the disk, then start the gateway again")
        if not payloads:
            return
        if not self._is_there():
            raise StoreUnavailable(
                f"the change is not kept: {self.path} was removed, or another file stands in its place",
                remedy="put the folder back as it was, or start the gateway again with what is to be served",
            )
        frames = [_HEAD.pack(_MAGIC, len(payload), _digest(payload)) + payload for payload in payloads]
        try:
            self._disk.write(self._fd, b"".join(frames))
            self._disk.sync(self._fd)
        except OSError as error:
            self._cut_back(self._size)
            raise unwritten(f"the change is not kept: {self.path.name}", error) from None
        for frame in frames:
            self._offsets.append(self._size)
            self._size += len(frame)

    def _is_there(self) -> bool:
        """Whether what is written will be found under the name: an open file outlives its removal."""
        try:
            named, mine = self.path.stat(), os.fstat(self._fd)
        except OSError:
            return False
        return (named.st_dev, named.st_ino) == (mine.st_dev, mine.st_ino)

    def retract(self) -> None:
        """Take the last record away.

        Raises:
            StoreUnavailable: it stays, and nothing is taken from now on.
        """
        last = self._offsets.pop()
        self._cut_back(last)
        self._size = last
        if self._broken is not None:
            raise StoreUnavailable(self._broken)

    def _cut_back(self, size: int) -> None:
        try:
            self._disk.cut(self._fd, size)
            self._disk.sync(self._fd)
        except OSError as error:
            self._broken = f"{self.path.name} cannot be brought back to its last whole record: {error.strerror}"

    def payloads(self) -> Iterator[bytes]:
        """Every record, oldest first."""
        return (self.payload(index) for index in range(len(self._offsets)))

    def payload(self, index: int) -> bytes:
        """One record."""
        at = self._offsets[index]
        _, length, _ = _HEAD.unpack(os.pread(self._fd, _HEAD.size, at))
        return os.pread(self._fd, length, at + _HEAD.size)

    def first_line(self, index: int) -> bytes:
        """The first line of a record, without reading all of it."""
        at = self._offsets[index] + _HEAD.size
        size = 4096
        while True:
            part = os.pread(self._fd, size, at)
            if b"\n" in part or len(part) < size:
                return part.partition(b"\n")[0]
            size *= 4

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def unwritten(message: str, error: OSError) -> StoreUnavailable:
    """What could not be written, told; 507 where the disk is full."""
    full = error.errno in _FULL
    raised = StoreUnavailable(
        f"{message}: {error.strerror}", remedy="make room on the disk" if full else "mend the disk, or its permissions"
    )
    raised.status = 507 if full else 503
    return raised


def _whole(data: bytes, at: int) -> int | None:
    """The end of the record that starts at `at`; None when there is no whole one."""
    if at + _HEAD.size > len(data):
        return None
    magic, length, digest = _HEAD.unpack_from(data, at)
    start = at + _HEAD.size
    if magic != _MAGIC or start + length > len(data):
        return None
    return start + length if _digest(memoryview(data)[start : start + length]) == digest else None


def begin_record(fd: int, payload: bytes, disk: Disk) -> hashlib.blake2b:
    """Begin a record in an empty file, with the first part of its payload: the digest so far. It counts once
    `end_record` has told its length."""
    disk.write(fd, bytes(_HEAD.size) + payload)
    return hashlib.blake2b(payload, digest_size=16)


def end_record(fd: int, length: int, digest: hashlib.blake2b, disk: Disk) -> None:
    """The payload is there, `length` bytes of it; on disk when this returns."""
    os.lseek(fd, 0, os.SEEK_SET)
    disk.write(fd, _HEAD.pack(_MAGIC, length, digest.digest()))
    disk.sync(fd)


def _digest(payload: bytes | memoryview) -> bytes:
    return hashlib.blake2b(payload, digest_size=16).digest()


def write_durably(path: Path, data: bytes, disk: Disk | None = None, mode: int = 0o600) -> None:
    """Replace the content of `path` in one step that survives a crash: a file beside it, fsync, rename, fsync of the
    folder.

    Raises:
        OSError: it was not written; `path` is as it was.
    """
    disk = disk or Disk()
    beside = path.with_name(f".{path.name}.agw-new")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        try:
            disk.write(fd, data)
            disk.sync(fd)
        finally:
            os.close(fd)
        disk.replace(beside, path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent, disk)


def sync_folder(folder: Path, disk: Disk) -> None:
    """What was made, renamed or removed in `folder` is so on disk when this returns.

    Raises:
        OSError: it may not be.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        disk.sync(fd)
    finally:
        os.close(fd)
