"""The metrics that every route, limit, breaker, service and endpoint has: almost all lines of a scrape.

Their text is kept from one scrape to the next with the cells it was made of, and written anew only where these are
others: of ten thousand routes few have had a request since. Text depends on an IRI and numbers alone, so it outlives a
revision; of things that are gone nothing is kept beyond the next scrape.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import TypeVar

from api_gateway_service_mesh.policies import (
    BUCKET_SECONDS,
    BreakerState,
    HealthState,
    Overflow,
    read_bulkhead,
    read_endpoint,
    read_rate_limit,
    read_route,
)
from api_gateway_service_mesh.policies.bulkhead import BULKHEAD_CELLS
from api_gateway_service_mesh.policies.counters import ENDPOINT_CELLS, RATE_LIMIT_COUNT_CELLS, ROUTE_CELLS
from api_gateway_service_mesh.policies.exemplar import Exemplar
from api_gateway_service_mesh.telemetry import Family, Kind, Pattern
from api_gateway_service_mesh.telemetry.metrics import cumulative

from .live import Live

__all__ = ["Series", "with_exemplars"]

State = TypeVar("State", bound=Hashable)
_Texts = tuple[str, ...]
_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx", "none")

_ERRORS = Pattern("agw_gateway_errors", Kind.COUNTER, "route")
_DURATION = Pattern.histogram("agw_request_duration_seconds", "route", BUCKET_SECONDS)
_BYTES = Pattern("agw_body_bytes", Kind.COUNTER, "route", [(("direction", way),) for way in ("in", "out")])
_RESULTS = ("admitted", "rejected", "shadowed")
_LIMITED, _SHADOWED = (
    Pattern("agw_rate_limit", Kind.COUNTER, "limiter", [(("result", result),) for result in results])
    for results in (_RESULTS[:2], _RESULTS)
)
_STATE = Pattern("agw_breaker_state", Kind.GAUGE, "breaker", [(("state", state.name),) for state in BreakerState])
_OPENED = Pattern("agw_breaker_opened", Kind.COUNTER, "breaker")
_RETRIES = Pattern("agw_retries", Kind.COUNTER, "retry", [(("result", result),) for result in ("granted", "refused")])
_PENDING = Pattern("agw_upstream_pending", Kind.GAUGE, "service")
_OVERFLOW = Pattern(
    "agw_upstream_overflow", Kind.COUNTER, "service", [(("bound", what.name.lower()),) for what in Overflow]
)
_COUNTS = (
    Pattern("agw_endpoint_active_requests", Kind.GAUGE, "endpoint"),
    Pattern("agw_endpoint_requests", Kind.COUNTER, "endpoint"),
    Pattern("agw_endpoint_failures", Kind.COUNTER, "endpoint"),
)
_HEALTH = Pattern("agw_endpoint_health", Kind.GAUGE, "endpoint", [(("state", state.name),) for state in HealthState])


class Series:
    """Remembers the text of the last scrape. Two scrapes at once are both right; one of them is remembered."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, tuple[Hashable, _Texts]]] = {}

    def routes(self, live: Live) -> Iterator[Family]:
        """Requests, errors, durations and bytes of every route."""
        size = ROUTE_CELLS * live.workers

        def write(iri: str, raw: bytes) -> _Texts:
            totals = read_route(_view(raw), 0, live.workers)
            counts = (*totals.by_class, totals.unanswered)
            seen = tuple(at for at, count in enumerate(counts) if count or at == 1)
            return (
                _requests(seen).lines(iri, tuple(counts[at] for at in seen)),
                _ERRORS.lines(iri, (totals.gateway_errors,)),
                _DURATION.lines(iri, cumulative(totals.buckets, totals.seconds)),
                _BYTES.lines(iri, (totals.bytes_in, totals.bytes_out)),
            )

        view = live.cells.view
        things = ((route.iri, view[base : base + size].tobytes()) for route, base in live.inventory.routes)
        told = (
            ("agw_requests", "Finished requests by route and class of status.", Kind.COUNTER),
            ("agw_gateway_errors", "Answers the gateway made itself because of a failure.", Kind.COUNTER),
            ("agw_request_duration_seconds", "Time from head to the end of the answer.", Kind.HISTOGRAM),
            ("agw_body_bytes", "Bytes of bodies from clients (in) and to clients (out).", Kind.COUNTER),
        )
        columns = self._columns("route", len(told), things, write)
        yield from (Family(*about, (), lines) for about, lines in zip(told, columns, strict=True))

    def rate_limits(self, live: Live) -> Iterator[Family]:
        """Decisions of every rate limit."""
        view, size = live.cells.view, RATE_LIMIT_COUNT_CELLS * live.workers

        def write(iri: str, state: tuple[bool, bytes]) -> _Texts:
            totals = read_rate_limit(_view(state[1]), 0, live.workers)
            if state[0]:
                return (_SHADOWED.lines(iri, (totals.admitted, totals.rejected, totals.shadowed)),)
            return (_LIMITED.lines(iri, (totals.admitted, totals.rejected)),)

        things = (
            (limit.iri, (limit.shadow, view[base : base + size].tobytes()))
            for limit, base in live.inventory.rate_limits
        )
        (lines,) = self._columns("rate limit", 1, things, write)
        yield Family("agw_rate_limit", "Decisions of rate limiters.", Kind.COUNTER, (), lines)

    def breakers(self, live: Live) -> Iterator[Family]:
        """State and openings of every breaker."""

        def write(iri: str, status: tuple[BreakerState, int]) -> _Texts:
            found, opened = status
            return _STATE.lines(iri, tuple(int(found is state) for state in BreakerState)), _OPENED.lines(
                iri, (opened,)
            )

        # Breakers of one IRI that differ would be series of one name; the model has one to an IRI.
        things = ((breaker.iri, (status.state, status.opened_total)) for breaker, status in live.breakers())
        states, opened = self._columns("breaker", 2, things, write)
        yield Family("agw_breaker_state", "1 for the state a circuit breaker is in.", Kind.GAUGE, (), states)
        yield Family("agw_breaker_opened", "How often a circuit breaker opened.", Kind.COUNTER, (), opened)

    def retries(self, live: Live) -> Iterator[Family]:
        """What the budgets of every retry policy said."""
        things = ((retry.iri, (totals.granted, totals.refused)) for retry, totals in live.retries())
        (lines,) = self._columns("retry", 1, things, lambda iri, numbers: (_RETRIES.lines(iri, numbers),))
        yield Family("agw_retries", "Retries that were due, by what the budget said.", Kind.COUNTER, (), lines)

    def bulkheads(self, live: Live) -> Iterator[Family]:
        """What waits for every service, and what its bounds refused."""
        view, size = live.cells.view, BULKHEAD_CELLS * live.workers

        def write(iri: str, raw: bytes) -> _Texts:
            totals = read_bulkhead(_view(raw), 0, live.workers)
            refused = tuple(totals.refused[what] for what in Overflow)
            return _PENDING.lines(iri, (totals.pending,)), _OVERFLOW.lines(iri, refused)

        things = ((upstream.iri, view[base : base + size].tobytes()) for upstream, base in live.inventory.upstreams)
        waiting, refused = self._columns("bulkhead", 2, things, write)
        yield Family(
            "agw_upstream_pending", "Requests that wait for a connection to a service.", Kind.GAUGE, (), waiting
        )
        yield Family("agw_upstream_overflow", "What the bounds of a service's pool refused.", Kind.COUNTER, (), refused)

    def endpoints(self, live: Live) -> Iterator[Family]:
        """Requests and health of every endpoint."""
        view, size = live.cells.view, ENDPOINT_CELLS * live.workers

        def write(iri: str, raw: bytes) -> _Texts:
            totals = read_endpoint(_view(raw), 0, live.workers)
            numbers = totals.active, totals.requests, totals.failures
            return tuple(pattern.lines(iri, (n,)) for pattern, n in zip(_COUNTS, numbers, strict=True))

        def write_health(iri: str, number: float) -> _Texts:
            return (_HEALTH.lines(iri, tuple(int(state == number) for state in HealthState)),)

        found = live.inventory.endpoints
        things = ((endpoint.iri, view[base : base + size].tobytes()) for endpoint, base, _ in found)
        active, attempts, failures = self._columns("endpoint", 3, things, write)
        health = ((endpoint.iri, view[base]) for endpoint, _, base in found)
        (states,) = self._columns("health", 1, health, write_health)
        yield Family("agw_endpoint_active_requests", "Requests under way to an endpoint.", Kind.GAUGE, (), active)
        yield Family("agw_endpoint_requests", "Attempts sent to an endpoint.", Kind.COUNTER, (), attempts)
        yield Family("agw_endpoint_failures", "Attempts that failed at an endpoint.", Kind.COUNTER, (), failures)
        yield Family("agw_endpoint_health", "1 for the state an endpoint is in.", Kind.GAUGE, (), states)

    def _columns(
        self, kind: str, families: int, things: Iterable[tuple[str, State]], write: Callable[[str, State], _Texts]
    ) -> tuple[_Texts, ...]:
        """For each family the text of each thing; `write` makes it where the state is not that of the last scrape."""
        before = self._kept.get(kind, {})
        now: dict[str, tuple[Hashable, _Texts]] = {}
        for iri, state in things:
            kept = before.get(iri)
            now[iri] = kept if kept is not None and kept[0] == state else (state, write(iri, state))
        self._kept[kind] = now
        return tuple(zip(*(texts for _, texts in now.values()), strict=True)) or ((),) * families


def with_exemplars(durations: Family, routes: Iterable[str], found: Mapping[str, Exemplar]) -> Family:
    """The durations with a trace behind the bucket that a traced request fell into. `routes`: whose lines they are, in
    their order."""
    if not found:
        return durations
    lines = list(durations.lines)
    for place, iri in enumerate(routes):
        exemplar = found.get(iri)
        if exemplar is not None:
            told = lines[place].split("\n")
            bucket = bisect_left(BUCKET_SECONDS, exemplar.seconds)
            told[bucket] += f' # {{trace_id="{exemplar.trace_id}"}} {exemplar.seconds:.6f} {exemplar.when:.3f}'
            lines[place] = "\n".join(told)
    return replace(durations, lines=lines)


@cache
def _requests(seen: tuple[int, ...]) -> Pattern:
    return Pattern("agw_requests", Kind.COUNTER, "route", [(("code_class", _CLASSES[at]),) for at in seen])


def _view(raw: bytes) -> memoryview[float]:
    return memoryview(raw).cast("d")
