"""The live state of what is served, read from the cells: nobody is asked, nothing is stopped.

Everything that shows live state (``/metrics``, ``/routes``, the runtime graph) reads it here, so that all tell the
same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from api_gateway_service_mesh.discovery import Standing
from api_gateway_service_mesh.discovery.registration import Standing as EntryStanding
from api_gateway_service_mesh.model import (
    Breaker,
    Cache,
    Certificate,
    Discovery,
    Endpoint,
    Hedging,
    Listener,
    Mesh,
    Mirror,
    Purpose,
    RateLimit,
    RedisStore,
    Registration,
    Retry,
    Route,
    SplitTarget,
    Tracing,
    Upstream,
    WebSocketBounds,
)
from api_gateway_service_mesh.policies import (
    BreakerState,
    BreakerUnit,
    BudgetTotals,
    BulkheadTotals,
    CanaryState,
    CellStore,
    EndpointTotals,
    HealthState,
    HedgeTotals,
    LogTotals,
    RateLimitTotals,
    RouteTotals,
    ShareTotals,
    SpanTotals,
    limiter,
    read_breaker,
    read_budget,
    read_bulkhead,
    read_ejection,
    read_endpoint,
    read_events,
    read_ever_healthy,
    read_failing,
    read_health,
    read_hedge,
    read_log,
    read_rate_limit,
    read_route,
    read_share,
    read_spans,
)
from api_gateway_service_mesh.policies.cache_store import read_cache
from api_gateway_service_mesh.policies.concurrency import ConcurrencyLimit
from api_gateway_service_mesh.policies.exemplar import Exemplar, read_exemplar
from api_gateway_service_mesh.policies.http2 import Http2Totals, read_http2
from api_gateway_service_mesh.policies.listener import ListenerTotals, read_listener
from api_gateway_service_mesh.policies.overload import read_overload
from api_gateway_service_mesh.policies.redis import read_store_state
from api_gateway_service_mesh.policies.refusal import read_refusals
from api_gateway_service_mesh.policies.websocket import WebSocketPlaces
from api_gateway_service_mesh.proxy.refusals import NUMBERS
from api_gateway_service_mesh.telemetry.live_rate import LiveRate

from .audit import Audit
from .inventory import Counted, Inventory
from .issuing import RenewalStatus
from .objective import Standing as ObjectiveStanding
from .plane import Proxy
from .rollout import Decided, canary_machines
from .snapshot import Snapshot
from .used import FileFacts, used_certificates

if TYPE_CHECKING:
    from api_gateway_service_mesh.security.client_credentials import TokenStanding
    from api_gateway_service_mesh.security.facts import CertificateFacts

    from .cluster_routes import RouteSourceStanding

__all__ = ["BreakerStatus", "Counted", "Live"]


_BAD = (BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN)


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """A breaker's state as it would act now, and how often it opened since the gateway started. Of a breaker that keeps
    several, the worst, and all openings."""

    state: BreakerState
    opened_total: int


@dataclass(eq=False)
class Live:
    """Reads the cells of one revision. ``loaded_at`` is when it went live (UTC)."""

    mesh: Mesh
    slots: Mapping[tuple[str, str], int]
    cells: CellStore
    workers: int
    revision: int
    loaded_at: datetime
    decisions: Mapping[str, Sequence[Decided]] = field(default_factory=dict)
    """About canaries, by their IRI, newest last."""
    proxies: Callable[[], tuple[Proxy, ...]] = tuple
    """Asks which proxies agw configures."""
    audit: Audit | None = None
    discovered: Iterable[tuple[Discovery, Standing]] = ()
    registrations: Iterable[tuple[Registration, EntryStanding]] = ()
    route_source: RouteSourceStanding | None = None
    """How it stands with a cluster whose routes are served."""
    edition: int = 0
    """Counts what is this revision with other discovered instances."""
    renewals: Mapping[str, RenewalStatus] = field(default_factory=dict)
    """Of certificates that an authority issues, by their IRI."""
    rates: Callable[[], Mapping[tuple[str, str], Sequence[LiveRate]]] = dict
    """Asks for the rates of the last seconds and minutes, by kind of subject (gateway, route, service) and IRI."""
    objectives: Callable[[], Sequence[ObjectiveStanding]] = tuple
    """Asks how routes and services stand to their objectives."""
    tokens: Callable[[], Mapping[str, TokenStanding]] = dict
    """Asks how it stands with the tokens that backends are shown, by the credentials' IRI."""
    metrics_sent: Callable[[], tuple[int, int]] = lambda: (0, 0)
    """Asks how many messages of metrics a collector took, and how many it did not."""
    _files: FileFacts = field(default_factory=FileFacts, repr=False)

    @cached_property
    def inventory(self) -> Inventory:
        """What there is to look at."""
        return Inventory(self.mesh, self.slots)

    @property
    def snapshot(self) -> Snapshot:
        """What workers serve."""
        return Snapshot(self.mesh, self.slots, self.revision, self.edition)

    def routes(self) -> Iterator[tuple[Route, RouteTotals]]:
        """Every route with its counters."""
        for route, base in self.inventory.routes:
            yield route, read_route(self.cells.view, base, self.workers)

    def log(self) -> LogTotals | None:
        """What became of the access log's lines; None when there is no log."""
        slot = self.slots.get(("access_log", self.mesh.iri))
        return read_log(self.cells.view, slot, self.workers) if slot is not None else None

    def refusals(self) -> Iterator[tuple[str, int]]:
        """Every kind of refusal, with how many there were."""
        counts = read_refusals(self.cells.view, self.slots["refusal", self.mesh.iri], self.workers)
        for kind, number in NUMBERS.items():
            yield kind, counts[number]

    def rate_limits(self) -> Iterator[tuple[RateLimit, RateLimitTotals]]:
        """Every rate limit once, with its decisions."""
        for limit, base in self.inventory.rate_limits:
            yield limit, read_rate_limit(self.cells.view, base, self.workers)

    def breaker_units(self) -> Iterator[tuple[BreakerUnit, BreakerStatus]]:
        """Every state of every breaker once."""
        now = time.monotonic()
        for unit, base in self.inventory.breaker_units:
            yield unit, BreakerStatus(*read_breaker(self.cells.view, base, now))

    def redis_stores(self) -> Iterator[tuple[RedisStore, str]]:
        """Every Redis server that a limiter or a cache is shared through, once, with its state."""
        stores = {store.iri: store for route in self.mesh.routes for store in route.shared_stores}
        for iri, store in stores.items():
            yield store, read_store_state(self.cells.view, self.slots["redis", iri], self.workers)

    def listeners(self) -> Iterator[tuple[Listener, ListenerTotals]]:
        """Every listener, with its connections and handshakes."""
        for listener in self.mesh.listening:
            base = self.slots.get(("listener", listener.iri))
            if base is not None:
                yield listener, read_listener(self.cells.view, base, self.workers)

    def concurrency_limits(self) -> Iterator[ConcurrencyLimit]:
        """Every concurrency limit once."""
        found = {
            route.concurrency.iri: route.concurrency for route in self.mesh.routes if route.concurrency is not None
        }
        for iri, config in found.items():
            yield ConcurrencyLimit(config, self.cells.view, self.slots["concurrency", iri], self.workers)

    def websockets(self) -> Iterator[tuple[WebSocketBounds, WebSocketPlaces]]:
        """Every policy of WebSockets once, with those it counts."""
        found = {route.websocket.iri: route.websocket for route in self.mesh.routes if route.websocket is not None}
        for iri, bounds in found.items():
            base = self.slots["websocket", iri]
            yield bounds, WebSocketPlaces(self.cells.view, base, bounds.maximum, self.workers)

    def http2(self) -> Http2Totals:
        """What goes over HTTP/2."""
        return read_http2(self.cells.view, self.slots["http2", self.mesh.iri], self.workers)

    def overload(self) -> tuple[str, float, int] | None:
        """State and pressure of the gateway's overload guard, and how many requests it has shed; None without one."""
        guard = self.mesh.overload
        if guard is None:
            return None
        return read_overload(self.cells.view, self.slots["overload", guard.iri], self.workers)

    def evicted_keys(self, limit: RateLimit) -> int:
        """How often a limiter gave up a key that had used some of its tokens, for want of room."""
        return limiter(limit, self.cells.view, self.slots["rate_limit", limit.iri]).evictions

    def events(self) -> Iterator[tuple[Counted, tuple[int, ...]]]:
        """Every policy that counts its deeds by kind once (`policies.event`), with the counts."""
        for policy, base in self.inventory.counted:
            yield policy, read_events(self.cells.view, base, self.workers)

    def caches(self) -> Iterator[tuple[Cache, int, int]]:
        """Every cache once, with the answers that it keeps in memory, and their bytes."""
        caches = {route.cache.iri: route.cache for route in self.mesh.routes if route.cache is not None}
        for iri, cache in caches.items():
            yield cache, *read_cache(self.cells.view, self.slots["cache", iri], self.workers)

    def cache_stores(self) -> Iterator[tuple[Cache, tuple[int, ...]]]:
        """Every cache that gateways keep together once, with what its store did (`policies.cache_store`)."""
        for cache, _, _ in self.caches():
            if cache.store is not None:
                yield cache, read_events(self.cells.view, self.slots["cache_store", cache.iri], self.workers)

    def mirrors(self) -> Iterator[tuple[Mirror, RouteTotals]]:
        """Every mirror once, with what became of its copies."""
        mirrors = {mirror.iri: mirror for route in self.mesh.routes for mirror in route.mirrors}
        for iri, mirror in mirrors.items():
            yield mirror, read_route(self.cells.view, self.slots["mirror", iri], self.workers)

    def canaries(self) -> Iterator[tuple[str, CanaryState]]:
        """The IRI of every canary with steps, and where it stands."""
        for iri, machine in canary_machines(self.mesh, self.slots, self.cells).items():
            yield iri, machine.state

    def weights(self) -> dict[str, float]:
        """What share of its route's requests each split's target gets now, per cent, by the split's IRI."""
        now = {iri: state.weight for iri, state in self.canaries()}
        found: dict[str, float] = {}
        for route in self.mesh.routes:
            left = 100.0 - sum(now.get(split.iri, 0.0) for split in route.splits)
            for split in route.splits:
                found[split.iri] = now[split.iri] if split.iri in now else split.weight * left / 100.0
        return found

    def shares(self) -> Iterator[tuple[SplitTarget, float, ShareTotals]]:
        """Every split with a target once, with its weight of now, per cent, and what became of its requests."""
        weights = self.weights()
        splits = {split.iri: split for route in self.mesh.routes for split in route.splits}
        for iri, split in splits.items():
            yield split, weights[iri], read_share(self.cells.view, self.slots["share", iri], self.workers)

    def breakers(self) -> Iterator[tuple[Breaker, BreakerStatus]]:
        """Every breaker once."""
        found: dict[int, BreakerStatus] = {}
        for unit, status in self.breaker_units():
            so_far = found.get(id(unit.breaker))
            if so_far is not None:
                worst = max(so_far.state, status.state, key=_BAD.index)
                status = BreakerStatus(worst, so_far.opened_total + status.opened_total)
            found[id(unit.breaker)] = status
        for breaker in self.inventory.breakers:
            yield breaker, found.get(id(breaker), BreakerStatus(BreakerState.CLOSED, 0))

    def retries(self) -> Iterator[tuple[Retry, BudgetTotals]]:
        """Every retry policy once, with what its budgets granted and refused."""
        for retry, bases in self.inventory.retries:
            each = [read_budget(self.cells.view, base, self.workers) for base in bases]
            yield retry, BudgetTotals(sum(one.granted for one in each), sum(one.refused for one in each))

    def bulkheads(self) -> Iterator[tuple[Upstream, BulkheadTotals]]:
        """Every service, with what is under way to it and what its pool's bounds refused."""
        for upstream, base in self.inventory.upstreams:
            yield upstream, read_bulkhead(self.cells.view, base, self.workers)

    def hedgings(self) -> Iterator[tuple[Hedging, HedgeTotals]]:
        """Every hedging once, with its attempts."""
        hedgings = {route.hedging.iri: route.hedging for route in self.mesh.routes if route.hedging is not None}
        for iri, hedging in hedgings.items():
            yield hedging, read_hedge(self.cells.view, self.slots["hedge", iri], self.workers)

    def tracings(self) -> Iterator[tuple[Tracing, SpanTotals]]:
        """Every tracing once, with what became of its spans."""
        tracings = {route.tracing.iri: route.tracing for route in self.mesh.routes if route.tracing is not None}
        for iri, tracing in tracings.items():
            yield tracing, read_spans(self.cells.view, self.slots["tracing", iri], self.workers)

    def exemplars(self) -> Iterator[tuple[str, Exemplar]]:
        """Every route that had a traced request, by IRI, with the newest of them."""
        for route in self.mesh.routes:
            base = self.slots.get(("exemplar", route.iri))
            found = None if base is None else read_exemplar(self.cells.view, base, self.workers)
            if found is not None:
                yield route.iri, found

    def endpoints(self) -> Iterator[tuple[Endpoint, EndpointTotals, HealthState]]:
        """Every endpoint once, with its counters and health."""
        view = self.cells.view
        for endpoint, base, health in self.inventory.endpoints:
            yield endpoint, read_endpoint(view, base, self.workers), read_health(view, health)

    def ejections(self) -> Iterator[tuple[Endpoint, float, int]]:
        """Every endpoint that outlier detection watches: for how many seconds more it is ejected (0: it is not), and
        how often it was."""
        now = time.monotonic()
        for endpoint, base in self.inventory.ejectable:
            until, times = read_ejection(self.cells.view, base)
            yield endpoint, max(0.0, until - now), times

    def probed(self) -> Iterator[tuple[Endpoint, bool]]:
        """Every endpoint that is probed, and whether it has ever been HEALTHY."""
        for upstream in self.mesh.upstreams:
            for endpoint in upstream.endpoints if upstream.checks else ():
                yield endpoint, read_ever_healthy(self.cells.view, self.slots["health", endpoint.iri])

    def failing(self) -> Iterator[tuple[Endpoint, Purpose]]:
        """The endpoints that a probe has found ill, and what that probe is for."""
        for upstream in self.mesh.upstreams:
            for endpoint in upstream.endpoints if upstream.checks else ():
                purpose = read_failing(self.cells.view, self.slots["health", endpoint.iri])
                if purpose is not None:
                    yield endpoint, purpose

    def certificates(self) -> Iterator[tuple[Certificate, tuple[CertificateFacts, ...]]]:
        """Every certificate that has a readable file, with its chain, leaf first."""
        for certificate in used_certificates(self.mesh):
            chain = self._files.of(certificate)
            if chain:
                yield certificate, chain
