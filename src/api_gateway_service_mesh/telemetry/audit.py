"""The audit log's chain: each record holds the hash of the one before, so nothing can be taken out or changed unseen.

A line is a JSON object with sorted members and without spaces, whose last member ``hash`` is the SHA-256 of all the
rest; that rest holds ``n`` (counting from 0, through all files) and ``prev``, the hash of record ``n - 1`` (64 zeros at
first). What was cut off at the end shows against the head, which stands in ``FILE.head`` and in the graph
(``agw:chainHead``): whoever can write both can forge all of it, so keep a head somewhere else now and then.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "AUDIT_SECONDS",
    "GENESIS",
    "AuditBuffer",
    "AuditChain",
    "AuditFault",
    "Verified",
    "head_file",
    "read_head",
    "verify",
]

GENESIS = "0" * 64
AUDIT_SECONDS = 0.1
"""How often what was noted is given to the writer."""
_MOST_LINE_BYTES = 1 << 20
_TAIL = ',"hash":"'


def _canonical(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=True, separators=(",", ":"), sort_keys=True, allow_nan=False)


class AuditChain:
    """Where a chain stands: ``number`` records, the last of which has the hash ``head``."""

    __slots__ = ("head", "number")

    def __init__(self, number: int = 0, head: str = GENESIS) -> None:
        self.number = number
        self.head = head

    def seal(self, record: Mapping[str, Any]) -> bytes:
        """The line of the next record, with its end."""
        body = _canonical({**record, "n": self.number, "prev": self.head})
        self.head = hashlib.sha256(body.encode("ascii")).hexdigest()
        self.number += 1
        return f'{body[:-1]}{_TAIL}{self.head}"}}\n'.encode("ascii")


class AuditBuffer:
    """Records on their way to the writer, of one event loop. Never waits: what does not fit is ``dropped``."""

    __slots__ = ("_most", "_records", "dropped")

    def __init__(self, most: int = 16_384) -> None:
        self._records: list[dict[str, Any]] = []
        self._most = most
        self.dropped = 0

    def note(self, record: dict[str, Any]) -> None:
        """One more."""
        if len(self._records) >= self._most:
            self.dropped += 1
        else:
            self._records.append(record)

    def take(self) -> tuple[list[dict[str, Any]], int]:
        """All that is there, and how many were dropped, since the last time."""
        taken = self._records, self.dropped
        self._records, self.dropped = [], 0
        return taken


@dataclass(frozen=True, slots=True)
class AuditFault:
    """Where a chain is broken, and how."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}" if self.line else f"{self.file}: {self.what}"


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of a verification. ``first`` and ``records`` say which records were read, ``dropped`` how many the
    gateway itself says it could not keep."""

    first: int
    records: int
    head: str
    dropped: int
    faults: tuple[AuditFault, ...]


def head_file(file: Path) -> Path:
    """Where the head of the chain in `file` stands."""
    return file.with_name(f"{file.name}.head")


def read_head(file: Path) -> tuple[int, str] | None:
    """How many records there are, and the hash of the last, by ``FILE.head``; None when it is missing or no head."""
    try:
        stated = json.loads(head_file(file).read_bytes())
        return int(stated["n"]), str(stated["hash"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def verify(files: Iterable[Path], head: str | None = None) -> Verified:
    """Check the chain through `files`, in whatever order they are named.

    Args:
        head: the hash that the last record must have; None: as the head file beside the last file says, where there
            is one.

    Raises:
        OSError: a file cannot be read.
    """
    faults: list[AuditFault] = []
    chain = _Reader(faults)
    ordered = sorted(files, key=_first_number)
    for file in ordered:
        chain.read(file)
    if ordered:
        _check_end(ordered[-1], chain, head, faults)
    return Verified(chain.first, chain.records, chain.head, chain.dropped, tuple(faults))


class _Reader:
    def __init__(self, faults: list[AuditFault]) -> None:
        self._faults = faults
        self._number: int | None = None
        self.first = 0
        self.records = 0
        self.head = GENESIS
        self.dropped = 0

    def read(self, file: Path) -> None:
        with file.open("rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(_MOST_LINE_BYTES), b""), 1):
                what = self._fault(line)
                if what is not None:
                    self._faults.append(AuditFault(str(file), number, what))

    def _fault(self, line: bytes) -> str | None:
        """What is wrong with the next line; the chain goes on behind it as that line says."""
        if not line.endswith(b"\n"):
            return "the line is cut off"
        body, separator, told = line.decode("utf-8", "replace").rstrip("\n").rpartition(_TAIL)
        try:
            record = json.loads(body + "}")
            number, before = int(record["n"]), str(record["prev"])
            sealed = _canonical(record)
        except (ValueError, KeyError, TypeError, RecursionError):
            return "this is no record"
        own = hashlib.sha256(sealed.encode("ascii")).hexdigest()
        expected, follows = self._number, self.head
        self._number, self.head = number + 1, own
        self.records += 1
        if record.get("kind") == "dropped":
            self.dropped += int(record.get("count") or 0)
        if not separator or told != own + '"}' or body + "}" != sealed:
            return f"record {number} was changed: it does not have the hash it says"
        if expected is None:
            self.first = number
            if number == 0 and before != GENESIS:
                return "record 0 does not begin a chain"
        elif number != expected:
            return (
                f"record {number} follows record {expected - 1}: what was between them is gone, or the order is changed"
            )
        elif before != follows:
            return f"record {number} does not belong behind record {expected - 1}: it holds the hash of another"
        return None


def _first_number(file: Path) -> tuple[int, str]:
    try:
        with file.open("rb") as stream:
            return int(json.loads(stream.readline(_MOST_LINE_BYTES))["n"]), str(file)
    except (ValueError, KeyError, TypeError):
        return -1, str(file)


def _check_end(last: Path, chain: _Reader, head: str | None, faults: list[AuditFault]) -> None:
    if head is not None:
        if chain.head != head:
            faults.append(AuditFault(str(last), 0, "the last record is not the one that the given head names"))
        return
    stated = read_head(last)
    if stated is None:
        if head_file(last).exists():
            faults.append(AuditFault(str(head_file(last)), 0, "this is no head"))
        return
    end = chain.first + chain.records
    if stated[0] > end:
        faults.append(
            AuditFault(str(last), 0, f"the end is cut off: {stated[0]} records were written, {end} are there")
        )
    elif stated[0] == end and stated[1] != chain.head:
        faults.append(AuditFault(str(last), 0, "the last record is not the one that the head names"))
    elif stated[0] < end:
        faults.append(
            AuditFault(
                str(last),
                0,
                f"{end - stated[0]} records stand behind the head: they were added, or agw was killed writing",
            )
        )
