"""What one request has to do with a cache, and who waits for whom."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from api_gateway_service_mesh.policies.cache import Asked, Stored
from api_gateway_service_mesh.policies.cache_fields import Lines, field_lines

if TYPE_CHECKING:
    from .exchange import Exchange

__all__ = [
    "COLLAPSED", "EVICTED", "HIT", "MISS", "PASSED", "REVALIDATED", "STALE", "STORED", "CacheTurn", "Fetch",
]  # fmt: skip

HIT, MISS, STALE, REVALIDATED, STORED, EVICTED, COLLAPSED, PASSED = range(8)
"""What is counted (`policies.event`)."""


class CacheTurn:
    """One request at the cache. ``told`` is what Cache-Status says of it."""

    __slots__ = (
        "alone", "asked_at", "collapsed", "entry", "fetch", "fields", "follows", "key", "looked", "may_stand_in",
        "modified_since", "none_match", "part", "position", "result", "said", "sent", "shared", "told", "until", "url",
        "validates", "waits",
    )  # fmt: skip

    def __init__(self, key: bytes, url: bytes, fields: bytes, said: Asked, asked_at: float) -> None:
        self.key = key
        self.url = url
        self.sent = fields
        """The fields for the backend, as they are at this place."""
        self.fields: Lines | None = None
        self.said = said
        self.asked_at = asked_at
        self.none_match: str | None = None
        self.modified_since: str | None = None
        self.looked = False
        """The store that is shared was asked."""
        self.shared = False
        """And had it."""
        self.position: tuple[int, int] | None = None
        """How far purges were known there when the backend was asked (`cache_purges`)."""
        self.part: tuple[int | None, int | None] | None = None
        """Which part it asks for."""
        self.entry: Stored | None = None
        """What is stored, and has to be validated or may stand in."""
        self.validates = False
        """The backend is asked whether that still holds."""
        self.may_stand_in = False
        """That may be given should the backend fail."""
        self.fetch: Fetch | None = None
        """What others wait for: this request fetches it."""
        self.follows: Fetch | None = None
        """What this one waits for."""
        self.until = 0.0
        """Until when at most."""
        self.alone = False
        """It waits for nobody (any more)."""
        self.collapsed = False
        self.waits: asyncio.TimerHandle | None = None
        self.result = ""
        """For the access log."""
        self.told = ""

    def leave(self) -> None:
        """Wait no longer."""
        if self.waits is not None:
            self.waits.cancel()
            self.waits = None
        self.follows = None

    @property
    def lines(self) -> Lines:
        """The request's fields, as the backend gets them."""
        lines = self.fields
        if lines is None:
            lines = self.fields = field_lines(self.sent)
        return lines


class Fetch:
    """An answer that is being fetched, and the requests for the same that wait for it."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: dict[Exchange, None] = {}

    def release(self, alone: bool) -> None:
        """Let all go on who wait. `alone`: what was fetched is nothing for them, each asks for itself."""
        waiting, self.waiting = self.waiting, {}
        for exchange in waiting:
            turn = exchange.caching
            if turn is not None:
                turn.leave()
                turn.alone = turn.alone or alone
            exchange.proceed()
