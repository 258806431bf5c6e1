"""The embedded proxy: `Engine` listens, routes and forwards what `install` gave it.

One engine is one worker's data plane; it lives on one event loop and is not thread-safe. Tables are swapped between two
requests; connections to unchanged upstreams live on.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import cast

from aiohttp import web

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Listener, Mesh
from api_gateway_service_mesh.policies import NO_LOCK, CellStore, Lock, LogCounters
from api_gateway_service_mesh.policies.refusal import RefusalCounters
from api_gateway_service_mesh.routing import RoutingTable
from api_gateway_service_mesh.telemetry.audit import AuditBuffer

from .access_log import LineSink
from .core import Core, Generation
from .downstream import ClientConnection
from .http2.client import Http2Client
from .listener import OpenListener, open_listener
from .overload import Guard
from .parser import require_c_parser
from .pool import UpstreamPool

__all__ = ["Engine"]

_DRAIN_POLL_SECONDS = 0.02


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

    def install(self, mesh: Mesh, table: RoutingTable, slots: Mapping[tuple[str, str], int], revision: str) -> None:
        """Serve `table` from the next request on. Pools of upstreams and endpoints that did not change live on;
        requests in flight finish on the table they began with."""
        core = self.core()
        before = core.generation.pools if core.generation is not None else {}
        pools: dict[str, UpstreamPool] = {}
        for upstream in mesh.upstreams:
            pool = before.get(upstream.iri)
            if pool is not None and pool.serves(upstream):
                pool.adopt(upstream)
            else:
                pool = UpstreamPool(upstream, core.answers, core.room)
            pools[upstream.iri] = pool
        core.authenticators.adopt(mesh.routes)
        core.stores.adopt(limit.store for route in mesh.routes for limit in route.rate_limits if limit.store)
        guard, wanted = core.guard, mesh.overload
        if guard is not None and guard.config != wanted:
            guard.stop()
            guard = None
        if guard is None and wanted is not None:
            guard = Guard(wanted, core, slots["overload", wanted.iri])
        core.guard = guard
        log = mesh.access_log and self._access_log is not None
        core.generation = self._generation = Generation(mesh, table, slots, revision, pools, log)
        self._generation.refusals = RefusalCounters(self._cells.view, slots["refusal", mesh.iri], self._worker)
        if log:
            slot = slots["access_log", mesh.iri]
            self._generation.log_counters = LogCounters(self._cells.view, slot, self._worker)
        core.begin_folding(core.generation)
        for iri, pool in before.items():
            if pools.get(iri) is not pool:
                pool.retire()

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
            listener, connection, host=host, port=port, reuse_port=reuse_port, sockets=() if sock is None else (sock,)
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
