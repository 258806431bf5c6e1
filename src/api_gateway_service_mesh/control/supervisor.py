"""The control process: owns the source, builds, ships to the workers, reloads, drains.

A configuration goes live in steps that each may refuse it without harm: build (in a thread), ports, workers, and only
then the rest of the world hears of it. Whatever refuses it, the one before stays in force, and the report is kept and
printed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from api_gateway_service_mesh.discovery import Discoveries
from api_gateway_service_mesh.errors import AgwError, ConfigError, Finding, Report
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.report import render_report
from api_gateway_service_mesh.vocabulary import GRAPH_RUNTIME, PREFIXES

from .as_of import AsOf
from .audit import Audit
from .build import Build
from .change_rights import guard_change
from .delta import between
from .differences import differences
from .discovery import Discovered
from .doctor import Doctor
from .early import Early
from .feed import Feed
from .follow import Follower
from .gate import Gate
from .history import Author, History, Revision
from .issuing import Issuing
from .live import Live
from .memory import Collections
from .metrics import ControlCounters
from .options import ServeOptions
from .placement import Placer, empty_places
from .plane import Plane
from .progress import patient
from .registration import Registrations
from .runtime import runtime_ntriples
from .snapshot import Snapshot
from .sparql.dataset import DEFAULT_GRAPHS
from .sparql.service import Dataset, SparqlService
from .store import ConfigStore, StoreConflict, StoreReadOnly, StoreUnavailable
from .stores import open_store
from .update import Edit, PreconditionFailed, matches, refusal
from .used import watched_files
from .warm import Keeper
from .watch import Watch

__all__ = ["Revision", "Supervisor"]

_LEAST_GROWTH = 256 * 1024 * 1024
_TRIES = 3
_log = logging.getLogger("agw.control")


class Supervisor:
    """See the module. ``say`` takes each line meant for the person who started the gateway."""

    def __init__(self, options: ServeOptions, plane: Plane, say: Callable[[str], None]) -> None:
        self.options = options
        self.workers = plane.workers
        self.store: ConfigStore = open_store(options)
        self.history = History(self.store.delta)
        self.as_of = AsOf(self.history, options)
        self.build: Build | None = None
        self.live: Live | None = None
        self.refused: Report | None = None
        """Why the latest configuration is not in force; None when it is."""
        self.started = self.draining = False
        self.sparql = SparqlService(options.sparql)
        self._say = say
        self._plane = plane
        self._pool = plane.pool
        self._ports = plane.ports(options.host, options.port)
        self._loading = asyncio.Lock()
        self._discovered = Discovered(Discoveries(self._rediscover))
        self.issuing = Issuing(self._ports, self._loading, say)
        self.gate = Gate(options.gateway, options.policies)
        self._keeper = Keeper(
            self.store.compiled, options.gateway, lambda: self.gate.policies, plane.workers, empty_places(plane)
        )
        self._feed = Feed()
        self.audit = Audit(say)
        entries = Registrations(lambda: self.addresses, self._unready)
        told = self.audit, self.issuing.statuses, self._discovered, entries
        self._watch = Watch(plane, say, *told, lambda: self.counters, options.routes)
        self.doctor = Doctor(self.sparql, self._watch.prober.failures)
        plane.pool.on_audit = self.audit.decided
        self._placer = Placer(plane)
        self._early = Early(plane, self._ports, self._discovered, self._placer, self._watch, say)
        self._collections = Collections(_LEAST_GROWTH)
        self._follower = Follower(self.store, options, self.reload, self._files)
        self._number = 0
        self._reloads = self._rejected = 0

    @property
    def revisions(self) -> tuple[Revision, ...]:
        """What went live, and what was refused, oldest first."""
        return tuple(self.history)

    @property
    def ready(self) -> bool:
        """At least one worker serves the revision in force, and the gateway is not ending."""
        return self.served is not None and not self.draining and self._pool.serving > 0

    @property
    def served(self) -> int | None:
        """The number of the revision in force. It may be known before ``live`` is, at a start from what the last run
        compiled."""
        return self.live.revision if self.live is not None else self._early.revision

    def _unready(self) -> str | None:
        """Why `ready` does not hold."""
        return None if self.ready else "draining" if self.draining else "no worker serves"

    @property
    def addresses(self) -> tuple[tuple[str, str, int], ...]:
        """Scheme, host and port of every open listener."""
        return self._ports.addresses

    @property
    def counters(self) -> ControlCounters:
        """Counters for ``/metrics``."""
        pool, sparql = self._pool, self.sparql
        asked = sparql.queries_total, sparql.refused_total, sparql.killed_total
        return ControlCounters(self._reloads, self._rejected, pool.restarts_total, *asked, pool.serving, pool.failing)

    async def start(self) -> None:
        """Start the query processes, load, and serve; the workers were started before.

        Raises:
            ConfigError: the configuration is wrong.
            AgwError: a port cannot be had, or the workers do not come up.
        """
        querying = asyncio.create_task(self.sparql.start())
        try:
            if self.store.remark:
                self._say(self.store.remark)
            earlier = await asyncio.to_thread(self.store.restored)
            self.history.restore(earlier)
            self._number = earlier[-1].number or 0 if earlier else 0
            await self._serve_compiled(earlier[-1].digest if earlier else await asyncio.to_thread(self.store.content))
            await self.load()
        finally:
            await querying
        self.started = True

    async def _serve_compiled(self, digest: str | None) -> None:
        """Serve what the last run compiled of the same configuration, while that is read and checked again."""
        compiled = await asyncio.to_thread(self._keeper.load, digest)
        if compiled is None:
            return
        self.live = await self._early.serve(compiled, self._number)
        if self.live is not None:
            self._plane.slots = self.live.slots

    async def stop(self) -> None:
        """Drain the workers, end everything."""
        self.draining = True
        await self._keeper.finish()
        await self._discovered.stop()
        await self._watch.stop()
        await self.issuing.stop()
        await self._plane.stop(self.options.drain_seconds)
        await self.sparql.stop()
        self._ports.close()
        await asyncio.to_thread(self.store.close)
        await asyncio.to_thread(self.audit.close)

    def kill(self) -> None:
        """End the workers without draining."""
        self._pool.kill()

    def request_reload(self) -> None:
        """Ask for a load, soon; several requests are one. Safe in a signal handler of the loop."""
        self._follower.request()

    async def follow(self, stop: asyncio.Event) -> None:
        """Load again whenever a file changes (if so asked) or `request_reload` is called, until `stop`."""
        keeping = asyncio.create_task(self._keeper.run())
        try:
            await self._follower.run(stop)
        finally:
            keeping.cancel()

    def _files(self) -> Iterator[Path]:
        """Whose change is a reason to load again, besides the configuration's own: policy packs and certificates."""
        return iter((*self.gate.files, *watched_files(self.build.mesh if self.build is not None else None)))

    async def reload(self, *, renew: bool = True) -> bool:
        """Load again; True when a new revision went live. A configuration that is refused changes nothing. What was
        said of it is not said again while it stays the same."""
        before = self.refused
        try:
            return await self.load(renew=renew)
        except ConfigError as error:
            if error.report != before:
                self._say("the new configuration is refused; the one before stays in force")
                text = render_report(error.report, colour=self.options.colour, width=self.options.width)
                self._say(text.rstrip("\n"))
        except AgwError as error:
            if self.refused != before:
                remedy = f" ({error.remedy})" if error.remedy else ""
                self._say(f"the new configuration is refused; the one before stays in force: {error.message}{remedy}")
        except Exception:
            _log.exception("loading failed")
            self._say("the new configuration could not be loaded; the one before stays in force")
        return False

    async def load(self, *, renew: bool = True) -> bool:
        """Read, build and go live. False: it is what is served already; then certificates are read again (`renew`).

        Raises:
            ConfigError, AgwError: refused, at whatever step; what was served still is.
        """
        async with self._loading:
            started = time.perf_counter()
            at = datetime.now(UTC)
            try:
                made = await asyncio.to_thread(self._compile, None)
                if made is None:
                    renewed = await self._ports.renew() if renew else []
                    if renewed:
                        self._say("certificates are loaded again: " + ", ".join(f"port {port}" for port in renewed))
                    if self.refused is not None:
                        self.refused = None
                        self._say("the configuration is again the one in force")
                    return False
                where = ", ".join(made.source.files) or None
                await self._go_live(made, at, started, Author("agw", "loaded", where))
            except AgwError as error:
                if self.build is not None:
                    self.refused = self._refused(error, at, time.perf_counter() - started, Author())
                raise
            return True

    async def update(
        self, edit: Edit, author: Author, *, if_match: str | None = None, rolled_back_to: int | None = None
    ) -> Revision:
        """Change the configuration: all of what `edit` wants, or nothing. The revision in force afterwards.

        Args:
            if_match: an ``If-Match`` field that the configuration in force must match.

        Raises:
            StoreReadOnly: the store takes no changes.
            PreconditionFailed: `if_match` does not match.
            UpdateRefused: the configuration would be wrong.
            AgwError: the edit itself, the store or the workers fail. Whatever is raised, nothing has changed.
        """
        for _ in range(_TRIES):
            try:
                return await self._update(edit, author, if_match, rolled_back_to)
            except StoreConflict as conflict:
                # Somebody else was quicker. What they wrote is loaded, and the edit made anew from it.
                try:
                    moved = await self.load(renew=False)
                except AgwError:
                    raise conflict from None
                if not moved and self.store.watched:
                    raise
        return await self._update(edit, author, if_match, rolled_back_to)

    async def _update(self, edit: Edit, author: Author, if_match: str | None, rolled_back_to: int | None) -> Revision:
        async with self._loading:
            started = time.perf_counter()
            at = datetime.now(UTC)
            before = self.build
            current = self.history.latest
            if before is None or current is None:
                raise StoreUnavailable("the configuration is still being loaded")
            if if_match is not None and not matches(if_match, before.source.digest):
                raise PreconditionFailed(
                    f"the configuration is at revision {current.number} now, not at the one that If-Match names",
                    remedy="read it again, make the change anew, and send it with the new ETag",
                )
            if self.store.read_only is not None:
                raise StoreReadOnly(self.store.read_only, remedy="edit the files: they are read when they are saved")
            try:
                delta = await edit(before)
                if not delta:
                    return current
                await guard_change(before, delta, author, self.audit)
                source = await asyncio.to_thread(self.store.propose, before.source, delta)
                made = await asyncio.to_thread(self._compile, source)
                if made is None:
                    return current
                return await self._go_live(made, at, started, author, keep=True, rolled_back_to=rolled_back_to)
            except ConfigError as error:
                self._refused(error, at, time.perf_counter() - started, author)
                raise refusal(error) from None

    def _compile(self, source: SourceGraph | None) -> Build | None:
        """The build of `source` (None: of what the store says now); None when that is in force. Runs in a thread."""
        if source is None:
            told = patient(self._say) if self.build is None else None
            return self.gate.reloaded(self.store.read, self.build, told)
        return self.gate.compiled(lambda: source, self.build)

    async def _go_live(
        self,
        made: Build,
        at: datetime,
        started: float,
        author: Author,
        *,
        keep: bool = False,
        rolled_back_to: int | None = None,
    ) -> Revision:
        """Ports, store, workers, the world, in this order; `keep`: the store has yet to be told."""
        before = self.build
        delta = await asyncio.to_thread(between, before.source if before is not None else None, made.source)
        latest = self.history.latest
        restored = before is None and latest is not None and latest.digest == made.source.digest
        number = self._number if restored else self._number + 1
        revision = Revision.of(number, at, made.source.digest, len(made.mesh.routes), delta, author, latest)
        changed = differences(before.mesh if before is not None else None, made.mesh)
        revision = replace(revision, changed=changed, rolled_back_to=rolled_back_to)
        async with self._discovered.adopting(made.mesh) as mesh:
            placed = await asyncio.to_thread(self._placer.place, mesh, self.live)
            wanted = self._ports.wanted(mesh)
            fresh = self._ports.reserved(wanted)
            kept = False
            await self.issuing.prepare(mesh)
            snapshot = Snapshot(mesh, placed.slots, number, self.live.edition + 1 if self.live is not None else 0)
            try:
                if keep or not restored:
                    await asyncio.to_thread(self.store.commit, revision, made.source)
                    kept = True
                await self._pool.ship(snapshot, placed.difference, placed.fresh)
                await self._ports.open(wanted, fresh)
            except BaseException:
                self._ports.give_back(fresh)
                if kept:
                    await asyncio.to_thread(self.store.retract)
                if self.build is not None and self.live is not None:
                    await self._pool.ship(self.live.snapshot)
                raise
            await self._ports.close_others(wanted)
            await asyncio.to_thread(self._placer.release, placed)
            self._number = number
            self._reloads += before is not None
            self.build = made
            content = await asyncio.to_thread(self.store.content, made.source)
            self._keeper.changed(content or made.source.digest, made.mesh)
            self.refused = None
            await asyncio.to_thread(self.audit.adopt, mesh)
            self.issuing.update(mesh)
            live = self._serve(self._watch.live(snapshot, at))
        revision = replace(revision, seconds=time.perf_counter() - started)
        if restored:
            self.history.serve(made.source)
        else:
            self.history.record(revision, made.source)
        self.audit.went_live(revision)
        prefixes = {**PREFIXES, **made.source.prefixes}
        quads, changes = self._feed.next(made, tuple(self.history.revisions()))
        previous = number - 1 if changes is not None else -1
        dataset = Dataset(number, quads, DEFAULT_GRAPHS, GRAPH_RUNTIME, prefixes, previous, changes)
        edited = self.store.read_only is None
        self.sparql.use(dataset, lambda: runtime_ntriples(self.live or live) + self.doctor.facts(number), edited=edited)
        if made.report.findings and not keep:
            self._say(render_report(made.report, colour=self.options.colour, width=self.options.width).rstrip("\n"))
        if before is not None:
            by = f" by {author.who}" if keep else ""
            self._say(f"revision {number}{by} is live after {revision.seconds:.2f} s: {revision.changed}")
        self._collections.settle()
        return revision

    def _serve(self, live: Live) -> Live:
        """`live` is what is served from now on."""
        self.live = live
        self._plane.slots = live.slots
        self._watch.update(live)
        return live

    async def _rediscover(self) -> None:
        """Serve what is discovered by now."""
        async with self._discovered.shipping:
            if self.live is not None:
                self._serve(await self._discovered.ship(self.live, self._placer, self._pool))

    def _refused(self, error: AgwError, at: datetime, seconds: float, author: Author) -> Report:
        finding = Finding(error.problem, error.message, remedy=error.remedy)
        report = error.report if isinstance(error, ConfigError) else Report((finding,))
        if report == self.refused:  # asked again, it said the same
            return report
        self._rejected += 1
        self.audit.refused(report, author)
        self.history.record(Revision(None, at, None, 0, seconds, refused=report, author=author), None)
        return report
