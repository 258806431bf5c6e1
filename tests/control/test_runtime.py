"""Limits, concurrency and overload as live triples and metrics, read from cells that machines have written."""

from __future__ import annotations

from datetime import UTC, datetime

from api_gateway_service_mesh.control.live import Live
from api_gateway_service_mesh.control.metrics import ControlCounters, metric_families
from api_gateway_service_mesh.control.runtime import runtime_ntriples
from api_gateway_service_mesh.model import (
    AdaptiveConcurrency,
    KeyKind,
    OverloadGuard,
    RateLimit,
    RedisStore,
    RequestKey,
)
from api_gateway_service_mesh.policies import CellLayout, CellStore, RateLimitCounters, layout_for, limiter
from api_gateway_service_mesh.policies.concurrency import ConcurrencyLimit
from api_gateway_service_mesh.policies.overload import Overload
from api_gateway_service_mesh.policies.redis import AWAY
from api_gateway_service_mesh.telemetry import render_metrics
from api_gateway_service_mesh.vocabulary import AGW
from tests.support.routes import EX, mesh, route

WORKERS = 2


def test_what_limits_do_is_seen_live() -> None:
    store = RedisStore(EX + "redis", "redis")
    keyed = (RequestKey(KeyKind.CLIENT_ADDRESS),)
    limit = RateLimit(EX + "limit", 0.001, 2, keyed, key_capacity=64, shadow=True, store=store)
    bearable, guard = AdaptiveConcurrency(EX + "bearable"), OverloadGuard(EX + "guard")
    served = mesh(route("r", "/", rate_limits=(limit,), concurrency=bearable), overload=guard)
    cells = CellStore.local(2**16)
    layout = CellLayout(cells)
    layout_for(served, layout, WORKERS)
    view, slots = cells.view, layout.slots

    machine = limiter(limit, view, slots["rate_limit", limit.iri])
    for caller in range(64 * 3):
        machine.take(1000.0, caller * 64 + 1)
    counters = RateLimitCounters(view, slots["rate_limit_count", limit.iri], 1)
    counters.shadowed()
    counters.fallback()
    view[slots["redis", store.iri]] = AWAY
    places = ConcurrencyLimit(bearable, view, slots["concurrency", bearable.iri], WORKERS, 1)
    assert places.admit(1000.0, 1.0)
    Overload(view, slots["overload", guard.iri], 1).step(1.25, 1.0)

    live = Live(served, slots, cells, WORKERS, 1, datetime.now(UTC))
    text = runtime_ntriples(live).decode()
    for subject, term, value in (
        (limit.iri, AGW.shadowedTotal, "1"),
        (limit.iri, AGW.fallbackTotal, "1"),
        (limit.iri, AGW.evictedKeysTotal, str(machine.evictions)),
        (store.iri, AGW.storeState, "AWAY"),
        (bearable.iri, AGW.concurrencyLimit, "20"),
        (bearable.iri, AGW.concurrencyInUse, "1"),
        (bearable.iri, AGW.shedTotal, "0"),
        (guard.iri, AGW.overloadState, "SHUT"),
        (guard.iri, AGW.overloadPressure, "1.250"),
        (guard.iri, AGW.shedTotal, "0"),
    ):
        assert f'<{subject}> <{term}> "{value}"' in text, (subject, term)
    assert machine.evictions > 100

    scraped = render_metrics(metric_families(live, ControlCounters()))
    for line in (
        f'agw_rate_limit_total{{limiter="{limit.iri}",result="shadowed"}} 1',
        f'agw_rate_limit_evicted_keys_total{{limiter="{limit.iri}"}} {machine.evictions}',
        f'agw_rate_limit_fallbacks_total{{limiter="{limit.iri}"}} 1',
        f'agw_redis_up{{store="{store.iri}"}} 0',
        f'agw_concurrency_limit{{limit="{bearable.iri}"}} 20',
        f'agw_concurrency_in_use{{limit="{bearable.iri}"}} 1',
        f'agw_shed_total{{policy="{guard.iri}"}} 0',
        "agw_overload_pressure 1.25",
        "agw_overload_accepting 0",
    ):
        assert line in scraped.splitlines(), line
