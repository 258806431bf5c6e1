"""The embedded proxy: `Engine` listens, routes and forwards what `install` gave it.

One engine is one worker's data plane; it lives on one event loop and is not thread-safe. Tables are swapped between two
requests; connections to unchanged upstreams live on.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from aiohttp import web

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Listener, Mesh, Route, Upstream
from api_gateway_service_mesh.policies import NO_LOCK, CellStore, Lock, LogCounters
from api_gateway_service_mesh.policies.refusal import RefusalCounters
from api_gateway_service_mesh.routing import RoutingTable
from api_gateway_service_mesh.telemetry.audit import AuditBuffer

from .access_log import LineSink
from .access_log_format import access_log_form
from .core import Core, Generation
from .downstream import ClientConnection
from .http2.client import Http2Client
from .listener import OpenListener, open_listener
from .overload import Guard
from .parser import require_c_parser
from .pool import UpstreamPool

if TYPE_CHECKING:
    from .pipeline import RouteHandler

__all__ = ["Engine", "Stale"]

_DRAIN_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Stale:
    """What does not go on when a table takes the place of the one it was made of (``before``).

    ``handlers`` are the indices of routes whose handlers do not: they are other routes, send to another upstream, or
    keep hold of their generation (mirrors). ``shared``: what routes share (key sources, shared stores) may be another.
    """

    before: RoutingTable
    upstreams: tuple[Upstream, ...]
    upstreams_gone: tuple[str, ...]
    handlers: tuple[int, ...]
    width: int
    shared: bool

    @classmethod
    def of(
        cls, before: RoutingTable, after: RoutingTable, upstreams: Sequence[Upstream], upstreams_gone: Sequence[str]
    ) -> Stale:
        """Between two tables; `upstreams` are those that changed."""
        touched = {*upstreams_gone, *(upstream.iri for upstream in upstreams)}
        known = {entry.index: entry for entry in before.entries}
        handlers: list[int] = []
        shared = False
        for entry in after.entries:
            route = entry.route
            same = known.pop(entry.index, None)
            if same is not entry:
                shared = shared or _shares(route) or (same is not None and _shares(same.route))
            elif not route.mirrors and (not touched or touched.isdisjoint(route.reached)):
                continue
            handlers.append(entry.index)
        shared = shared or any(_shares(entry.route) for entry in known.values())
        return cls(before, tuple(upstreams), tuple(upstreams_gone), (*handlers, *known), after.width, shared)

    def kept(self, handlers: Sequence[RouteHandler | None]) -> list[RouteHandler | None]:
        """The handlers that go on, by index."""
        made = [*handlers, *([None] * (self.width - len(handlers)))]
        for index in self.handlers:
            made[index] = None
        return made


def _shares(route: Route) -> bool:
    policy = route.client_certificate
    if route.authentication is not None or (policy is not None and policy.intentions is not None):
        return True
    return bool(route.shared_stores)


def _settings(mesh: Mesh) -> Mesh:
    return replace(mesh, routes=(), upstreams=())


class Engine:
    """See the module.

    Args:
        cells: where the policies' state lives; the slots given to `install` point into it.
        worker: which of `workers` this is; its column of the counters.
        lock: shared by all workers; none is needed with one.
        access_log: takes each line of the access log; asked only when the mesh wants one.
        audit: takes each record of the audit log, likewise.

    Raises:
        AgwError: aiohttp's C parser is missing.
    """

    def __init__(
        self,
        *,
        cells: CellStore,
        worker: int = 0,
        workers: int = 1,
        lock: Lock | None = None,
        access_log: LineSink | None = None,
        audit: AuditBuffer | None = None,
    ) -> None:
        require_c_parser()
        self._cells = cells
        self._worker = worker
        self._workers = workers
        self._lock = lock or NO_LOCK
        self._access_log = access_log
        self._audit = audit
        self._core: Core | None = None
        self._generation: Generation | None = None
        self._listeners: list[OpenListener] = []

    @property
    def revision(self) -> str | None:
        """The revision being served."""
        return self._generation.revision if self._generation is not None else None

    @property
    def connections(self) -> int:
        """Client connections open now."""
        return len(self._core.connections) if self._core is not None else 0

    def core(self) -> Core:
        """What the connections share; made on the running loop when first asked for."""
        if self._core is None:
            loop = asyncio.get_running_loop()
            self._core = Core(
                loop,
                cells=self._cells,
                worker=self._worker,
                workers=self._workers,
                lock=self._lock,
                access_log=self._access_log,
                audit=self._audit,
            )
            self._core.keep_house()
        if self._core.loop is not asyncio.get_running_loop():
            raise AgwError("an Engine lives on one event loop")
        return self._core

    def install(
        self,
        mesh: Mesh,
        table: RoutingTable,
        slots: Mapping[tuple[str, str], int],
        revision: str,
        stale: Stale | None = None,
    ) -> None:
        """Serve `table` from the next request on. Pools of upstreams and endpoints that did not change live on;
        requests in flight finish on the table they began with. `stale`: what changed, where `table` was made of the one
        in force: everything else goes on as it is, so that this takes no longer than the change is large."""
        core = self.core()
        old = core.generation
        if old is None or (stale is not None and old.table is not stale.before):
            stale = None
        before = old.pools if old is not None else {}
        pools: dict[str, UpstreamPool] = {}
        if stale is not None:
            pools = before.copy()
            for iri in stale.upstreams_gone:
                pools.pop(iri, None)
        for upstream in mesh.upstreams if stale is None else stale.upstreams:
            pool = before.get(upstream.iri)
            if pool is not None and pool.serves(upstream):
                pool.adopt(upstream)
            else:
                pool = UpstreamPool(upstream, core.answers, core)
            pools[upstream.iri] = pool
        cookies = core.authenticators.session_cookies
        if stale is None or stale.shared:
            core.authenticators.adopt(mesh.routes)
            core.advisers.adopt(mesh.routes)
            core.stores.adopt(store for route in mesh.routes for store in route.shared_stores)
        core.caches.adopt(route.cache.iri for route in mesh.routes if route.cache is not None)
        guard, wanted = core.guard, mesh.overload
        if guard is not None and guard.config != wanted:
            guard.stop()
            guard = None
        if guard is None and wanted is not None:
            guard = Guard(wanted, core, slots["overload", wanted.iri])
        core.guard = guard
        place = slots.get(("access_log", mesh.iri))
        log = place is not None and self._access_log is not None
        core.generation = self._generation = Generation(mesh, table, slots, revision, pools, log)
        self._generation.refusals = RefusalCounters(self._cells.view, slots["refusal", mesh.iri], self._worker)
        if place is not None and log:
            self._generation.log_counters = LogCounters(self._cells.view, place, self._worker)
            if mesh.log_format is not None:
                self._generation.log = access_log_form(mesh.log_format, None, core)
            core.chosen_logs = core.chosen_logs or not mesh.access_log
        # What is written to the audit log names its revision, so handlers that write there are made anew; so are all
        # where a login is new or gone, since every route takes out what logins keep in browsers.
        same = cookies == core.authenticators.session_cookies and mesh.audit is None
        if same and stale is not None and old is not None and _settings(old.mesh) == _settings(mesh):
            self._generation.handlers = stale.kept(old.handlers)
        core.begin_folding(core.generation)
        touched = before if stale is None else (*stale.upstreams_gone, *(upstream.iri for upstream in stale.upstreams))
        for iri in touched:
            gone = before.get(iri)
            if gone is not None and pools.get(iri) is not gone:
                gone.retire()

    async def listen(
        self,
        listener: Listener,
        *,
        host: str | None = None,
        port: int | None = None,
        reuse_port: bool = False,
        sock: socket.socket | None = None,
    ) -> int:
        """Accept connections as `listener` says; `host` and `port` override it (port 0: any free one). The port."""
        core = self.core()
        limits = listener.limits

        def connection() -> asyncio.Protocol:
            return cast(asyncio.Protocol, ClientConnection(core, limits))

        opened = await open_listener(
            listener,
            connection,
            host=host,
            port=port,
            reuse_port=reuse_port,
            sockets=() if sock is None else (sock,),
            core=core,
        )
        self._listeners.append(opened)
        core.ports.add(opened)
        return opened.port

    def stop_accepting(self) -> None:
        """Close the listening ports; connections live on."""
        for listener in self._listeners:
            listener.close()
            if self._core is not None:
                self._core.ports.discard(listener)
        self._listeners.clear()

    async def drain(self, seconds: float) -> None:
        """Stop accepting, let requests in flight finish (at most `seconds`), close everything.

        Idle connections are closed at once; answers from now on say ``Connection: close``; tunnels are closed when the
        time is over.
        """
        core = self.core()
        core.draining = True
        self.stop_accepting()
        end = core.loop.time() + seconds
        connections = [item for item in core.connections if isinstance(item, ClientConnection | Http2Client)]
        for connection in connections:
            connection.drain()
        while core.connections and core.loop.time() < end:  # noqa: ASYNC110 - many connections, one end
            await asyncio.sleep(_DRAIN_POLL_SECONDS)
        self.close()

    def close(self) -> None:
        """Close everything now."""
        self.stop_accepting()
        core = self._core
        if core is None:
            return
        for connection in list(core.connections):
            if isinstance(connection, ClientConnection | Http2Client):
                connection.abort()
        if core.generation is not None:
            for pool in core.generation.pools.values():
                pool.retire()
        core.stop()

    def app(self) -> web.Application:
        """The same pipeline as an aiohttp application, for embedding: a catch-all that streams both ways."""
        from .embedded import application

        return application(self)
