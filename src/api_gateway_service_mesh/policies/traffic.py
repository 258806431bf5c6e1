"""The cells that the traffic policies of a route take."""

from __future__ import annotations

from collections.abc import Iterator

from api_gateway_service_mesh.model import Route

from .cache_store import CACHE_CELLS, MARK_CELLS
from .canary import CANARY_CELLS
from .counters import ROUTE_CELLS
from .event import EVENT_CELLS
from .exemplar import EXEMPLAR_CELLS
from .redis import REDIS_CELLS
from .renewal import RENEWAL_CELLS
from .share import SHARE_CELLS
from .tracing import TRACE_CELLS
from .websocket import WEBSOCKET_CELLS

__all__ = ["traffic_slots"]


def traffic_slots(route: Route, workers: int) -> Iterator[tuple[str, str, int]]:
    """Kind, IRI and size of each slot: ``share`` (SplitTarget, per worker), ``canary`` (Canary), ``event``
    (Maintenance, ClientCertificate, AuthorizationPolicy and its rules, TokenIntrospection, OpenIdLogin, Fault,
    Cors, Compression, Cache, Deprecation, RequestValidation, Redirect, DirectResponse, Rewrite, Mirror; per worker),
    ``renewal`` (OpenIdLogin), ``websocket`` (WebSocketBounds, per worker), ``tracing`` (Tracing, per worker),
    ``exemplar`` (Route, where spans are sent; per worker), ``mirror`` (Mirror: the counters of a route), ``cache``
    (Cache, per worker), ``cache_marks`` (Cache), ``cache_store`` (Cache with a shared store, per worker) and ``redis``
    (that store)."""
    for split in route.splits:
        yield "share", split.iri, SHARE_CELLS * workers
        if split.canary is not None:
            yield "canary", split.iri, CANARY_CELLS
    if route.authorization is not None:
        for stated in route.authorization.policies:
            yield "event", stated.iri, EVENT_CELLS * workers
            for rule in stated.rules:
                yield "event", rule.iri, EVENT_CELLS * workers
    if route.authentication is not None:
        for introspection in route.authentication.introspections:
            yield "event", introspection.iri, EVENT_CELLS * workers
        for login in route.authentication.logins:
            yield "event", login.iri, EVENT_CELLS * workers
            yield "renewal", login.iri, RENEWAL_CELLS
    changes = (route.request_transformation, route.response_transformation)
    answering = (
        route.cors,
        route.compression,
        route.cache,
        route.deprecation,
        route.validation,
        route.redirect,
        route.direct,
        route.rewrite,
        *changes,
    )
    for policy in (route.maintenance, route.client_certificate, *route.faults, *answering, *route.mirrors):
        if policy is not None:
            yield "event", policy.iri, EVENT_CELLS * workers
    if route.cache is not None:
        yield "cache", route.cache.iri, CACHE_CELLS * workers
        yield "cache_marks", route.cache.iri, MARK_CELLS
        if route.cache.store is not None:
            yield "cache_store", route.cache.iri, EVENT_CELLS * workers
            yield "redis", route.cache.store.iri, REDIS_CELLS * workers
    asked = route.external_authorization
    if asked is not None:
        yield "event", asked.iri, EVENT_CELLS * workers
        yield "asked", asked.iri, ROUTE_CELLS * workers
    if route.websocket is not None:
        yield "websocket", route.websocket.iri, WEBSOCKET_CELLS * workers
    if route.tracing is not None:
        yield "tracing", route.tracing.iri, TRACE_CELLS * workers
        if route.tracing.collector is not None:
            yield "exemplar", route.iri, EXEMPLAR_CELLS * workers
    for mirror in route.mirrors:
        yield "mirror", mirror.iri, ROUTE_CELLS * workers
