"""Follows every look-up of a configuration, and tells when the instances in use have changed.

A look-up that fails is tried again after half a second, then after twice as long each time, half a minute at most,
spread by a quarter; an answer starts that anew. A look-up that a reload leaves as it is goes on undisturbed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from math import inf
from random import Random
from typing import TYPE_CHECKING, cast

from api_gateway_service_mesh.model import Discovery

from .source import Source, SourceError
from .sources import source_of
from .standing import Standing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .source import Instances

__all__ = ["Discoveries"]

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_log = logging.getLogger("agw.discovery")


class Discoveries:
    """The look-ups of the configuration in force. Lives on one event loop.

    Args:
        changed: awaited after the instances in use have changed.
        source: what looks up.
        random: spreads the pauses.
    """

    def __init__(
        self,
        changed: Callable[[], Awaitable[None]],
        *,
        source: Callable[[Discovery], Source] = source_of,
        random: Random | None = None,
    ) -> None:
        self._changed = changed
        self._source = source
        self._random = random or Random()  # noqa: S311 - spreads questions, keeps no secret
        self._followed: dict[str, tuple[Discovery, Standing, asyncio.Task[None]]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._heard = asyncio.Event()
        self._publishing: asyncio.Task[None] | None = None

    def __iter__(self) -> Iterator[tuple[Discovery, Standing]]:
        return ((discovery, standing) for discovery, standing, _ in self._followed.values())

    def standing(self, iri: str) -> Standing | None:
        """What the look-up `iri` has come to."""
        found = self._followed.get(iri)
        return found[1] if found is not None else None

    def adopt(self, wanted: Iterable[Discovery]) -> None:
        """Follow these and no others."""
        before, self._followed = self._followed, {}
        for discovery in wanted:
            known = before.pop(discovery.iri, None)
            if known is not None and known[0] == discovery:
                self._followed[discovery.iri] = known
                continue
            standing = Standing(discovery.empty_after_seconds)
            if known is not None:
                known[2].cancel()
                standing.carry(known[1])
            task = asyncio.get_running_loop().create_task(
                self._follow(discovery, standing), name=f"discovery {discovery.iri}"
            )
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            self._followed[discovery.iri] = discovery, standing, task
        for _, _, task in before.values():
            task.cancel()
        if self._followed and self._publishing is None:
            self._publishing = asyncio.get_running_loop().create_task(self._publish())

    async def answered(self, seconds: float) -> None:
        """Wait until every look-up has answered or failed once, but no longer than `seconds`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end and any(not each.answers and not each.failures for _, each in self):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        now = loop.time()
        for _, each in self:
            each.take(now)

    async def stop(self) -> None:
        """End all look-ups; what they came to stays."""
        tasks = [*self._ending, *([self._publishing] if self._publishing is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, discovery: Discovery, standing: Standing) -> None:
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                source = self._source(discovery)
                async with aclosing(cast("AsyncGenerator[Instances]", source.watch())) as answers:
                    async for told in answers:
                        standing.answered(told, loop.time())
                        pause = _FIRST_PAUSE_SECONDS
                        self._heard.set()
                reason = "the registry has ended its answers"
            except (SourceError, OSError, TimeoutError) as error:
                reason = str(error) or type(error).__name__
            except Exception as error:
                _log.exception("%s cannot be looked up", discovery.name)
                reason = f"{type(error).__name__}: {error}"
            if standing.stale_since is None:
                _log.warning("%s (%s) is not told of: %s", discovery.name, discovery.iri, reason)
            standing.failed(reason, loop.time(), datetime.now(UTC))
            await asyncio.sleep(pause * (0.75 + self._random.random() / 2))
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _publish(self) -> None:
        """Pass on what is due."""
        loop = asyncio.get_running_loop()
        while True:
            due = min((standing.due for _, standing in self), default=inf)
            now = loop.time()
            if due > now:
                self._heard.clear()
                try:
                    async with asyncio.timeout(None if due == inf else due - now):
                        await self._heard.wait()
                except TimeoutError:
                    pass
                continue
            taken = [standing for _, standing in self if standing.take(now)]
            while taken:
                try:
                    await self._changed()
                    taken.clear()
                except Exception:
                    _log.exception("what registries tell could not be passed on; it is tried again")
                    await asyncio.sleep(_FIRST_PAUSE_SECONDS)
