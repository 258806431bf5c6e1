"""What waits to be said to Redis, and what is under way: one pipeline for all that is asked in one turn of the loop.

Each use of a store has a lane of its own, so that the bodies of a cache do not stand before the verdicts of a limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

__all__ = ["Ask", "Lane", "Word", "tell"]

Word = str | bytes | int
"""A word of a command."""

Ask = tuple[tuple[Word, ...], Callable[[Any], None]]
"""A command, and who is told the answer; None: there will be none. An answer may be an exception: the server's refusal
of this command alone."""


class Lane:
    """Commands of one kind, in order.

    Args:
        send: says a batch, and tells everyone the answers; raises nothing.
        batches: how many may be under way at once.
        asks: how many commands one has.
    """

    __slots__ = ("_asks", "_batches", "_loop", "_scheduled", "_send", "_start", "_under_way", "waiting")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        start: Callable[[Any], None],
        send: Callable[[list[Ask]], Awaitable[None]],
        batches: int,
        asks: int,
    ) -> None:
        self._loop = loop
        self._start = start
        self._send = send
        self._batches = batches
        self._asks = asks
        self._scheduled = False
        self._under_way = 0
        self.waiting: list[Ask] = []

    def put(self, ask: Ask) -> None:
        """Say it with what else is said in this turn of the loop."""
        self.waiting.append(ask)
        self._schedule()

    def give_up(self) -> None:
        """Tell everyone who waits that there will be no answer."""
        waiting, self.waiting = self.waiting, []
        tell(waiting, None)

    def _schedule(self) -> None:
        if not self._scheduled and self.waiting and self._under_way < self._batches:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        batch, self.waiting = self.waiting[: self._asks], self.waiting[self._asks :]
        if batch:
            self._under_way += 1
            self._start(self._carry(batch))
            self._schedule()

    async def _carry(self, batch: list[Ask]) -> None:
        try:
            await self._send(batch)
        finally:
            self._under_way -= 1
            self._schedule()


def tell(asks: Iterable[Ask], answer: Any) -> None:
    """Tell all of them the same."""
    for _, told in asks:
        told(answer)
