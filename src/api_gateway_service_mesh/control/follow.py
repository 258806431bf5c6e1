"""When to load again: a watched file changed, somebody asked, or a store is due to be asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Protocol

from .options import ServeOptions
from .reload import changes, fingerprint
from .store import ConfigStore

__all__ = ["Follower"]

_log = logging.getLogger("agw.control")


class _Reload(Protocol):
    def __call__(self, *, renew: bool = True) -> Awaitable[bool]: ...


class Follower:
    """Calls `reload` when there is a reason to.

    Args:
        named: the files, beside those of the store, whose change is a reason (certificates, policy packs).
    """

    def __init__(
        self, store: ConfigStore, options: ServeOptions, reload: _Reload, named: Callable[[], Iterator[Path]]
    ) -> None:
        self._store = store
        self._watching = options.watch
        self._reload = reload
        self._named = named
        self._wanted = asyncio.Event()
        self._seen = fingerprint(self._files())

    def request(self) -> None:
        """Ask for a load, soon; several requests are one. Safe in a signal handler of the loop."""
        self._wanted.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Load again whenever there is a reason to, until `stop`."""
        tasks = []
        if self._watching and any(self._files()):
            tasks.append(asyncio.create_task(self._watch(stop)))
        if self._store.poll_seconds:
            tasks.append(asyncio.create_task(self._poll(self._store.poll_seconds)))
        try:
            while not stop.is_set():
                await self._wanted.wait()
                self._wanted.clear()
                await self._reload()
        finally:
            for task in tasks:
                task.cancel()

    async def _poll(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self._reload(renew=False)

    async def _watch(self, stop: asyncio.Event) -> None:
        try:
            async for _ in changes(self._files, self._seen, stop, self._store.written):
                self._wanted.set()
        except Exception:
            _log.exception("the files cannot be watched any more; SIGHUP still loads them again")

    def _files(self) -> Iterator[Path]:
        yield from self._store.watched
        yield from self._named()
