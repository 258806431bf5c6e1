"""Live rates of routes, services and the gateway: the counters in the cells, looked at once a second.

It is done in the control process, away from requests: workers count as they do without it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import quote

from api_gateway_service_mesh.model import Mesh, Route, Upstream
from api_gateway_service_mesh.policies import BUCKET_SECONDS, CellStore, read_endpoint, read_route
from api_gateway_service_mesh.policies.counters import ENDPOINT_CELLS, ROUTE_CELLS
from api_gateway_service_mesh.telemetry import Family, Kind, Sample
from api_gateway_service_mesh.telemetry.live_rate import LIVE_TIERS, WINDOWS, Counts, LiveRate, Series, rate_of
from api_gateway_service_mesh.vocabulary import AGW, RDF_TYPE, XSD

from .apart import apart

if TYPE_CHECKING:
    from .live import Live

__all__ = ["Rates", "rate_families", "rate_triples", "window_name"]

LOOK_EVERY_SECONDS = 1.0
_FRESH_SECONDS = 0.2
_METRICS_SECONDS = 60.0
_log = logging.getLogger("agw.rates")
_Subject = tuple[str, str]
"""``route``, ``service`` or ``gateway``, and the IRI."""


class Rates:
    """See the module. Looks on one event loop; is asked from any thread."""

    def __init__(self, cells: CellStore, workers: int) -> None:
        self._cells = cells
        self._workers = workers
        self._born = monotonic()
        self._looked = 0.0
        self._lock = threading.Lock()
        self._spans: dict[_Subject, tuple[int, int]] = {}
        self._raw: dict[_Subject, bytes] = {}
        self._counts: dict[_Subject, Counts] = {}
        self._mesh: Mesh | None = None
        self._endpoints: dict[_Subject, tuple[_Subject, ...]] = {}
        """Of each service."""
        self._routes: dict[_Subject, dict[_Subject, None]] = {}
        """Of each service, those that send to it and nowhere else."""
        self._used_by: dict[_Subject, dict[_Subject, None]] = {}
        """The services of an endpoint, or of a route that sends to one."""
        self._gateway: _Subject = ("gateway", "")
        self._active: dict[_Subject, Series] = {}
        self._task: asyncio.Task[None] | None = None

    def update(self, mesh: Mesh, slots: Mapping[tuple[str, str], int]) -> None:
        """Look at what is in `mesh` from now on; what was known keeps its past."""
        with self._lock:
            before, self._mesh = self._mesh, mesh
            # What did not change is the same object in both, so that a change of one route costs that.
            routes = apart(before.routes if before is not None else (), mesh.routes)
            services = apart(before.upstreams if before is not None else (), mesh.upstreams)
            for route in routes[0]:
                self._leave(("route", route.iri), _only_service(route))
            for upstream in services[0]:
                for part in self._endpoints.pop(("service", upstream.iri), ()):
                    self._leave(part, ("service", upstream.iri))
            for upstream in services[1]:
                service = "service", upstream.iri
                held = self._endpoints[service] = tuple(dict.fromkeys(_parts(upstream)))
                for part in held:
                    self._spans[part] = self._span(slots[part], ENDPOINT_CELLS)
                    self._used_by.setdefault(part, {})[service] = None
            for route in routes[1]:
                subject, only = ("route", route.iri), _only_service(route)
                self._spans[subject] = self._span(slots[subject], ROUTE_CELLS)
                if only is not None:
                    self._routes.setdefault(only, {})[subject] = None
                    self._used_by[subject] = {only: None}
            gone = {("route", route.iri) for route in routes[0]}
            gone.update(("service", upstream.iri) for upstream in services[0])
            gone.update(part for upstream in services[0] for part in _parts(upstream))
            if before is not None and before.iri != mesh.iri:
                gone.add(self._gateway)
            self._gateway = ("gateway", mesh.iri)
            for subject in gone:
                if subject not in self._spans and subject not in self._endpoints and subject != self._gateway:
                    self._raw.pop(subject, None)
                    self._counts.pop(subject, None)
                    self._active.pop(subject, None)
        if self._task is None:
            self.look(monotonic())
            self._task = asyncio.get_running_loop().create_task(self._run(), name="live rates")

    def _leave(self, part: _Subject, service: _Subject | None) -> None:
        """A route or an endpoint is no part of `service` any more, and not looked at where nothing has it."""
        used = self._used_by.get(part, {})
        if service is not None:
            used.pop(service, None)
            if part[0] == "route":
                left = self._routes.get(service, {})
                left.pop(part, None)
                if not left:
                    self._routes.pop(service, None)
        if not used:
            self._used_by.pop(part, None)
            self._spans.pop(part, None)

    async def stop(self) -> None:
        """Look no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        took = 0.0
        while True:
            # With ten thousand routes that all have requests a look takes half a second: then it is taken less often.
            await asyncio.sleep(max(LOOK_EVERY_SECONDS, 9.0 * took))
            begun = monotonic()
            try:
                self.look(begun)
                took = monotonic() - begun
            except Exception:
                _log.exception("live rates cannot be reckoned; those shown grow old")

    def look(self, now: float) -> None:
        """Take a sample at `now` of the monotonic clock."""
        with self._lock:
            self._look(now)

    def read(self) -> dict[_Subject, tuple[LiveRate, ...]]:
        """The rates of now, of everything that had a request in the last five minutes; the gateway's first."""
        with self._lock:
            now = monotonic()
            if now - self._looked > _FRESH_SECONDS:
                self._look(now)
            found: dict[_Subject, tuple[LiveRate, ...]] = {}
            for subject in sorted(self._active):
                series = self._active[subject]
                rates = [rate_of(series, now, seconds, BUCKET_SECONDS) for seconds in WINDOWS]
                if known := tuple(rate for rate in rates if rate is not None):
                    found[subject] = known
            return found

    def counted(self, subject: tuple[str, str]) -> Counts | None:
        """Requests, errors and the latency histogram of a route or service since the start; None: nothing yet."""
        with self._lock:
            return self._counts.get(subject)

    def _look(self, now: float) -> None:
        before, self._looked = self._looked or now, now
        view, raw = self._cells.view, self._raw
        moved: set[_Subject] = set()
        grown = [0.0] * (2 + len(BUCKET_SECONDS) + 1)
        for subject, (start, end) in self._spans.items():
            # Of many routes few have a request in a second: the bytes of the others are those of the last look.
            content = view[start:end].tobytes()
            known = raw.get(subject)
            if known == content:
                continue
            raw[subject] = content
            if known is None and content.count(0) == len(content):
                continue  # nothing yet: so it is of almost all at the start
            counts = self._counted(subject, start)
            old = self._counts.get(subject)
            moved.update(service for service in self._used_by.get(subject, ()) if service in self._endpoints)
            if subject[0] == "route":
                self._moved(subject, counts, before, now)
                if old is None or counts[0] >= old[0]:
                    grown = [g + c - o for g, c, o in zip(grown, counts, old or (0.0,) * len(counts), strict=True)]
            self._counts[subject] = counts
        for subject in moved:
            counts = self._served(subject)
            self._moved(subject, counts, before, now)
            self._counts[subject] = counts
        if grown[0]:
            so_far = self._counts.get(self._gateway) or (0.0,) * len(grown)
            total = tuple(s + g for s, g in zip(so_far, grown, strict=True))
            self._moved(self._gateway, total, before, now)
            self._counts[self._gateway] = total
        for subject, series in list(self._active.items()):
            series.add(now, self._counts[subject])
            if series.quiet(now):
                del self._active[subject]

    def _moved(self, subject: _Subject, counts: Counts, before: float, now: float) -> None:
        """`subject` has counted something since `before`: it is sampled from now on."""
        if subject not in self._active and any(counts):
            old = self._counts.get(subject) or (0.0,) * len(counts)
            self._active[subject] = Series(LIVE_TIERS, min(before, now), old, self._born)

    def _span(self, base: int, size: int) -> tuple[int, int]:
        return base, base + size * self._workers

    def _counted(self, subject: _Subject, base: int) -> Counts:
        if subject[0] == "route":
            route = read_route(self._cells.view, base, self._workers)
            return (float(route.requests), float(route.errors), *map(float, route.buckets))
        endpoint = read_endpoint(self._cells.view, base, self._workers)
        return float(endpoint.requests), float(endpoint.failures)

    def _served(self, service: _Subject) -> Counts:
        """Attempts and failures of a service's endpoints, and how long requests took on the routes that are its own."""
        endpoints, routes = self._endpoints[service], self._routes.get(service, ())
        nothing: Counts = (0.0,) * (2 + len(BUCKET_SECONDS) + 1)
        tried = [self._counts.get(each, nothing) for each in endpoints]
        timed = [self._counts.get(each, nothing)[2:] for each in routes] or [nothing[2:]]
        counted = sum(each[0] for each in tried), sum(each[1] for each in tried)
        return (*counted, *(sum(column) for column in zip(*timed, strict=True)))


def _only_service(route: Route) -> _Subject | None:
    """The service that all requests of `route` go to; None where they are split, or there is none."""
    return ("service", route.upstream) if route.upstream is not None and not route.splits else None


def _parts(upstream: Upstream) -> Iterator[_Subject]:
    return (("endpoint", each.iri) for each in upstream.endpoints)


def rate_triples(live: Live) -> Iterator[tuple[str, str, str]]:
    """Subject, predicate, and the object as N-Triples has it: one agw:LiveRate a subject and window."""
    for (_, iri), rates in live.rates().items():
        for rate in rates:
            window = window_name(rate.seconds)
            node = f"urn:agw:rate:{window}:{quote(iri, safe='')}"
            yield iri, AGW.hasLiveRate, f"<{node}>"
            yield node, RDF_TYPE, f"<{AGW.LiveRate}>"
            yield node, AGW.rateWindow, f'"{window}"^^<{XSD.dayTimeDuration}>'
            yield node, AGW.requestRate, _decimal(rate.per_second)
            yield node, AGW.errorShare, _decimal(rate.error_share)
            if rate.latency is not None:
                for term, seconds in zip((AGW.latencyP50, AGW.latencyP95, AGW.latencyP99), rate.latency, strict=True):
                    yield node, term, _decimal(seconds)


def rate_families(live: Live) -> Iterator[Family]:
    """The rates of the last minute, for those whose monitoring cannot reckon them from the counters."""
    found = [
        ((kind, iri), rate)
        for (kind, iri), rates in live.rates().items()
        for rate in rates
        if rate.seconds == _METRICS_SECONDS
    ]
    if not found:
        return
    rates = [Sample(rate.per_second, (label,)) for label, rate in found]
    yield Family("agw_request_rate", "Requests a second over the last minute.", Kind.GAUGE, rates)
    errors = [Sample(rate.error_share, (label,)) for label, rate in found]
    yield Family("agw_error_share", "Share of errors in the last minute, 0 to 1.", Kind.GAUGE, errors)
    latencies = [
        Sample(seconds, (label, ("quantile", name)))
        for label, rate in found
        if rate.latency is not None
        for name, seconds in zip(("0.5", "0.95", "0.99"), rate.latency, strict=True)
    ]
    yield Family("agw_latency_seconds", "Quantiles of the last minute's latencies.", Kind.GAUGE, latencies)


def window_name(seconds: float) -> str:
    """A window as an xsd:dayTimeDuration."""
    if seconds >= 3600:
        return f"PT{seconds / 3600:.0f}H"
    return f"PT{seconds / 60:.0f}M" if seconds >= 60 else f"PT{seconds:.0f}S"


def _decimal(value: float) -> str:
    return f'"{value:.6f}"^^<{XSD.decimal}>'
