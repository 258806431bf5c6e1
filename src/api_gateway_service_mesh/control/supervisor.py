"""The control process: owns the source, builds, ships to the workers, reloads, drains.

A configuration goes live in steps that each may refuse it without harm: build (in a thread), ports, workers, and only
then the rest of the world hears of it. Whatever refuses it, the one before stays in force, and the report is kept and
printed.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from api_gateway_service_mesh.errors import AgwError, ConfigError, Finding, Report
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.report import render_report
from api_gateway_service_mesh.model import Listener, Mesh
from api_gateway_service_mesh.policies import layout_for
from api_gateway_service_mesh.proxy.prober import HealthProber
from api_gateway_service_mesh.vocabulary import GRAPH_RUNTIME, PREFIXES

from .build import Build, build
from .dataplane import DataPlane
from .differences import Differences, differences
from .live import Live, certificates
from .metrics import ControlCounters
from .options import ServeOptions
from .ports import Reservation, reserve
from .reload import changes, fingerprint
from .rollout import Rollouts
from .runtime import runtime_ntriples
from .snapshot import Snapshot
from .sparql.dataset import DEFAULT_GRAPHS, dataset_quads
from .sparql.service import Dataset, SparqlService
from .workers import Binding

__all__ = ["Revision", "Supervisor"]

_REVISIONS = 256
_COLLECT_EVERY = 4
_log = logging.getLogger("agw.control")


@dataclass(frozen=True, slots=True)
class Revision:
    """One attempt to change what is served. ``number`` is None when it was refused, and ``refused`` says why."""

    number: int | None
    at: datetime
    digest: str | None
    routes: int
    seconds: float
    changed: Differences | None = None
    refused: Report | None = None


class Supervisor:
    """See the module. ``say`` takes each line meant for the person who started the gateway."""

    def __init__(self, options: ServeOptions, plane: DataPlane, say: Callable[[str], None]) -> None:
        self.options = options
        self.workers = plane.workers
        self.revisions: deque[Revision] = deque(maxlen=_REVISIONS)
        self.build: Build | None = None
        self.live: Live | None = None
        self.refused: Report | None = None
        """Why the latest configuration is not in force; None when it is."""
        self.started = False
        self.draining = False
        self.sparql = SparqlService(options.sparql)
        self._say = say
        self._plane = plane
        self._pool = plane.pool
        # Probes run here: once for all workers, away from requests, and a worker's crash does not end them.
        self._prober = HealthProber(plane.cells, lock=plane.lock)
        self._rollouts = Rollouts(plane.cells, self.workers, {}, say)
        self._reservations: dict[tuple[str, int], Reservation] = {}
        self._bindings: dict[tuple[str, int], Binding] = {}
        self._loading = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._seen = fingerprint(options.files)
        self._number = 0
        self._reloads = 0
        self._rejected = 0

    @property
    def ready(self) -> bool:
        """At least one worker serves the revision in force, and the gateway is not ending."""
        return self.live is not None and not self.draining and self._pool.serving > 0

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Process ids of the workers."""
        return self._pool.pids

    @property
    def addresses(self) -> tuple[tuple[str, str, int], ...]:
        """Scheme, host and port of every open listener."""
        return tuple(
            ("http" if binding.listener.certificate is None else "https", binding.host, binding.port)
            for binding in self._bindings.values()
        )

    @property
    def counters(self) -> ControlCounters:
        """Counters for ``/metrics``."""
        return ControlCounters(
            reloads=self._reloads,
            rejected=self._rejected,
            restarts=self._pool.restarts_total,
            queries=self.sparql.queries_total,
            queries_refused=self.sparql.refused_total,
            query_processes_replaced=self.sparql.killed_total,
            workers_serving=self._pool.serving,
        )

    async def start(self) -> None:
        """Start the query processes, load, and serve; the workers were started before.

        Raises:
            ConfigError: the configuration is wrong.
            AgwError: a port cannot be had, or the workers do not come up.
        """
        querying = asyncio.create_task(self.sparql.start())
        try:
            await self.load()
        finally:
            await querying
        self.started = True

    async def stop(self) -> None:
        """Drain the workers, end everything."""
        self.draining = True
        await self._prober.stop()
        await self._rollouts.stop()
        await self._plane.stop(self.options.drain_seconds)
        await self.sparql.stop()
        for reservation in self._reservations.values():
            reservation.close()

    def kill(self) -> None:
        """End the workers without draining."""
        self._pool.kill()

    def request_reload(self) -> None:
        """Ask for a load, soon; several requests are one. Safe in a signal handler of the loop."""
        self._wanted.set()

    async def follow(self, stop: asyncio.Event) -> None:
        """Load again whenever a file changes (if so asked) or `request_reload` is called, until `stop`."""
        watching = asyncio.create_task(self._watch(stop)) if self.options.watch and self.options.files else None
        try:
            while not stop.is_set():
                await self._wanted.wait()
                self._wanted.clear()
                await self.reload()
        finally:
            if watching is not None:
                watching.cancel()

    async def _watch(self, stop: asyncio.Event) -> None:
        try:
            async for _ in changes(self._files, self._seen, stop):
                self._wanted.set()
        except Exception:
            _log.exception("the files cannot be watched any more; SIGHUP still loads them again")

    def _files(self) -> Iterator[Path]:
        """What a change of is a reason to load again: the configuration, and the certificates it names."""
        yield from self.options.files
        if self.build is None:
            return
        for certificate in certificates(self.build.mesh):
            key = certificate.private_key_ref or ""
            names = (certificate.certificate_file, certificate.trust_bundle_file, key.partition("file:")[2])
            yield from (Path(name) for name in names if name)

    async def reload(self) -> bool:
        """Load again; True when a new revision went live. A configuration that is refused changes nothing."""
        try:
            return await self.load()
        except ConfigError as error:
            self._say("the new configuration is refused; the one before stays in force")
            self._say(render_report(error.report, colour=self.options.colour, width=self.options.width).rstrip("\n"))
        except AgwError as error:
            remedy = f" ({error.remedy})" if error.remedy else ""
            self._say(f"the new configuration is refused; the one before stays in force: {error.message}{remedy}")
        except Exception:
            _log.exception("loading failed")
            self._say("the new configuration could not be loaded; the one before stays in force")
        return False

    async def load(self) -> bool:
        """Read, build and go live. False: it is what is served already.

        Raises:
            ConfigError, AgwError: refused, at whatever step; what was served still is.
        """
        async with self._loading:
            started = time.perf_counter()
            at = datetime.now(UTC)
            try:
                made = await asyncio.to_thread(self._compile)
                if made is None:
                    await self._renew_listeners()
                    if self.refused is not None:
                        self.refused = None
                        self._say("the configuration is again the one in force")
                    return False
                await self._go_live(made, at, started)
            except AgwError as error:
                self._refused(error, at, time.perf_counter() - started)
                raise
            return True

    def _compile(self) -> Build | None:
        """The build of what the source says now; None when it says what it said before. Runs in a thread."""
        gc.disable()  # little made here is garbage, and a collection over a large graph costs more than its building
        try:
            source = (
                self.options.load() if self.options.load is not None else SourceGraph.load(list(self.options.files))
            )
            if self.build is not None:
                if source.digest == self.build.source.digest:
                    return None
                if not source.rows:
                    raise ConfigError(
                        Finding("empty", "the configuration has no triples", remedy="the one before stays in force")
                    )
            made = build(source, self.options.gateway, previous=self.build)
            if self.build is not None and self.build.mesh.routes and not made.mesh.routes:
                raise ConfigError(
                    Finding(
                        "no-routes",
                        "the configuration has no routes any more; an empty one never replaces one that serves",
                        remedy="stop the gateway if nothing is to be served",
                    )
                )
            return made
        finally:
            gc.freeze()
            gc.enable()

    async def _go_live(self, made: Build, at: datetime, started: float) -> None:
        number = self._number + 1
        slots = await asyncio.to_thread(layout_for, made.mesh, self._plane.layout, self.workers)
        wanted = self._listeners(made.mesh)
        fresh = {place: reserve(listener, *place) for place, listener in wanted.items() if place not in self._bindings}
        try:
            await self._pool.ship(Snapshot(made.mesh, slots, number))
            await self._open(wanted, fresh)
        except BaseException:
            for place, reservation in fresh.items():
                if place not in self._bindings:
                    reservation.close()
            if self.build is not None and self.live is not None:
                await self._pool.ship(Snapshot(self.build.mesh, self.live.slots, self._number))
            raise
        for place in [place for place in self._bindings if place not in wanted]:
            await self._pool.close(self._bindings.pop(place).key)
            self._reservations.pop(place).close()
        self._plane.layout.release_missing(set(slots))
        self._plane.slots = slots
        self._number = number
        before = self.build.mesh if self.build is not None else None
        self._reloads += before is not None
        self.build = made
        self.refused = None
        decisions = self._rollouts.decisions
        self.live = live = Live(made.mesh, slots, self._plane.cells, self.workers, number, at, decisions)
        self._prober.update(made.mesh, slots)
        self._rollouts.update(made.mesh, slots)
        store = made.validated.store
        prefixes = {**PREFIXES, **made.source.prefixes}
        dataset = Dataset(number, lambda: dataset_quads(store), DEFAULT_GRAPHS, GRAPH_RUNTIME, prefixes)
        self.sparql.use(dataset, lambda: runtime_ntriples(live))
        seconds = time.perf_counter() - started
        changed = differences(before, made.mesh)
        routes = len(made.mesh.routes)
        self.revisions.append(Revision(number, at, made.source.digest, routes, seconds, changed))
        if made.report.findings:
            self._say(render_report(made.report, colour=self.options.colour, width=self.options.width).rstrip("\n"))
        if before is not None:
            self._say(f"revision {number} is live after {seconds:.2f} s: {changed}")
        if number % _COLLECT_EVERY == 0:
            # What `_compile` froze is shown to the collector again, now that nobody waits.
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    async def _open(self, wanted: dict[tuple[str, int], Listener], fresh: dict[tuple[str, int], Reservation]) -> None:
        """Open new ports, and renew what changed on open ones. A port that fails leaves those opened before it
        closed."""
        opened: list[tuple[str, int]] = []
        try:
            for place, listener in wanted.items():
                known = self._bindings.get(place)
                if known is not None and known.listener == listener:
                    continue
                port = known.port if known is not None else fresh[place].port
                binding = Binding(listener, place[0], port)
                await self._pool.listen(binding)
                if known is None:
                    opened.append(place)
                    self._reservations[place] = fresh[place]
                self._bindings[place] = binding
        except AgwError:
            for place in opened:
                await self._pool.close(self._bindings.pop(place).key)
                del self._reservations[place]
            raise

    async def _renew_listeners(self) -> None:
        """The same configuration again: its certificate files may have new content."""
        renewed = [binding for binding in self._bindings.values() if binding.listener.certificate is not None]
        for binding in renewed:
            await self._pool.listen(binding)
        if renewed:
            self._say("certificates are loaded again: " + ", ".join(f"port {binding.port}" for binding in renewed))

    def _listeners(self, mesh: Mesh) -> dict[tuple[str, int], Listener]:
        """Where to listen: the model's listeners, or the options' one place, or 0.0.0.0:8080."""
        options = self.options
        listeners = mesh.listeners or (Listener("urn:agw:listener", 8080),)
        if options.port is not None and len(listeners) > 1:
            raise AgwError(
                f"the configuration states {len(listeners)} listeners, so --port cannot say which one it means",
                remedy="leave --port out, or state one agw:Listener",
            )
        found: dict[tuple[str, int], Listener] = {}
        for listener in listeners:
            port = listener.port if options.port is None else options.port
            found[options.host if options.host is not None else listener.bind_address, port] = listener
        return found

    def _refused(self, error: AgwError, at: datetime, seconds: float) -> None:
        if self.build is None:
            return
        self._rejected += 1
        finding = Finding(error.problem, error.message, remedy=error.remedy)
        report = error.report if isinstance(error, ConfigError) else Report((finding,))
        self.refused = report
        self.revisions.append(Revision(None, at, None, 0, seconds, refused=report))
