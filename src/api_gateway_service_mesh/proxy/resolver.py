"""Where the name of a backend leads to, now and later.

Rules:

- A name in use is looked up again every `REFRESH_SECONDS`, and after a connection to it failed (at most once in
  `DOUBT_SECONDS`). The system's resolver tells no time to live; caches that heed it stand behind it.
- New connections take the addresses in turn, so that every address of the preferred family is used; the order of the
  families is the system's (RFC 6724), and the families take turns within one attempt (RFC 8305 §4).
- An address that is no longer told is given up after `GONE_SECONDS`: a name with many addresses is often answered with
  some of them. Who is told of the change closes its connections when their answers have ended.
- A look-up that fails changes nothing: what was known is used on (RFC 8767).
- One look-up at a time, whoever waits for it; who gives up waiting does not end it.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio import get_running_loop as running_loop
from collections.abc import Callable
from time import monotonic
from typing import Any

__all__ = ["DOUBT_SECONDS", "GONE_SECONDS", "REFRESH_SECONDS", "Address", "Addresses"]

REFRESH_SECONDS = 5.0
DOUBT_SECONDS = 1.0
GONE_SECONDS = 60.0
PATIENCE_SECONDS = 1.0
"""How long a connection waits for fresh addresses when old ones are known."""

#: As ``getaddrinfo`` tells it: family, type, protocol, canonical name, socket address.
Address = tuple[int, int, int, str, tuple[Any, ...]]


class Addresses:
    """The addresses of one host name and port. Lives on one event loop; `changed` is called after the set changed."""

    __slots__ = ("_changed", "_host", "_looked", "_lookup", "_port", "_seen", "_turn")

    def __init__(self, host: str, port: int, changed: Callable[[], None]) -> None:
        self._host = host
        self._port = port
        self._changed = changed
        self._seen: dict[Address, float] = {}
        """Addresses in the order they were told, and when last."""
        self._looked = float("-inf")
        self._turn = 0
        self._lookup: asyncio.Task[None] | None = None

    async def candidates(self) -> list[Address]:
        """What to connect to, best first. Waits only when nothing is known yet, or what is known is in doubt.

        Raises:
            OSError: the name leads nowhere.
        """
        if not self._seen:
            await asyncio.shield(self._look_up())
        elif monotonic() - self._looked >= 2 * REFRESH_SECONDS:  # nobody has used it for a while
            await self._heard_again()
        families: dict[int, list[Address]] = {}
        for address in self._seen:
            families.setdefault(address[0], []).append(address)
        turn = self._turn
        self._turn += 1
        return [
            one
            for members in families.values()
            for one in members[turn % len(members) :] + members[: turn % len(members)]
        ]

    def renew(self, now: float) -> None:
        """Look again when it is time to; to be called now and then while the name is in use."""
        if now - self._looked >= REFRESH_SECONDS and self._lookup is None:
            self._look_up()

    async def doubted(self) -> None:
        """No connection could be made: look again, and wait for what is found."""
        if monotonic() - self._looked >= DOUBT_SECONDS:
            await self._heard_again()

    async def _heard_again(self) -> None:
        """Look up, but wait only so long where something is known."""
        await asyncio.wait((self._look_up(),), timeout=PATIENCE_SECONDS)

    def _look_up(self) -> asyncio.Task[None]:
        if self._lookup is None:
            self._lookup = asyncio.get_running_loop().create_task(self._run())
            self._lookup.add_done_callback(_ended)
        return self._lookup

    async def _run(self) -> None:
        try:
            found = await running_loop().getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            self._take(found, monotonic())
        finally:
            self._looked = monotonic()
            self._lookup = None

    def _take(self, found: list[Any], now: float) -> None:
        before = self._seen.keys()
        seen = dict.fromkeys(((*address[:4], tuple(address[4])) for address in found), now)
        for address, when in self._seen.items():
            if now - when < GONE_SECONDS:
                seen.setdefault(address, when)
        same = before == seen.keys()
        first = not self._seen
        self._seen = seen
        if not same and not first:
            self._changed()


def _ended(lookup: asyncio.Task[None]) -> None:
    """A failure is for those who wait, if any do: what was known is used on."""
    if not lookup.cancelled():
        lookup.exception()
