"""What all connections of one worker share: the table in force, memories, clocks, deadlines."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path
from random import Random
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol, cast

from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.policies import NO_LOCK, CellStore, Lock, LogCounters
from api_gateway_service_mesh.policies.cache_store import MemoryCaches
from api_gateway_service_mesh.policies.http2 import write_http2
from api_gateway_service_mesh.policies.redis import REDIS_CELLS
from api_gateway_service_mesh.policies.refusal import RefusalCounters
from api_gateway_service_mesh.routing import RouteEntry, RoutingTable
from api_gateway_service_mesh.security.authentication import Authenticators
from api_gateway_service_mesh.security.intentions import Advisers
from api_gateway_service_mesh.telemetry.access_log import AccessLog
from api_gateway_service_mesh.telemetry.audit import AuditBuffer

from .access_log import Finished, LineSink, LogClock, access_line
from .answer import AnswerReader
from .client_credentials import BackendTokens
from .forwarded import TrustedProxies
from .head import HeadReader
from .http2.fields import Translations
from .parser import BlockJudge
from .redis import SharedStores
from .refusals import NUMBERS

if TYPE_CHECKING:
    from .access_log_format import LogForm
    from .answering import Answering
    from .exchange import Exchange
    from .overload import Guard, Port
    from .pipeline import RouteHandler
    from .pool import EndpointPool, UpstreamPool
    from .tracing import Tracer

__all__ = ["HOUSEKEEPING_SECONDS", "STALL_SECONDS", "Core", "Deadlines", "Generation"]

SWEEP_SECONDS = 0.05
"""How late a timeout may strike. One sweep over the requests that have one is cheaper than a timer for each."""

HOUSEKEEPING_SECONDS = 0.5
FOLD_SECONDS = 0.0005
FOLD_EVERY_SECONDS = 0.005
"""Handlers of a new table are folded ahead of their first request for so long, so often: a tenth of a core at most."""

LOG_BATCH = 64
"""So many lines of the access log wait at most."""

STALL_SECONDS = 300.0
"""A request on which nothing moves is given up after so long (Envoy's stream idle timeout)."""


_HEX: Final = [b"%03x" % number for number in range(4096)]


class Swept(Protocol):
    """Something with a life to look after."""

    def sweep(self) -> None:
        """Called every `HOUSEKEEPING_SECONDS`."""


class Deadlines:
    """The exchanges that have a deadline, looked through every `SWEEP_SECONDS` while there are any."""

    __slots__ = ("_handle", "_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[Answering, None] = {}
        self._handle: asyncio.TimerHandle | None = None

    def add(self, exchange: Answering) -> None:
        """Watch over `exchange`."""
        self._waiting[exchange] = None
        if self._handle is None:
            self._handle = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    @property
    def watched(self) -> int:
        """How many exchanges are watched over."""
        return len(self._waiting)

    def discard(self, exchange: Answering) -> None:
        """No longer."""
        self._waiting.pop(exchange, None)

    def _sweep(self) -> None:
        now = monotonic()
        for exchange in list(self._waiting):
            exchange.expire(now)
        self._handle = self._loop.call_later(SWEEP_SECONDS, self._sweep) if self._waiting else None

    def stop(self) -> None:
        """Watch over nothing any more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class Generation:
    """One table and all that was made for it. Requests finish on the generation they began with."""

    __slots__ = (
        "_unlogged",
        "access_log",
        "behind_proxies",
        "handlers",
        "log",
        "log_counters",
        "log_texts",
        "mesh",
        "needs_headers",
        "pools",
        "preflights",
        "proxies",
        "refusals",
        "revision",
        "slots",
        "table",
    )

    def __init__(
        self,
        mesh: Mesh,
        table: RoutingTable,
        slots: Mapping[tuple[str, str], int],
        revision: str,
        pools: dict[str, UpstreamPool],
        access_log: bool,
    ) -> None:
        self.mesh = mesh
        self.table = table
        self.slots = slots
        self.revision = revision
        self.pools = pools
        self.access_log = access_log
        self.log: LogForm | None = None
        """How requests are logged that no route takes, where something is stated."""
        self.log_counters: LogCounters | None = None
        self.log_texts: dict[tuple[RouteHandler | None, EndpointPool | None], bytes] = {}
        """What of an access-log line depends on route and endpoint alone."""
        self.proxies = TrustedProxies(mesh.trusted_proxies)
        self.behind_proxies = bool(mesh.trusted_proxies)
        self.handlers: list[RouteHandler | None] = [None] * table.width
        self.needs_headers = table.needs_headers
        self.preflights = any(route.cors is not None for route in mesh.routes)
        """Whether a preflight may be for another route than its own."""
        self.refusals: RefusalCounters | None = None
        """None for requests that nobody sent, such as copies: what becomes of them is no refusal."""
        self._unlogged: Generation | None = None

    def count_refusal(self, problem: str) -> None:
        """One more refusal of a kind. What is no kind of refusal (a redirect, a direct response) is not counted."""
        number = NUMBERS.get(problem)
        if number is not None and self.refusals is not None:
            self.refusals.count(number)

    def unlogged(self) -> Generation:
        """The same, for requests that neither the access log nor the count of refusals speaks of."""
        if self._unlogged is None:
            self._unlogged = made = Generation(self.mesh, self.table, self.slots, self.revision, self.pools, False)
            made.handlers = self.handlers
        return self._unlogged

    def handler(self, entry: RouteEntry, core: Core) -> RouteHandler:
        """The handler of a route, folded when it is first asked for."""
        handler = self.handlers[entry.index]
        if handler is None:
            from .pipeline import fold

            handler = self.handlers[entry.index] = fold(entry.route, self, core)
        return handler


class Http2Tally:
    """What was counted of HTTP/2 since it was last told: ``connections`` and ``streams`` by those that were looked
    after, ``requests`` and ``broken_off`` as they come."""

    __slots__ = ("broken_off", "connections", "requests", "streams")

    def __init__(self) -> None:
        self.connections = 0
        self.streams = 0
        self.requests = 0
        self.broken_off = 0

    def tell(self, core: Core) -> None:
        """Write it into the cells, and begin anew."""
        generation = core.generation
        if generation is not None:
            base = generation.slots["http2", generation.mesh.iri]
            write_http2(
                core.cells.view, base, core.worker, self.connections, self.streams, self.requests, self.broken_off
            )
            self.requests = self.broken_off = 0
        self.connections = self.streams = 0


class Core:
    """See the module."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        cells: CellStore,
        worker: int = 0,
        workers: int = 1,
        lock: Lock = NO_LOCK,
        access_log: LineSink | None = None,
        audit: AuditBuffer | None = None,
    ) -> None:
        self.audit = audit
        self.tracers: dict[str, Tracer] = {}
        """Who samples and sends, by the tracing's IRI."""
        self.loop = loop
        self.cells = cells
        self.worker = worker
        self.workers = workers
        self.lock = lock
        self.write_log = access_log
        self._log_clock = LogClock()
        self._to_log: list[tuple[Answering, float]] = []
        """Who is over, and when, and is not in the log yet."""
        self.chosen_logs = False
        """Whether some request may have another line than the standard one, or none."""
        self._log_files: dict[str, AccessLog] = {}
        self._lines_told = (0, 0)
        self.random = Random().random  # noqa: S311 - draws shares and delays, not secrets
        self.heads = HeadReader(BlockJudge(loop))
        self.answers = AnswerReader()
        self.translations = Translations(self.answers)
        self.deadlines = Deadlines(loop)
        self.authenticators = Authenticators(loop)
        self.advisers = Advisers(loop)
        self.backend_tokens = BackendTokens(loop)
        self.caches = MemoryCaches()
        self.stores = SharedStores(loop, self.random, self._store_state)
        self.generation: Generation | None = None
        self.connections: set[Swept] = set()
        self.draining = False
        self.http2 = Http2Tally()
        self.ports: set[Port] = set()
        """Listening ports that are open."""
        self.guard: Guard | None = None
        """The overload guard, where the gateway has one."""
        self._id_prefix = b"%b%02x" % (os.urandom(6).hex().encode(), worker)
        self._id_count = 0
        self._id_start = b""
        """An id without its last three digits."""
        self._date_second = 0
        self._date = b""
        self._housekeeping: asyncio.TimerHandle | None = None
        self._folding: asyncio.TimerHandle | None = None

    def next_request_id(self) -> bytes:
        """A new id: unique over workers and restarts, and cheap. 26 hex digits."""
        count = self._id_count = self._id_count + 1
        low = count & 0xFFF
        if not low or not self._id_start:
            self._id_start = b"%b%09x" % (self._id_prefix, count >> 12)
        return self._id_start + _HEX[low]

    def date_line(self) -> bytes:
        """The Date field for answers that came without one (RFC 9110 §6.6.1)."""
        second = int(self.loop.time())
        if second != self._date_second:
            self._date_second = second
            self._date = b"Date: " + formatdate(usegmt=True).encode("ascii") + b"\r\n"
        return self._date

    def log(self, exchange: Answering, now: float) -> None:
        """One line in the access log, at the end of this turn of the loop: lines are written faster one after the other
        than each between two system calls, and nobody waits for one."""
        if self.write_log is None:
            return
        waiting = self._to_log
        waiting.append((exchange, now))
        if len(waiting) == 1:
            self.loop.call_soon(self.write_lines)
        elif len(waiting) >= LOG_BATCH:
            self.write_lines()

    def write_lines(self) -> None:
        """Give the access log the lines that wait."""
        write, waiting = self.write_log, self._to_log
        if not waiting or write is None:
            return
        self._to_log = []
        clock = self._log_clock
        if self.chosen_logs:
            self._write_chosen(write, waiting)
            return
        for exchange, now in waiting:
            write(access_line(cast(Finished, exchange), now - exchange.started, clock.at(now)))

    def _write_chosen(self, write: LineSink, waiting: list[tuple[Answering, float]]) -> None:
        for exchange, now in waiting:
            handler, at = exchange.handler, self._log_clock.at(now)
            form = handler.log if handler is not None else exchange.generation.log
            if form is not None:
                form.write(cast("Exchange", exchange), now - exchange.started, at)
            elif exchange.generation.mesh.access_log:
                write(access_line(cast(Finished, exchange), now - exchange.started, at))

    def log_sink(self, file: str | None) -> LineSink | None:
        """Where lines go that are to stand in `file`; None: where those of the standard line do."""
        if file is None or self.write_log is None:
            return self.write_log
        sink = self._log_files.get(file)
        if sink is None:
            sink = self._log_files[file] = AccessLog(Path(file))
        return sink

    def _store_state(self, iri: str, state: float) -> None:
        """Note whether a shared store answers, for observers."""
        slot = self.generation.slots.get(("redis", iri)) if self.generation is not None else None
        if slot is not None:
            self.cells.view[slot + self.worker * REDIS_CELLS] = state

    def begin_folding(self, generation: Generation) -> None:
        """`fold_ahead`, from the loop's next turn on."""
        if self._folding is not None:
            self._folding.cancel()
        self._folding = self.loop.call_later(0, self.fold_ahead, generation)

    def fold_ahead(self, generation: Generation, index: int = 0) -> None:
        """Fold the handlers of `generation` from `index` on, a few at a time, as long as it is in force: folding one
        takes as long as several requests, and no request should wait for it."""
        entries = generation.table.entries
        until = monotonic() + FOLD_SECONDS
        while index < len(entries) and generation is self.generation:
            generation.handler(entries[index], self)
            index += 1
            if monotonic() >= until:
                self._folding = self.loop.call_later(FOLD_EVERY_SECONDS, self.fold_ahead, generation, index)
                return

    def keep_house(self) -> None:
        """Start the housekeeping."""
        if self._housekeeping is None:
            self._housekeeping = self.loop.call_later(HOUSEKEEPING_SECONDS, self._keep_house)

    def _keep_house(self) -> None:
        self._housekeeping = self.loop.call_later(HOUSEKEEPING_SECONDS, self._keep_house)
        for connection in list(self.connections):
            connection.sweep()
        self.http2.tell(self)
        self.tell_lines()
        generation = self.generation
        if generation is not None:
            now = monotonic()
            for pool in generation.pools.values():
                if pool.open:
                    pool.expire(now)

    def tell_lines(self) -> None:
        """Add to the counters what became of the access log's lines since the last time."""
        self.write_lines()
        log, generation = self.write_log, self.generation
        if log is None or generation is None or generation.log_counters is None:
            return
        written, dropped = log.written, log.dropped
        for file in self._log_files.values():
            written += file.written
            dropped += file.dropped
        before = self._lines_told
        if (written, dropped) != before:
            generation.log_counters.count(written - before[0], dropped - before[1])
            self._lines_told = (written, dropped)

    def stop(self) -> None:
        """End housekeeping and deadlines."""
        self.write_lines()
        for file in self._log_files.values():
            file.close()
        self.tell_lines()
        if self._folding is not None:
            self._folding.cancel()
        self.deadlines.stop()
        self.authenticators.close()
        self.advisers.close()
        for tracer in self.tracers.values():
            tracer.close()
        self.stores.close()
        if self.guard is not None:
            self.guard.stop()
        if self._housekeeping is not None:
            self._housekeeping.cancel()
            self._housekeeping = None
