"""A gateway's data plane on real sockets, from a hand-made model: on a port of its own, or inside an aiohttp application."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from aiohttp import web

from api_gateway_service_mesh.model import (
    Endpoint,
    Limits,
    Listener,
    Mesh,
    PathKind,
    PathMatch,
    Route,
    RouteMatch,
    Upstream,
)
from api_gateway_service_mesh.policies import CellLayout, CellStore, layout_for
from api_gateway_service_mesh.proxy import Engine
from api_gateway_service_mesh.routing import compile_table

__all__ = ["LogLines", "Running", "endpoint", "mesh_of", "raw", "route", "running", "upstream"]


def endpoint(port: int, name: str = "one", weight: int = 1) -> Endpoint:
    """An endpoint on this host."""
    return Endpoint(f"urn:test:endpoint:{name}", "127.0.0.1", port, weight=weight)


def upstream(*endpoints: Endpoint, name: str = "service", **more: object) -> Upstream:
    """An upstream of `endpoints`."""
    return replace(Upstream(f"urn:test:{name}", name, endpoints), **more)  # type: ignore[arg-type]


def route(path: str = "", name: str = "route", *, to: str | None = "service", **more: object) -> Route:
    """A route: everything below `path`, or exactly `path` when it ends with ``=``."""
    exact = path.endswith("=")
    match = PathMatch(PathKind.EXACT, path[:-1]) if exact else PathMatch(PathKind.PREFIX, path)
    made = Route(f"urn:test:{name}", name, RouteMatch(match), upstream=f"urn:test:{to}" if to else None)
    return replace(made, **more)  # type: ignore[arg-type]


def mesh_of(routes: Route | tuple[Route, ...], *upstreams: Upstream, **more: object) -> Mesh:
    """A mesh."""
    listed = routes if isinstance(routes, tuple) else (routes,)
    return replace(Mesh("urn:test:gateway", "gateway", listed, upstreams), **more)  # type: ignore[arg-type]


class LogLines(list[str]):
    """An access log that keeps its lines."""

    dropped = 0

    @property
    def written(self) -> int:
        """All of them."""
        return len(self)

    def __call__(self, line: bytes) -> None:
        self.append(line.decode("ascii"))


@dataclass
class Running:
    """A data plane in service."""

    engine: Engine
    port: int
    layout: CellLayout
    store: CellStore
    log: LogLines

    def install(self, mesh: Mesh, revision: str = "2") -> None:
        """Swap the table."""
        layout_for(mesh, self.layout, 1)
        self.engine.install(mesh, compile_table(mesh), dict(self.layout.slots), revision)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection of a client."""
        return await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)


@contextlib.asynccontextmanager
async def running(
    mesh: Mesh, *, kind: str = "engine", limits: Limits | None = None, listener: Listener | None = None
) -> AsyncIterator[Running]:
    """Serve `mesh`, on `listener` where it is given; `kind` is ``engine`` (a port of its own) or ``app`` (an aiohttp application)."""
    store = CellStore.local(2**20)
    layout = CellLayout(store)
    log = LogLines()
    engine = Engine(cells=store, access_log=log)
    gateway = Running(engine, 0, layout, store, log)
    gateway.install(mesh, "1")
    runner: web.AppRunner | None = None
    if kind == "engine":
        listener = listener or Listener("urn:test:listener", 0, "127.0.0.1", limits=limits or Limits())
        gateway.port = await engine.listen(listener, host="127.0.0.1", port=0)
    else:
        runner = web.AppRunner(engine.app(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        gateway.port = runner.addresses[0][1]
    try:
        yield gateway
    finally:
        if runner is not None:
            await runner.cleanup()
        engine.close()
        await asyncio.sleep(0)


async def raw(
    port: int,
    data: bytes,
    *,
    until: Callable[[bytes], bool] | None = None,
    seconds: float = 20.0,
    tls: ssl.SSLContext | None = None,
) -> bytes:
    """Send `data` and collect what comes back until the other side closes, or `until` says so."""
    name = "localhost" if tls is not None else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
    collected = b""
    try:
        async with asyncio.timeout(seconds):
            writer.write(data)
            await writer.drain()
            while not (until is not None and until(collected)):
                piece = await reader.read(65536)
                if not piece:
                    break
                collected += piece
    except ConnectionError:
        pass
    finally:
        writer.close()
    return collected
