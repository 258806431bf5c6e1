"""What was found out about tokens, kept for a while: a pure memory with bounds, which is told what time it is."""

from __future__ import annotations

from .identity import Denied, Identity

__all__ = ["MOST_REFUSED_SECONDS", "VERDICTS", "VerdictCache"]

VERDICTS = 10_000
"""Verdicts of one kind that are kept; the oldest half goes when there are more."""
MOST_REFUSED_SECONDS = 10.0


class VerdictCache:
    """By the digest of a whole token, who showed it, or why nobody may. `seconds`: how long an acceptance holds, never
    past the end that the identity has itself; a refusal holds for a quarter of that, at most `MOST_REFUSED_SECONDS`.

    Acceptances and refusals have room of their own: who sends garbage pushes out other garbage alone.
    """

    __slots__ = ("_accepted", "_refused", "_refused_seconds", "_room", "_seconds")

    def __init__(self, seconds: float, room: int = VERDICTS) -> None:
        self._seconds = seconds
        self._refused_seconds = min(seconds / 4, MOST_REFUSED_SECONDS)
        self._room = room
        self._accepted: dict[bytes, tuple[float, float, Identity]] = {}
        self._refused: dict[bytes, tuple[float, float, Denied]] = {}

    def accepted(self, digest: bytes, now: float) -> Identity | None:
        """Who showed this token, as far as is still known. `now`: seconds since 1970, as everywhere here."""
        entry = self._accepted.get(digest)
        if entry is None:
            return None
        if entry[0] <= now < entry[1]:  # a clock that jumps back brings nothing forward
            return entry[2]
        del self._accepted[digest]
        return None

    def refused(self, digest: bytes, now: float) -> Denied | None:
        """Why this token was not accepted, as far as is still known."""
        entry = self._refused.get(digest)
        if entry is None:
            return None
        if entry[0] <= now < entry[1]:
            return entry[2]
        del self._refused[digest]
        return None

    def accept(self, digest: bytes, identity: Identity, now: float) -> None:
        """Remember that."""
        self._refused.pop(digest, None)
        _make_room(self._accepted, self._room)
        self._accepted[digest] = (max(now, identity.since), min(now + self._seconds, identity.until), identity)

    def refuse(self, digest: bytes, denied: Denied, now: float) -> None:
        """Remember that."""
        self._accepted.pop(digest, None)
        _make_room(self._refused, self._room)
        self._refused[digest] = (now, now + self._refused_seconds, denied)

    def __len__(self) -> int:
        return len(self._accepted) + len(self._refused)


def _make_room(
    entries: dict[bytes, tuple[float, float, Identity]] | dict[bytes, tuple[float, float, Denied]], room: int
) -> None:
    if len(entries) >= room:
        for oldest in list(entries)[: room // 2]:
            del entries[oldest]
