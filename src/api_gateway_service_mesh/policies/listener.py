"""Counters of a listener: connections and handshakes, in a column for each worker that only that worker writes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from .row import row

__all__ = ["LISTENER_CELLS", "HandshakeFault", "ListenerCounters", "ListenerTotals", "read_listener"]


class HandshakeFault(IntEnum):
    """Why a TLS handshake came to nothing. The name in metrics is the member's, in lower case."""

    NO_CERTIFICATE = 0
    UNKNOWN_AUTHORITY = 1
    EXPIRED = 2
    NOT_YET_VALID = 3
    REVOKED = 4
    BAD_CERTIFICATE = 5
    NO_COMMON_VERSION = 6
    TIMEOUT = 7
    BROKEN_OFF = 8
    MALFORMED = 9
    UNKNOWN_NAME = 10


_OPEN, _ACCEPTED, _FULL, _ADDRESS, _UNCOUNTED = range(5)
_FAULTS = 8
LISTENER_CELLS = 24


class ListenerCounters:
    """One worker's counters of one listener."""

    __slots__ = ("_column", "_view")

    def __init__(self, view: memoryview[float], base: int, worker: int = 0) -> None:
        self._view = view
        self._column = base + worker * LISTENER_CELLS

    def opened(self) -> None:
        """A connection was accepted and let in."""
        self._view[self._column] += 1.0
        self._view[self._column + _ACCEPTED] += 1.0

    def holds(self, change: int) -> None:
        """So many connections more are open, without having been accepted just now."""
        self._view[self._column] = max(0.0, self._view[self._column] + change)

    def full(self) -> None:
        """One was turned away: the listener holds as many as it may."""
        self._view[self._column + _FULL] += 1.0

    def crowded(self) -> None:
        """One was turned away: its address holds as many as it may."""
        self._view[self._column + _ADDRESS] += 1.0

    def uncounted(self) -> None:
        """One was let in without being counted for its address."""
        self._view[self._column + _UNCOUNTED] += 1.0

    def failed(self, fault: HandshakeFault) -> None:
        """A handshake came to nothing."""
        self._view[self._column + _FAULTS + fault] += 1.0

    def clear(self) -> None:
        """Nothing is open: the worker that held connections is gone."""
        self._view[self._column] = 0.0

    def __repr__(self) -> str:
        return f"<ListenerCounters {read_listener(self._view, self._column, 1)!r}>"


@dataclass(frozen=True, slots=True)
class ListenerTotals:
    """A listener's counters over all workers; ``open`` is of this moment, ``faults`` by `HandshakeFault`."""

    open: int
    accepted: int
    full: int
    crowded: int
    uncounted: int
    faults: tuple[int, ...]

    @property
    def failed(self) -> int:
        """All handshakes that came to nothing."""
        return sum(self.faults)


def read_listener(view: memoryview[float], base: int, workers: int) -> ListenerTotals:
    """Sum a listener's columns."""
    columns = [row(view[base + w * LISTENER_CELLS : base + (w + 1) * LISTENER_CELLS]) for w in range(workers)]
    cells = [int(sum(cells)) for cells in zip(*columns, strict=True)]
    faults = tuple(cells[_FAULTS : _FAULTS + len(HandshakeFault)])
    return ListenerTotals(cells[_OPEN], cells[_ACCEPTED], cells[_FULL], cells[_ADDRESS], cells[_UNCOUNTED], faults)
