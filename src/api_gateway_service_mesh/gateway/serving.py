"""The gateway at work in this process: one engine on one event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from aiohttp import web

from api_gateway_service_mesh.control.audit import Audit
from api_gateway_service_mesh.control.build import Build
from api_gateway_service_mesh.control.client_credentials import stated_credentials
from api_gateway_service_mesh.control.live import Live
from api_gateway_service_mesh.control.live_rate import Rates
from api_gateway_service_mesh.control.objective import Objectives
from api_gateway_service_mesh.control.rollout import Decisions, Rollouts
from api_gateway_service_mesh.control.runtime import runtime_ntriples
from api_gateway_service_mesh.errors import ConfigError, Finding
from api_gateway_service_mesh.model import Listener, Mesh, MtlsMode
from api_gateway_service_mesh.policies import CellLayout, CellStore, layout_for, prepare_hashes
from api_gateway_service_mesh.proxy import Engine
from api_gateway_service_mesh.proxy.prober import HealthProber
from api_gateway_service_mesh.security.client_credentials import TokenKeepers, TokenStanding
from api_gateway_service_mesh.telemetry import AccessLog
from api_gateway_service_mesh.telemetry.audit import AUDIT_SECONDS, AuditBuffer

__all__ = ["Address", "Serving", "State", "listeners_of"]


_log = logging.getLogger("agw.audit")


class Address(NamedTuple):
    """Where a gateway listens."""

    host: str
    port: int
    scheme: str = "http"

    @property
    def url(self) -> str:
        """``http://host:port``; an address that stands for all of the machine's is written as loopback."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"


class State:
    """What outlives a table and an engine: the cells of limits, breakers and counters, by IRI."""

    def __init__(self) -> None:
        self.cells = CellStore.local()
        self._layout = CellLayout(self.cells)
        self._loaded_at = datetime.now(UTC)
        self.decisions: Decisions = {}
        self.tokens: Callable[[], Mapping[str, TokenStanding]] = dict
        self.watching: list[tuple[Rates, Objectives]] = []
        """What reckons rates and objectives, one for each engine at work: all see the same cells."""

    def slots_for(self, mesh: Mesh) -> Mapping[tuple[str, str], int]:
        """The cells of everything in `mesh`: those it had already keep their state."""
        slots = layout_for(mesh, self._layout, 1)
        self._layout.release_missing(slots.keys())
        self._loaded_at = datetime.now(UTC)
        return slots

    def runtime(self, mesh: Mesh, slots: Mapping[tuple[str, str], int], revision: int) -> bytes:
        """The live state of now as N-Triples."""
        live = Live(mesh, slots, self.cells, 1, revision, self._loaded_at, self.decisions)
        live.tokens = self.tokens
        watching = self.watching[:]  # asked from any thread
        if watching:
            rates, objectives = watching[0]
            live.rates, live.objectives = rates.read, objectives.read
        return runtime_ntriples(live)


class Serving:
    """An engine and its health checks. Begun and stopped on one event loop; `install` may be called from anywhere."""

    def __init__(self, state: State) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._telling: asyncio.TimerHandle | None = None
        self._access_log = AccessLog()
        self._noted = AuditBuffer()
        self._audit = Audit(_log.warning)
        self._engine = Engine(cells=state.cells, access_log=self._access_log, audit=self._noted)
        self._tokens = TokenKeepers(lambda tokens: self._engine.core().backend_tokens.told(tokens))
        state.tokens = lambda: self._tokens.standings
        self._prober = HealthProber(state.cells)
        self._rollouts = Rollouts(state.cells, 1, state.decisions)
        self._rates = Rates(state.cells, 1)
        self._objectives = Objectives(self._rates)
        self._state = state

    def begin(self) -> None:
        """Bind to the running loop."""
        self._loop = asyncio.get_running_loop()
        self._tell()

    def install(self, build: Build, slots: Mapping[tuple[str, str], int]) -> None:
        """Serve `build` from the next request on."""
        prepare_hashes(build.mesh)  # here, where the configuration was built, and not on the loop
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if self._loop is None or here is self._loop:
            self._install(build, slots)
        else:
            self._loop.call_soon_threadsafe(self._install, build, slots)

    def _install(self, build: Build, slots: Mapping[tuple[str, str], int]) -> None:
        self._audit.adopt(build.mesh)
        self._engine.install(build.mesh, build.table, slots, build.source.digest[:12])
        self._prober.update(build.mesh, slots)
        self._tokens.update(stated_credentials(build.mesh))
        self._rollouts.update(build.mesh, slots)
        self._rates.update(build.mesh, slots)
        self._objectives.update(build.mesh)
        if (self._rates, self._objectives) not in self._state.watching:
            self._state.watching.append((self._rates, self._objectives))

    def _tell(self) -> None:
        """Give what was noted to the audit log's writer and the keepers of tokens, now and every tenth of a second."""
        records, dropped = self._noted.take()
        if records or dropped:
            self._audit.decided(records, dropped)
        if self._loop is not None:
            for iri, until in self._engine.core().backend_tokens.take_refused():
                self._tokens.refused(iri, until)
            self._telling = self._loop.call_later(AUDIT_SECONDS, self._tell)

    async def listen(self, listener: Listener) -> Address:
        """Accept connections.

        Raises:
            AgwError: the port is in use or not allowed.
        """
        port = await self._engine.listen(listener)
        tls = listener.certificate is not None and listener.mtls_mode is not MtlsMode.PERMISSIVE
        return Address(listener.bind_address, port, "https" if tls else "http")

    def app(self, started: Callable[[Serving], None], ended: Callable[[Serving], Awaitable[None]]) -> web.Application:
        """The same pipeline as an aiohttp application, which tells when its server starts and ends."""

        async def lifetime(_: web.Application) -> AsyncIterator[None]:
            started(self)
            yield
            await ended(self)

        app = self._engine.app()
        app.cleanup_ctx.append(lifetime)
        return app

    async def stop(self, drain_seconds: float) -> None:
        """Take no more connections, let requests end for at most `drain_seconds`, close."""
        if (self._rates, self._objectives) in self._state.watching:
            self._state.watching.remove((self._rates, self._objectives))
        await self._prober.stop()
        await self._rates.stop()
        await self._objectives.stop()
        await self._rollouts.stop()
        await self._tokens.stop()
        await self._engine.drain(drain_seconds)
        if self._telling is not None:
            self._telling.cancel()
        self._audit.decided(*self._noted.take())
        await asyncio.to_thread(self._audit.close)
        await asyncio.to_thread(self._access_log.close)


def listeners_of(mesh: Mesh, host: str | None, port: int | None) -> tuple[Listener, ...]:
    """Where to listen: as the graph says, or at `host` and `port` with the TLS of the graph's only listener.

    Raises:
        ConfigError: several listeners, and one place for them.
    """
    if host is None and port is None and mesh.listeners:
        return mesh.listening
    if len(mesh.listeners) > 1:
        names = ", ".join(f"{listener.bind_address}:{listener.port}" for listener in mesh.listeners)
        raise ConfigError(
            Finding(
                "several-listeners",
                f"the configuration has {len(mesh.listeners)} listeners ({names}); "
                "one host and port cannot stand for all",
                remedy="call run() without host and port to listen where the configuration says",
            )
        )
    # Never less than the graph demands: the place changes, certificate and mTLS stay.
    stated = mesh.listening[0]
    return (
        replace(
            stated,
            bind_address=stated.bind_address if host is None else host,
            port=stated.port if port is None else port,
        ),
    )
