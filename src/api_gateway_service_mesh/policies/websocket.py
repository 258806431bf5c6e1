"""How many WebSockets are open, and how they ended.

All workers count in columns of their own; a bound is held over their sum, under the lock.
"""

from __future__ import annotations

from collections.abc import Iterator

from .lock import NO_LOCK, Lock

__all__ = ["CLOSE_TAIL", "WEBSOCKET_CELLS", "WebSocketPlaces", "clear_open", "close_code"]

_OPEN, _OPENED, _REFUSED, _IDLE, _AGED = range(5)
_CODES = 8
_OTHER = _CODES + 18
WEBSOCKET_CELLS = 32
"""Cells of a worker's column, of the slot of kind ``websocket``."""

CLOSE_TAIL = 131
"""The longest close frame: two bytes, a mask of four, and a payload of 125 (RFC 6455 §5.2, §5.5)."""

_ABNORMAL = 1006
_NO_STATUS = 1005


def clear_open(view: memoryview[float], base: int, worker: int) -> None:
    """Forget what a crashed worker held open."""
    view[base + worker * WEBSOCKET_CELLS + _OPEN] = 0.0


def close_code(tail: bytes) -> int:
    """The status of the close frame (RFC 6455 §5.5.1, §7.4) that one side's last bytes end with: 1005 where it has
    none, 1006 where there is no such frame.

    Frames are not followed while they pass; what ends exactly where the bytes end, with the opcode, the length and a
    status as a close frame has them, is taken for one.
    """
    end = len(tail)
    for at in range(max(0, end - CLOSE_TAIL), end - 1):
        if tail[at] != 0x88:
            continue
        length, masked = tail[at + 1] & 0x7F, tail[at + 1] & 0x80
        begin = at + (6 if masked else 2)
        if begin + length != end or length == 1 or length > 125:
            continue
        if length == 0:
            return _NO_STATUS
        first, second = tail[begin], tail[begin + 1]
        if masked:
            first ^= tail[at + 2]
            second ^= tail[at + 3]
        code = first << 8 | second
        if 1000 <= code < 5000 and code not in (_NO_STATUS, _ABNORMAL):
            return code
    return _ABNORMAL


class WebSocketPlaces:
    """The WebSockets of one policy.

    Args:
        view: the cells.
        base: of the slot.
        maximum: how many may be open at once; None: any number.
    """

    __slots__ = ("_column", "_columns", "_lock", "_view", "maximum")

    def __init__(
        self,
        view: memoryview[float],
        base: int,
        maximum: int | None = None,
        workers: int = 1,
        worker: int = 0,
        lock: Lock = NO_LOCK,
    ) -> None:
        self.maximum = maximum
        self._view = view
        self._columns = tuple(range(base, base + workers * WEBSOCKET_CELLS, WEBSOCKET_CELLS))
        self._column = self._columns[worker]
        self._lock = lock

    def enter(self) -> bool:
        """Whether there is a place for one more; it is to be given back by `leave`."""
        view, column = self._view, self._column
        if self.maximum is not None:
            self._lock.acquire()
            try:
                if self.open >= self.maximum:
                    view[column + _REFUSED] += 1.0
                    return False
                view[column + _OPEN] += 1.0
            finally:
                self._lock.release()
        else:
            view[column + _OPEN] += 1.0
        return True

    def leave(self) -> None:
        """One that had a place is over, or never opened."""
        self._view[self._column + _OPEN] -= 1.0

    def refuse(self) -> None:
        """One was refused for another reason than that there is no place."""
        self._view[self._column + _REFUSED] += 1.0

    def opened(self) -> None:
        """A handshake succeeded."""
        self._view[self._column + _OPENED] += 1.0

    def timed_out(self, *, aged: bool) -> None:
        """One is closed for being idle or, `aged`, old."""
        self._view[self._column + (_AGED if aged else _IDLE)] += 1.0

    def closed(self, code: int) -> None:
        """One that had opened ended with `code`."""
        if 1000 <= code <= 1015:
            cell = _CODES + code - 1000
        elif 3000 <= code < 5000:
            cell = _CODES + 16 + (code >= 4000)
        else:
            cell = _OTHER
        self._view[self._column + cell] += 1.0

    @property
    def open(self) -> int:
        """Open now, or in their handshake."""
        return self._sum(_OPEN)

    @property
    def opened_total(self) -> int:
        """Handshakes that succeeded."""
        return self._sum(_OPENED)

    @property
    def refused_total(self) -> int:
        """Handshakes that were refused."""
        return self._sum(_REFUSED)

    @property
    def timed_out_total(self) -> tuple[int, int]:
        """How many were closed for being idle, and for being old."""
        return self._sum(_IDLE), self._sum(_AGED)

    def codes(self) -> Iterator[tuple[str, int]]:
        """How often each code ended one: the codes of RFC 6455 §7.4.1 each, others by their range (§7.4.2)."""
        names = [*map(str, range(1000, 1016)), "3xxx", "4xxx", "other"]
        for at, name in enumerate(names):
            count = self._sum(_CODES + at)
            if count:
                yield name, count

    def _sum(self, cell: int) -> int:
        view = self._view
        return int(sum(view[column + cell] for column in self._columns))

    def __repr__(self) -> str:
        return f"<WebSocketPlaces {self.open} of {self.maximum or 'any number'}>"
