"""What ``/metrics`` tells: the live state and the control process's own counters as metric families.

Labels come from the configuration (IRIs, names) and from fixed lists, never from requests, so the number of series is
bounded by the configuration.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from platform import python_version

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.discovery import DiscoveryState
from api_gateway_service_mesh.discovery.registration import RegistrationState
from api_gateway_service_mesh.policies import read_rate_limit
from api_gateway_service_mesh.telemetry import Family, Kind, Sample

from .cache import cache_families
from .certificates import certificate_families
from .client_credentials import token_families
from .listener import listener_families
from .live import Live
from .live_rate import rate_families
from .objective import objective_families
from .series import Series, with_exemplars
from .traffic import traffic_families

__all__ = ["ControlCounters", "metric_families"]


@dataclass(frozen=True, slots=True)
class ControlCounters:
    """Counters of the control process since it started."""

    reloads: int = 0
    rejected: int = 0
    restarts: int = 0
    queries: int = 0
    queries_refused: int = 0
    query_processes_replaced: int = 0
    workers_serving: int = 0
    workers_failing: tuple[str, ...] = ()
    """What is the matter with workers that end again and again."""


def metric_families(
    live: Live | None, counters: ControlCounters, series: Series | None = None, *, exemplars: bool = False
) -> Iterator[Family]:
    """All families; without `live` (still starting) only the control process's. `series` remembers the last scrape.
    `exemplars`: histograms name a trace, as OpenMetrics has it."""
    series = series or Series()
    about = (("version", resources.version()), ("build", resources.build()), ("python", python_version()))
    yield Family("agw_build", "What runs: a data plane compiled to C or interpreted.", Kind.INFO, (Sample(1, about),))
    if live is not None:
        yield from _routes(live, series, exemplars)
        yield from _policies(live, series)
        yield from rate_families(live)
        yield from objective_families(live)
        yield from traffic_families(live)
        yield from series.bulkheads(live)
        yield from _endpoints(live, series)
        yield from listener_families(live)
        yield from token_families(live)
        yield from cache_families(live)
        yield from certificate_families(live)
        yield from _discovery(live)
        yield from _registrations(live)
        yield from _route_source(live)
        yield from _log(live)
        labels = (("revision", str(live.revision)), ("gateway", live.mesh.iri))
        yield Family("agw_config_revision", "The configuration in force.", Kind.INFO, (Sample(1, labels),))
        yield _gauge("agw_config_loaded_timestamp_seconds", "When it went live.", live.loaded_at.timestamp())
        proxies = live.proxies()
        if proxies:
            yield _gauge("agw_proxies", "Proxies that agw configures, connected.", len(proxies))
            behind = sum(proxy.revision != live.revision for proxy in proxies)
            yield _gauge("agw_proxies_behind", "Of them, those that do not serve the revision in force.", behind)
            refusing = sum(proxy.refusal is not None for proxy in proxies)
            yield _gauge("agw_proxies_refusing", "Of them, those that refuse what they were told.", refusing)
        yield _gauge("agw_workers", "Worker processes wanted.", live.workers)
    yield _gauge("agw_workers_serving", "Worker processes that serve the revision in force.", counters.workers_serving)
    failing = len(counters.workers_failing)
    yield _gauge("agw_workers_failing", "Workers that end again and again soon after their start.", failing)
    for name, text, value in (
        ("agw_config_reloads", "Configurations that went live after the first.", counters.reloads),
        ("agw_config_rejected", "Configurations that were refused; the one before stayed in force.", counters.rejected),
        ("agw_worker_restarts", "Workers started again after they ended unasked.", counters.restarts),
        ("agw_sparql_queries", "SPARQL queries received.", counters.queries),
        ("agw_sparql_refused", "SPARQL queries refused before they were parsed.", counters.queries_refused),
        ("agw_sparql_processes_replaced", "Query processes replaced.", counters.query_processes_replaced),
    ):
        yield Family(name, text, Kind.COUNTER, (Sample(value),))


def _routes(live: Live, series: Series, exemplars: bool) -> Iterator[Family]:
    requests, errors, durations, sizes = series.routes(live)
    if exemplars:
        durations = with_exemplars(durations, [route.iri for route in live.mesh.routes], dict(live.exemplars()))
    refusals = [Sample(count, (("kind", kind),)) for kind, count in live.refusals()]
    yield requests
    yield Family("agw_refusals", "Requests the gateway refused, by kind (the problem's type).", Kind.COUNTER, refusals)
    yield errors
    yield durations
    yield sizes


def _limiter_counts(live: Live) -> Iterator[Family]:
    """What only some limiters have to count."""
    fallbacks: list[Sample] = []
    charged: list[Sample] = []
    unreadable: list[Sample] = []
    for limit, base in live.inventory.rate_limits:
        if limit.store is None and limit.cost_field is None and limit.answer_cost_field is None:
            continue
        totals, label = read_rate_limit(live.cells.view, base, live.workers), (("limiter", limit.iri),)
        if limit.store is not None:
            fallbacks.append(Sample(totals.fallbacks, label))
        if limit.answer_cost_field is not None:
            charged.append(Sample(totals.charged, label))
        if limit.cost_field is not None or limit.answer_cost_field is not None:
            unreadable.append(Sample(totals.unreadable, label))
    yield Family("agw_rate_limit_fallbacks", "Decisions made without the shared store.", Kind.COUNTER, fallbacks)
    yield Family("agw_rate_limit_charged", "Tokens that answers said their requests cost.", Kind.COUNTER, charged)
    yield Family("agw_rate_limit_unreadable_costs", "Stated costs that are no whole number.", Kind.COUNTER, unreadable)


def _policies(live: Live, series: Series) -> Iterator[Family]:
    yield from series.rate_limits(live)
    concurrency = [(limit, (("limit", limit.config.iri),)) for limit in live.concurrency_limits()]
    found = [Sample(limit.limit, label) for limit, label in concurrency]
    yield Family("agw_concurrency_limit", "Requests that may be under way at once.", Kind.GAUGE, found)
    in_use = [Sample(limit.in_use, label) for limit, label in concurrency]
    yield Family("agw_concurrency_in_use", "Requests under way that a concurrency limit counts.", Kind.GAUGE, in_use)
    shed = [Sample(limit.refused, (("policy", limit.config.iri),)) for limit, _ in concurrency]
    overload, guard = live.overload(), live.mesh.overload
    if overload is not None and guard is not None:
        state, pressure, refused = overload
        shed.append(Sample(refused, (("policy", guard.iri),)))
        yield _gauge("agw_overload_pressure", "The worst of what the overload guard watches; 1 is too much.", pressure)
        yield _gauge("agw_overload_accepting", "0 while no connection is accepted.", float(state != "SHUT"))
    yield Family("agw_shed", "Requests refused to spare a backend or the gateway.", Kind.COUNTER, shed)
    keyed = [limit for limit, _ in live.inventory.rate_limits if limit.keys]
    evicted = [Sample(live.evicted_keys(limit), (("limiter", limit.iri),)) for limit in keyed]
    yield Family("agw_rate_limit_evicted_keys", "Keys in use that a limiter had no room for.", Kind.COUNTER, evicted)
    stores = [Sample(float(state != "AWAY"), (("store", store.iri),)) for store, state in live.redis_stores()]
    yield Family("agw_redis_up", "0 while a worker has given up on a Redis server.", Kind.GAUGE, stores)
    yield from _limiter_counts(live)
    yield from series.breakers(live)
    hedges = [
        Sample(count, (("hedging", hedging.iri), ("result", result)))
        for hedging, totals in live.hedgings()
        for result, count in (("sent", totals.sent), ("won", totals.won))
    ]
    spans = [
        Sample(count, (("tracing", tracing.iri), ("result", result)))
        for tracing, totals in live.tracings()
        for result, count in (("exported", totals.exported), ("dropped", totals.dropped))
    ]
    export = live.mesh.metrics_export
    if export is not None:
        sent = [
            Sample(count, (("export", export.iri), ("result", result)))
            for result, count in zip(("sent", "unsent"), live.metrics_sent(), strict=True)
        ]
        yield Family("agw_metrics_exports", "Messages of metrics that a collector took or not.", Kind.COUNTER, sent)
    yield Family("agw_spans", "Spans that a collector took, and those that none got.", Kind.COUNTER, spans)
    yield Family("agw_hedges", "Second attempts beside slow first ones, and those that won.", Kind.COUNTER, hedges)
    yield from series.retries(live)


def _endpoints(live: Live, series: Series) -> Iterator[Family]:
    yield from series.endpoints(live)
    ejections = list(live.ejections())
    out = [Sample(int(seconds > 0), (("endpoint", endpoint.iri),)) for endpoint, seconds, _ in ejections]
    yield Family("agw_endpoint_ejected", "1 while outlier detection keeps an endpoint out.", Kind.GAUGE, out)
    times = [Sample(count, (("endpoint", endpoint.iri),)) for endpoint, _, count in ejections]
    yield Family("agw_endpoint_ejections", "How often outlier detection ejected an endpoint.", Kind.COUNTER, times)


def _discovery(live: Live) -> Iterator[Family]:
    found = [(standing, (("discovery", discovery.iri),)) for discovery, standing in live.discovered]
    states = [
        Sample(int(standing.state is state), (*label, ("state", state)))
        for standing, label in found
        for state in DiscoveryState
    ]
    yield Family("agw_discovery_state", "1 for the state a discovery is in.", Kind.GAUGE, states)
    held = [Sample(len(standing.held), label) for standing, label in found]
    yield Family("agw_discovery_instances", "Discovered instances in use.", Kind.GAUGE, held)
    left = [Sample(standing.left_out, label) for standing, label in found]
    yield Family("agw_discovery_left_out", "Instances of the last answer beyond the bound.", Kind.GAUGE, left)
    asked = [
        Sample(count, (*label, ("result", result)))
        for standing, label in found
        for result, count in (("answered", standing.answers), ("failed", standing.failures))
    ]
    yield Family("agw_discovery_questions", "Questions to registries, by what became of them.", Kind.COUNTER, asked)


def _registrations(live: Live) -> Iterator[Family]:
    states = [
        Sample(int(standing.state is state), (("registration", registration.iri), ("state", state)))
        for registration, standing in live.registrations
        for state in RegistrationState
    ]
    if states:
        text = "1 for the state that the gateway's own entry in a registry is in."
        yield Family("agw_registration_state", text, Kind.GAUGE, states)


def _route_source(live: Live) -> Iterator[Family]:
    standing = live.route_source
    if standing is not None:
        states = [Sample(int(standing.state == each), (("state", each),)) for each in ("WAITING", "CURRENT", "STALE")]
        yield Family("agw_route_source_state", "1 for the state of the cluster's routes.", Kind.GAUGE, states)
        yield _gauge("agw_route_source_objects", "Objects of the cluster that are served.", standing.taken)
        text = "Objects of the cluster that are not served as they are stated."
        yield _gauge("agw_route_source_refused", text, len(standing.refused))


def _log(live: Live) -> Iterator[Family]:
    totals = live.log()
    if totals is not None:
        lines = [
            Sample(count, (("result", result),))
            for result, count in (("written", totals.written), ("dropped", totals.dropped))
        ]
        yield Family("agw_access_log_lines", "Lines of the access log, and whether they got out.", Kind.COUNTER, lines)


def _gauge(name: str, text: str, value: float) -> Family:
    return Family(name, text, Kind.GAUGE, (Sample(value),))
