"""Live state as triples: the content of ``urn:agw:graph:runtime``.

Written as N-Triples text at once: it is made anew for every query after a fifth of a second, for every route.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from api_gateway_service_mesh.model import Upstream
from api_gateway_service_mesh.proxy.refusals import KINDS
from api_gateway_service_mesh.vocabulary import AGW, IMPLIED_GATEWAY, RDF_TYPE, XSD

from .cache import cache_triples
from .certificates import certificate_triples
from .client_credentials import token_triples
from .listener import listener_triples
from .live import Live
from .live_rate import rate_triples
from .metrics_export import export_triples
from .objective import objective_triples
from .traffic import traffic_triples

__all__ = ["runtime_ntriples"]

_INTEGER = f"^^<{XSD.integer}>"
_MOMENT = f"^^<{XSD.dateTime}>"


def runtime_ntriples(live: Live) -> bytes:
    """The live state of now."""
    return "".join(f"<{subject}> <{predicate}> {value} .\n" for subject, predicate, value in _triples(live)).encode()


def _triples(live: Live) -> Iterator[tuple[str, str, str]]:
    yield from _gateway(live)
    yield from _routes(live)
    yield from _limits(live)
    yield from _resilience(live)
    yield from _services(live)
    yield from _telemetry(live)
    yield from rate_triples(live)
    yield from objective_triples(live)
    yield from traffic_triples(live)
    yield from listener_triples(live)
    yield from token_triples(live)
    yield from cache_triples(live)
    yield from export_triples(live)
    yield from _proxies(live)
    yield from _discovered(live)
    yield from _registrations(live)
    yield from _route_source(live)
    yield from certificate_triples(live)


def _gateway(live: Live) -> Iterator[tuple[str, str, str]]:
    gateway = live.mesh.iri
    if gateway == IMPLIED_GATEWAY:
        yield gateway, RDF_TYPE, f"<{AGW.ApiGateway}>"
    yield gateway, AGW.configurationRevision, _integer(live.revision)
    yield gateway, AGW.loadedAt, _moment(live.loaded_at)
    yield gateway, AGW.workerCount, _integer(live.workers)


def _routes(live: Live) -> Iterator[tuple[str, str, str]]:
    for route, requests in live.routes():
        yield route.iri, AGW.requestTotal, _integer(requests.requests)
        yield route.iri, AGW.errorTotal, _integer(requests.errors)
    for kind, count in live.refusals():
        if count:
            problem = f"urn:agw:problem:{kind}"
            yield problem, RDF_TYPE, f"<{AGW.RefusalKind}>"
            yield problem, AGW.refusedTotal, _integer(count)
            yield problem, AGW.responseFlag, f'"{KINDS[kind].flag}"'
            yield problem, AGW.refusalMeaning, f'"{KINDS[kind].meaning}"'


def _limits(live: Live) -> Iterator[tuple[str, str, str]]:
    for limit, decisions in live.rate_limits():
        yield limit.iri, AGW.admittedTotal, _integer(decisions.admitted)
        yield limit.iri, AGW.rejectedTotal, _integer(decisions.rejected)
        if limit.shadow:
            yield limit.iri, AGW.shadowedTotal, _integer(decisions.shadowed)
        if limit.keys:
            yield limit.iri, AGW.evictedKeysTotal, _integer(live.evicted_keys(limit))
        if limit.store is not None:
            yield limit.iri, AGW.fallbackTotal, _integer(decisions.fallbacks)
        if limit.answer_cost_field is not None:
            yield limit.iri, AGW.chargedTotal, _integer(decisions.charged)
        if limit.cost_field is not None or limit.answer_cost_field is not None:
            yield limit.iri, AGW.unreadableCostsTotal, _integer(decisions.unreadable)
    for store, state in live.redis_stores():
        yield store.iri, AGW.storeState, f'"{state}"'
    for limit_of in live.concurrency_limits():
        iri = limit_of.config.iri
        yield iri, AGW.concurrencyLimit, _integer(round(limit_of.limit))
        yield iri, AGW.concurrencyInUse, _integer(round(limit_of.in_use))
        yield iri, AGW.shedTotal, _integer(limit_of.refused)
    overload, guard = live.overload(), live.mesh.overload
    if overload is not None and guard is not None:
        state, pressure, shed = overload
        yield guard.iri, AGW.overloadState, f'"{state}"'
        yield guard.iri, AGW.overloadPressure, f'"{pressure:.3f}"^^<{XSD.decimal}>'
        yield guard.iri, AGW.shedTotal, _integer(shed)


def _resilience(live: Live) -> Iterator[tuple[str, str, str]]:
    for breaker, status in live.breakers():
        yield breaker.iri, AGW.breakerState, f'"{status.state.name}"'
        yield breaker.iri, AGW.openedTotal, _integer(status.opened_total)
    for unit, status in live.breaker_units():
        if unit.subject != unit.breaker.iri:
            yield unit.subject, AGW.breakerState, f'"{status.state.name}"'
    for retry, budget in live.retries():
        yield retry.iri, AGW.retriedTotal, _integer(budget.granted)
        yield retry.iri, AGW.retriesRefusedTotal, _integer(budget.refused)
    for hedging, hedges in live.hedgings():
        yield hedging.iri, AGW.hedgedTotal, _integer(hedges.sent)
        yield hedging.iri, AGW.hedgeWonTotal, _integer(hedges.won)


def _telemetry(live: Live) -> Iterator[tuple[str, str, str]]:
    for tracing, spans in live.tracings():
        yield tracing.iri, AGW.spansExportedTotal, _integer(spans.exported)
        yield tracing.iri, AGW.spansDroppedTotal, _integer(spans.dropped)
    audit = live.audit
    if audit is not None and audit.config is not None and audit.writer is not None:
        yield audit.config.iri, AGW.recordedTotal, _integer(audit.writer.recorded)
        yield audit.config.iri, AGW.droppedTotal, _integer(audit.writer.dropped)
        yield audit.config.iri, AGW.chainHead, f'"{audit.writer.head}"'


def _services(live: Live) -> Iterator[tuple[str, str, str]]:
    for upstream, places in live.bulkheads():
        yield upstream.iri, AGW.pendingRequests, _integer(places.pending)
        yield upstream.iri, AGW.overflowTotal, _integer(places.overflow)
    for endpoint, totals, health in live.endpoints():
        yield endpoint.iri, AGW.healthState, f'"{health.name}"'
        yield endpoint.iri, AGW.activeRequests, _integer(totals.active)
        if totals.requests:
            yield endpoint.iri, AGW.attemptTotal, _integer(totals.requests)
            yield endpoint.iri, AGW.attemptFailedTotal, _integer(totals.failures)
    for endpoint, seconds, times in live.ejections():
        yield endpoint.iri, AGW.ejectionsTotal, _integer(times)
        if seconds:
            yield endpoint.iri, AGW.ejectedUntil, _moment(datetime.now(UTC) + timedelta(seconds=seconds))
    for endpoint, ever in live.probed():
        yield endpoint.iri, AGW.everHealthy, f'"{str(ever).lower()}"^^<{XSD.boolean}>'
    for endpoint, purpose in live.failing():
        yield endpoint.iri, AGW.failingProbe, f'"{purpose}"'


def _proxies(live: Live) -> Iterator[tuple[str, str, str]]:
    for proxy in live.proxies():
        iri = f"urn:agw:proxy:{quote(proxy.name, safe='')}"
        yield iri, RDF_TYPE, f"<{AGW.ManagedProxy}>"
        if proxy.revision is not None:
            yield iri, AGW.servedRevision, _integer(proxy.revision)
        if proxy.refusal is not None:
            yield iri, AGW.proxyRefusal, _text(proxy.refusal)


def _registrations(live: Live) -> Iterator[tuple[str, str, str]]:
    for registration, standing in live.registrations:
        yield registration.iri, AGW.registrationState, f'"{standing.state}"'
        if standing.entry is not None:
            yield registration.iri, AGW.registeredAs, _text(standing.entry.id)
        if standing.fault is not None:
            yield registration.iri, AGW.registrationFault, _text(standing.fault)


def _route_source(live: Live) -> Iterator[tuple[str, str, str]]:
    standing = live.route_source
    if standing is None:
        return
    yield _ROUTE_SOURCE, RDF_TYPE, f"<{AGW.RouteSource}>"
    yield _ROUTE_SOURCE, AGW.routeSourceState, f'"{standing.state}"'
    yield _ROUTE_SOURCE, AGW.takenObjects, _integer(standing.taken)
    if standing.stale_since is not None:
        yield _ROUTE_SOURCE, AGW.routeSourceFault, _text(standing.fault or "")
    for called, reason in standing.refused.items():
        yield _ROUTE_SOURCE, AGW.refusedObject, _text(f"{called}: {reason}")


def _discovered(live: Live) -> Iterator[tuple[str, str, str]]:
    services: dict[str, list[Upstream]] = {}
    for upstream in live.mesh.upstreams:
        if upstream.discovery is not None:
            services.setdefault(upstream.discovery.iri, []).append(upstream)
    for discovery, standing in live.discovered:
        iri = discovery.iri
        yield iri, AGW.discoveryState, f'"{standing.state}"'
        yield iri, AGW.discoveredInstances, _integer(len(standing.held))
        if standing.answered_at is not None:
            yield iri, AGW.answeredAt, _moment(standing.answered_at)
        if standing.stale_since is not None:
            yield iri, AGW.staleSince, _moment(standing.stale_since)
        if standing.fault is not None:
            yield iri, AGW.discoveryFault, _text(standing.fault)
        for upstream in services.get(iri, ()) if standing.held else ():
            for endpoint in upstream.endpoints:
                yield upstream.iri, AGW.hasInstance, f"<{endpoint.iri}>"
                yield endpoint.iri, RDF_TYPE, f"<{AGW.ServiceInstance}>"
                yield endpoint.iri, AGW.address, f'"{endpoint.authority}"'
                yield endpoint.iri, AGW.discoveredBy, f"<{iri}>"
                told = standing.first_told.get((endpoint.host, endpoint.port))
                if told is not None:
                    yield endpoint.iri, AGW.discoveredAt, _moment(told)


_ROUTE_SOURCE = "urn:agw:cluster:"


def _integer(value: int) -> str:
    return f'"{value}"{_INTEGER}'


def _text(value: str) -> str:
    """A literal: JSON's escapes are those of N-Triples."""
    return json.dumps(value)


def _moment(value: datetime) -> str:
    stamp = value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return f'"{stamp}"{_MOMENT}'
