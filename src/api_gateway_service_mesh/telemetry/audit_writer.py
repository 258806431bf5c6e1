"""Writes an audit log: one thread, one file at a time, one chain through all of them.

Who records never waits: what does not fit into the queue is counted, and the count becomes a record of its own as soon
as there is room, so that a gap is part of the chain. A disk that refuses writes is tried again with each batch. Records
reach the file within `BATCH_SECONDS`, and the disk (fsync) with each change of the configuration and at an orderly end;
a process that is killed takes its last batch with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .audit import AuditChain, head_file, read_head

__all__ = ["BATCH_SECONDS", "AuditWriter"]

BATCH_SECONDS = 0.1
_MOST_QUEUED = 65_536
_TAIL_BYTES = 1 << 20


class AuditWriter:
    """The log in `file`. ``recorded`` and ``dropped`` count records; they only grow.

    Args:
        say: told once when the file cannot be written, and once when it can again.
    """

    def __init__(self, file: Path, maximum_bytes: int, say: Callable[[str], None] = lambda _: None) -> None:
        self.file = file
        self.maximum_bytes = maximum_bytes
        self.recorded = 0
        self.dropped = 0
        self._say = say
        self._chain = AuditChain()
        self._queue: list[Mapping[str, Any]] = []
        self._lost = 0
        self._room = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._sync = False
        self._size = 0
        self._failing = False
        self._open()
        self._thread = threading.Thread(target=self._run, name="agw-audit", daemon=True)
        self._thread.start()

    @property
    def head(self) -> str:
        """The hash of the last record."""
        return self._chain.head

    def put(self, records: Iterable[Mapping[str, Any]], *, lost: int = 0, sync: bool = False) -> None:
        """Queue `records`; `lost` more never came this far. `sync`: see that the disk has them."""
        with self._room:
            for record in records:
                if len(self._queue) < _MOST_QUEUED:
                    self._queue.append(record)
                else:
                    lost += 1
            self._lost += lost
            self.dropped += lost
            self._sync = self._sync or sync
        self._wake.set()

    def close(self, timeout: float = 5.0) -> None:
        """Write what is queued, for at most `timeout` seconds."""
        self._closed = True
        self._wake.set()
        self._thread.join(timeout)

    def _open(self) -> None:
        """Go on where the file ends. One that does not end as a chain does is put aside, never written to."""
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beginning: dict[str, Any] = {"kind": "begin"}
        stated = read_head(self.file)
        if self.file.exists() and self.file.stat().st_size:
            cut = _cut_torn(self.file)
            last = _last(self.file)
            if last is None:
                aside = _free(self.file, f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}")
                self.file.rename(aside)
                self._say(f"the audit log {self.file} is damaged; it is kept as {aside.name}, and a new one begins")
                beginning["damaged"] = aside.name
            else:
                self._chain = AuditChain(*last)
                self._size = self.file.stat().st_size
                if cut:
                    beginning["torn"] = cut
        elif stated is not None:
            beginning["missing"] = {"n": stated[0], "hash": stated[1]}
        if stated is not None and self._chain.number and stated != (self._chain.number, self._chain.head):
            beginning["expected"] = {"n": stated[0], "hash": stated[1]}
        self._queue.insert(0, _stamped(beginning))
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            if not self._closed:
                threading.Event().wait(BATCH_SECONDS)
            self._wake.clear()
            with self._room:
                batch, self._queue = self._queue, []
                lost, self._lost = self._lost, 0
                sync, self._sync = self._sync or self._closed, False
            if lost:
                batch.append(_stamped({"kind": "dropped", "count": lost}))
            if batch:
                self._write(batch, sync)
            if self._closed and not self._queue:
                return

    def _write(self, batch: list[Mapping[str, Any]], sync: bool) -> None:
        before = self._chain.number, self._chain.head
        try:
            if self._size >= self.maximum_bytes:
                self._rotate()
                before = self._chain.number, self._chain.head
            lines = b"".join(map(self._chain.seal, batch))
            self._size = _append(self.file, lines, sync)
            self.recorded += len(batch)
        except OSError as error:
            self._chain = AuditChain(*before)
            with self._room:
                self._lost += len(batch)
                self.dropped += len(batch)
            if not self._failing:
                self._failing = True
                self._say(f"the audit log {self.file} cannot be written: {error.strerror or error}; records are lost")
            return
        if self._failing:
            self._failing = False
            self._say(f"the audit log {self.file} is written again")
        # The records are written, whatever becomes of the head: it is told with the next ones, or at the end.
        with contextlib.suppress(OSError):
            self._tell_head(sync)

    def _tell_head(self, sync: bool) -> None:
        place = head_file(self.file)
        aside = place.with_name(f"{place.name}.new")
        text = json.dumps({"hash": self._chain.head, "n": self._chain.number}) + "\n"
        with aside.open("w", encoding="ascii") as stream:
            stream.write(text)
            if sync:
                stream.flush()
                os.fsync(stream.fileno())
        aside.replace(place)

    def _rotate(self) -> None:
        """Put the file aside under the number of its last record, and go on in a new one."""
        if not self.file.exists() or not self.file.stat().st_size:  # put aside already, by us or by somebody else
            self._size = 0
            return
        aside = _free(self.file, f"{self._chain.number - 1:010d}")
        self.file.rename(aside)
        line = self._chain.seal(_stamped({"kind": "continued", "from": aside.name}))
        self._size = _append(self.file, line, sync=False)
        self.recorded += 1


def _append(file: Path, lines: bytes, sync: bool) -> int:
    """Write `lines` to the end of `file`, all or nothing; how long it is then. Unbuffered: a buffer would write what a
    full disk has refused once more when it is closed, behind what was cut off again.

    Raises:
        OSError: nothing was written.
    """
    fd = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, 0o600)
        start = os.fstat(fd).st_size
        try:
            view = memoryview(lines)
            while view:
                view = view[os.write(fd, view) :]
            if sync:
                os.fsync(fd)
        except OSError:
            os.ftruncate(fd, start)
            raise
        return start + len(lines)
    finally:
        os.close(fd)


def _stamped(record: dict[str, Any]) -> dict[str, Any]:
    return {"at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"), **record}


def _free(file: Path, suffix: str) -> Path:
    """A name beside `file` that nobody has."""
    name = f"{file.name}.{suffix}"
    number = 0
    while (file.parent / name).exists():
        number += 1
        name = f"{file.name}.{suffix}-{number}"
    return file.parent / name


def _cut_torn(file: Path) -> int:
    """Cut off an unfinished last line; its length."""
    with file.open("r+b") as stream:
        size = stream.seek(0, os.SEEK_END)
        start = max(0, size - _TAIL_BYTES)
        stream.seek(start)
        tail = stream.read()
        whole = start + tail.rfind(b"\n") + 1
        if whole < size:
            stream.truncate(whole)
        return size - whole


def _last(file: Path) -> tuple[int, str] | None:
    """How many records the chain has with the last line of `file`, and that line's hash; None when it is none."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, IndexError):
        with file.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _TAIL_BYTES))
            lines = stream.read().splitlines(keepends=True)
        record = json.loads(lines[-1])
        number, told = int(record["n"]), str(record.pop("hash"))
        chain = AuditChain(number, str(record.pop("prev")))
        record.pop("n")
        if chain.seal(record) == lines[-1] and told == chain.head:
            return chain.number, chain.head
    return None
