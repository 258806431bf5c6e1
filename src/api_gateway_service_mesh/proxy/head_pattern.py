"""Heads that look like the last one of their connection, but for the fields that are new each time.

A client sends the same fields in the same order, and in a few of them (a trace id, a token, a cookie) another value. Of
such a head only those values are judged; all else is compared with what was judged before, byte for byte, in as many
pieces as there are values between them. That says exactly what judging each line says: a line that was judged once has
nothing to be judged for again (`lines`), what the lines mean together depends on those that mean something to agw, and
none of those may vary here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lines import VALUE_BYTES, Kind

if TYPE_CHECKING:
    from .head import Marks

__all__ = ["HeadPattern", "canonical"]


def canonical(rest: bytes) -> bool:
    """Whether what stands behind a field's colon goes on as it stands: one space, then the value, and nothing more."""
    return len(rest) > 1 and rest[0] == 0x20 and rest[1] not in (0x20, 0x09) and rest[-1] not in (0x20, 0x09)


class HeadPattern:
    """What stays in such heads (with the names and colons of what varies), and what of that goes upstream.

    Put together once, with `stay` and `vary` in the order of the lines; `finish`, then `read` as often as wanted.
    """

    __slots__ = (
        "_credential",
        "_shown",
        "_stays",
        "_swallowed",
        "_wires",
        "authorization",
        "length",
        "marks",
        "traceless",
        "varies",
    )

    def __init__(self, marks: Marks, length: int) -> None:
        self.marks = marks
        self.length = length
        """Content-Length, 0 without."""
        self.authorization: bytes | None = None
        """The Authorization field of the head that was read last."""
        self.traceless = False
        """No field speaks of traces."""
        self.varies = 0
        """How many values vary."""
        self._stays: list[bytes] = [b""]
        self._wires: list[bytes] = [b""]
        self._swallowed: list[bool] = []
        self._credential = -1

    def stay(self, line: bytes, wire: bytes) -> None:
        """The next line is always `line`, of which `wire` goes upstream."""
        self._stays[-1] += line + b"\r\n"
        self._wires[-1] += wire

    def vary(self, name: bytes, kind: Kind) -> bool:
        """The next line is a field of this name, with any value. False: that cannot be (a second credential)."""
        if kind is Kind.CREDENTIAL:
            if self._credential >= 0:
                return False
            self._credential = self.varies
        swallowed = kind is Kind.SWALLOWED
        self._stays[-1] += name + b":"
        if not swallowed:
            self._wires[-1] += name + b":"
        self._swallowed.append(swallowed)
        self._stays.append(b"\r\n")
        self._wires.append(b"" if swallowed else b"\r\n")
        self.varies += 1
        return True

    def finish(self, before: bytes, after: bytes) -> None:
        """Nothing follows; upstream these stand around the head's own fields."""
        self._wires[0] = before + self._wires[0]
        self._wires[-1] += after

    def read(self, raw: bytes) -> bytes | None:
        """What goes upstream for `raw`, or None when it does not look like that: then each line must be judged."""
        stays, wires, swallowed = self._stays, self._wires, self._swallowed
        pieces: list[bytes] = []
        at = 0
        for number in range(self.varies):
            stay = stays[number]
            if not raw.startswith(stay, at):
                return None
            at += len(stay)
            end = raw.find(b"\r\n", at)
            if end < 0:
                return None
            rest = raw[at:end]
            if not canonical(rest) or rest.translate(VALUE_BYTES) != rest:
                return None
            pieces.append(wires[number])
            if not swallowed[number]:
                pieces.append(rest)
                if number == self._credential:
                    self.authorization = rest[1:]
            at = end
        if raw[at:] != stays[-1]:
            return None
        pieces.append(wires[-1])
        return b"".join(pieces)
