"""Routes (``agw:Route``): predicates, targets and policies brought together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import (
    AdaptiveConcurrency,
    Balancer,
    Breaker,
    HeaderMatch,
    Hedging,
    QueryMatch,
    RateLimit,
    RequestPriority,
    Retry,
    Route,
    RouteMatch,
    SplitTarget,
    Timeout,
    Tracing,
    Upstream,
)
from api_gateway_service_mesh.vocabulary import AGW

from .match import path_match
from .reading import Reading, name_of
from .split import SplitChoice

__all__ = [
    "Parts",
    "RouteHostnameRow",
    "RouteMethodRow",
    "RouteRow",
    "routes",
    "warn_without_target",
]

_ANY_METHOD = "*"


@dataclass(frozen=True, slots=True)
class RouteRow:
    """``route.rq``."""

    route: str
    path: str
    path_kind: str | None
    priority: str | None
    upstream: str | None
    breaker: str | None
    retry: str | None
    hedging: str | None
    timeout: str | None
    balancer: str | None
    cost: str | None
    request_priority: str | None
    concurrency: str | None
    grpc_service: str | None
    grpc_web: str | None
    tracing: str | None


@dataclass(frozen=True, slots=True)
class RouteHostnameRow:
    """``route_hostname.rq``."""

    route: str
    hostname: str


@dataclass(frozen=True, slots=True)
class RouteMethodRow:
    """``route_method.rq``."""

    route: str
    method: str


@dataclass(frozen=True, slots=True)
class Parts:
    """What routes are put together from, by the IRI of the part or of the route."""

    headers: Mapping[str, tuple[HeaderMatch, ...]]
    query: Mapping[str, tuple[QueryMatch, ...]]
    upstreams: Mapping[str, Upstream]
    splits: Mapping[str, tuple[SplitTarget, ...]]
    split_choices: Mapping[str, SplitChoice]
    rate_limits: Mapping[str, tuple[RateLimit, ...]]
    breakers: Mapping[str, Breaker]
    retries: Mapping[str, Retry]
    hedgings: Mapping[str, Hedging]
    timeouts: Mapping[str, Timeout]
    balancers: Mapping[str, Balancer]
    concurrency: Mapping[str, AdaptiveConcurrency]
    tracings: Mapping[str, Tracing]


def routes(
    rows: Iterable[RouteRow],
    hostnames: Iterable[RouteHostnameRow],
    methods: Iterable[RouteMethodRow],
    parts: Parts,
    reading: Reading,
) -> dict[str, Route]:
    """Routes by IRI."""
    hosts_of: dict[str, set[str]] = defaultdict(set)
    for hostname in hostnames:
        hosts_of[hostname.route].add(hostname.hostname.lower().rstrip("."))
    methods_of: dict[str, set[str]] = defaultdict(set)
    for method in methods:
        methods_of[method.route].add(method.method.upper())
    found: dict[str, Route] = {}
    for row in rows:
        if row.route not in found:
            iri = row.route
            match = RouteMatch(
                path_match(iri, row.path, row.path_kind, reading),
                tuple(sorted(hosts_of.get(iri, ()))),
                () if _ANY_METHOD in methods_of.get(iri, ()) else tuple(sorted(methods_of.get(iri, ()))),
                parts.headers.get(iri, ()),
                parts.query.get(iri, ()),
                reading.integer(iri, AGW.priority, row.priority, 0),
            )
            found[iri] = _route(row, match, parts, reading)
    return found


def _route(row: RouteRow, match: RouteMatch, parts: Parts, reading: Reading) -> Route:
    iri = row.route
    reading.known(iri, AGW.hasBackendService, row.upstream, parts.upstreams, "agw:BackendService")
    choice = parts.split_choices.get(iri, SplitChoice())
    return Route(
        iri,
        name_of(iri),
        match,
        row.upstream,
        parts.splits.get(iri, ()),
        parts.rate_limits.get(iri, ()),
        reading.known(iri, AGW.hasCircuitBreaker, row.breaker, parts.breakers, "agw:CircuitBreaker"),
        reading.known(iri, AGW.hasRetryPolicy, row.retry, parts.retries, "agw:RetryPolicy"),
        reading.known(iri, AGW.hasTimeout, row.timeout, parts.timeouts, "agw:Timeout"),
        reading.known(iri, AGW.hasLoadBalancer, row.balancer, parts.balancers, "agw:LoadBalancer"),
        request_cost=reading.integer(iri, AGW.requestCost, row.cost, 1),
        request_priority=None
        if row.request_priority is None
        else reading.choice(iri, AGW.requestPriority, row.request_priority, RequestPriority, RequestPriority.NORMAL),
        concurrency=reading.known(
            iri, AGW.hasAdaptiveConcurrency, row.concurrency, parts.concurrency, "agw:AdaptiveConcurrency"
        ),
        split_key=choice.key,
        split_cookie=choice.cookie,
        grpc_service=row.grpc_service,
        grpc_web=row.grpc_web is not None and reading.boolean(iri, AGW.grpcWebEnabled, row.grpc_web),
        hedging=reading.known(iri, AGW.hasHedging, row.hedging, parts.hedgings, "agw:Hedging"),
        tracing=reading.known(iri, AGW.hasTracing, row.tracing, parts.tracings, "agw:DistributedTracing"),
    )


def warn_without_target(route: Route, upstreams: Mapping[str, Upstream], reading: Reading) -> None:
    """Say which requests will find nobody to answer them (they get 503)."""
    if route.upstream is None and not route.splits and route.redirect is None and route.direct is None:
        reading.warn(
            "route-without-target",
            f"{route.name} has no backend service: requests are answered 503",
            route.iri,
            AGW.hasBackendService,
            remedy="add agw:hasBackendService, or agw:hasTrafficSplit with targets",
        )
    for target in route.reached:
        upstream = upstreams.get(target)
        if upstream is not None and not upstream.endpoints and upstream.discovery is None:
            sends = target in route.upstreams
            reading.warn(
                "service-without-address",
                f"{upstream.name}, which {route.name} sends to, has no address: requests are answered 503"
                if sends
                else f"{upstream.name}, which {route.name} sends copies to, has no address: there are no copies",
                upstream.iri,
                AGW.address,
                remedy='add agw:address "host:port", or agw:hasInstance',
            )
