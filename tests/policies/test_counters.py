"""Counters: columns per worker, sums for readers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.policies.cells import CellStore
from api_gateway_service_mesh.policies.counters import (
    BUCKET_SECONDS,
    ENDPOINT_CELLS,
    RATE_LIMIT_COUNT_CELLS,
    ROUTE_CELLS,
    EndpointCounters,
    RateLimitCounters,
    RouteCounters,
    RouteTotals,
    clear_gauges,
    read_endpoint,
    read_rate_limit,
    read_route,
)


def test_columns_are_whole_cache_lines() -> None:
    assert all(cells % 8 == 0 for cells in (ROUTE_CELLS, ENDPOINT_CELLS, RATE_LIMIT_COUNT_CELLS))


def test_a_route_counts_by_class_latency_and_bytes() -> None:
    view = CellStore.local(256).view
    one, two = RouteCounters(view, 8, 0), RouteCounters(view, 8, 1)
    one.observe(200, 0.0005, 10, 1000)
    one.observe(204, 0.001)
    two.observe(404, 0.3, 5, 7)
    two.observe(503, 60.0)
    two.gateway_error()
    one.observe(0, 2.0)
    totals = read_route(view, 8, 2)
    assert totals.by_class == (0, 2, 0, 1, 1)
    assert (totals.requests, totals.errors, totals.unanswered, totals.gateway_errors) == (5, 1, 1, 1)
    assert (totals.bytes_in, totals.bytes_out) == (15, 1007)
    assert totals.seconds == 0.0005 + 0.001 + 2.0 + 0.3 + 60.0
    assert totals.buckets[0] == 2, "a bound belongs to its bucket"
    assert totals.buckets[BUCKET_SECONDS.index(0.5)] == 1
    assert totals.buckets[BUCKET_SECONDS.index(2.5)] == 1
    assert totals.buckets[-1] == 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(100, 599), st.floats(0, 100))))
def test_every_request_is_in_one_class_and_one_bucket(requests: list[tuple[int, int, float]]) -> None:
    view = CellStore.local(256).view
    counters = [RouteCounters(view, 0, worker) for worker in range(4)]
    for worker, status, seconds in requests:
        counters[worker].observe(status, seconds)
    totals: RouteTotals = read_route(view, 0, 4)
    assert sum(totals.buckets) == totals.requests == len(requests)
    assert totals.errors == sum(status >= 500 for _, status, _ in requests)
    assert view[4 * ROUTE_CELLS : 256].tolist() == [0.0] * (256 - 4 * ROUTE_CELLS), "nothing beyond the columns"


def test_an_endpoint_counts_what_is_active() -> None:
    view = CellStore.local(64).view
    one, two = EndpointCounters(view, 0, 0), EndpointCounters(view, 0, 1)
    one.connections(+1)
    one.start()
    two.start()
    assert read_endpoint(view, 0, 2).active == 2
    one.finish(ok=True)
    two.finish(ok=False)
    assert str(read_endpoint(view, 0, 2)) == "active=0 requests=2 failures=1 connections=1"


def test_what_a_crashed_worker_held_is_forgotten_and_what_it_counted_is_kept() -> None:
    view = CellStore.local(64).view
    crashed, other = EndpointCounters(view, 8, 1), EndpointCounters(view, 8, 0)
    crashed.connections(+1)
    crashed.start()
    other.start()
    clear_gauges(view, {("endpoint", "ex:e"): 8, ("route", "ex:r"): 32}, worker=1)
    totals = read_endpoint(view, 8, 2)
    assert (totals.active, totals.requests, totals.connections) == (1, 2, 0)


def test_a_rate_limit_counts_its_decisions() -> None:
    view = CellStore.local(64).view
    for worker in (0, 1):
        counters = RateLimitCounters(view, 0, worker)
        counters.admitted()
        counters.rejected()
        counters.rejected()
    totals = read_rate_limit(view, 0, 2)
    assert (totals.admitted, totals.rejected) == (2, 4)


def test_status_lines() -> None:
    view = CellStore.local(64).view
    route, endpoint, limit = RouteCounters(view, 0), EndpointCounters(view, 24), RateLimitCounters(view, 32)
    route.observe(502, 0.25)
    endpoint.start()
    limit.rejected()
    assert repr(route) == "<RouteCounters requests=1 5xx=1 gateway_errors=0 seconds=0.250>"
    assert repr(endpoint) == "<EndpointCounters active=1 requests=1 failures=0 connections=0>"
    assert repr(limit) == "<RateLimitCounters admitted=0 rejected=1>"
