"""What a source of instances tells, one set after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from api_gateway_service_mesh.discovery.source import Instance, Source

__all__ = ["answers"]


@asynccontextmanager
async def answers(of: Source) -> AsyncIterator[AsyncIterator[tuple[Instance, ...]]]:
    """Its instances, sorted, each time it tells them."""

    async def found() -> AsyncIterator[tuple[Instance, ...]]:
        async with aclosing(of.watch()) as told:  # type: ignore[type-var]
            async for one in told:
                yield tuple(sorted(one.endpoints))

    async with aclosing(found()) as each:
        yield each
