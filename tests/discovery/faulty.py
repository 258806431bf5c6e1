"""A registry that speaks Consul's answers over a real socket, and can be slow, wrong, gone or flapping."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

__all__ = ["Registry", "entry", "registry"]


def entry(address: str, port: int, **service: Any) -> dict[str, Any]:
    """One instance as Consul's health interface tells it."""
    return {"Node": {"Address": "10.9.9.9"}, "Service": {"Address": address, "Port": port, **service}, "Checks": []}


class Registry:
    """What it answers now; `tell` changes it, and wakes those who wait."""

    def __init__(self) -> None:
        self.index = 1
        self.entries: list[dict[str, Any]] = []
        self.asked: list[web.Request] = []
        self.instead: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
        self.url = ""
        self._changed = asyncio.Condition()

    async def tell(self, entries: list[dict[str, Any]]) -> None:
        """Have other instances."""
        async with self._changed:
            self.entries = entries
            self.index += 1
            self._changed.notify_all()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """As Consul's, with its blocking."""
        self.asked.append(request)
        if self.instead is not None:
            return await self.instead(request)
        if request.query.get("index") == str(self.index):
            try:
                async with asyncio.timeout(float(request.query["wait"].rstrip("s"))), self._changed:
                    await self._changed.wait()
            except TimeoutError:
                pass
        return web.Response(text=json.dumps(self.entries), headers={"X-Consul-Index": str(self.index)})


@asynccontextmanager
async def registry(port: int = 0) -> AsyncIterator[Registry]:
    """One on a free port of loopback."""
    made = Registry()
    runner = web.ServerRunner(web.Server(made.answer), shutdown_timeout=0.1)  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
