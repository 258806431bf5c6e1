"""What a scrape remembers of the one before never shows: it says what one without memory says."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

from api_gateway_service_mesh.control.inventory import Inventory
from api_gateway_service_mesh.control.live import Live
from api_gateway_service_mesh.control.metrics import ControlCounters, metric_families
from api_gateway_service_mesh.control.series import Series
from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.policies import CellLayout, CellStore, HealthState, layout_for
from api_gateway_service_mesh.telemetry import render_metrics
from tests.support.rich_mesh import rich

WORKERS = 2
COUNTS = ("route", "endpoint", "rate_limit_count", "bulkhead", "event")


def scraped(live: Live, series: Series | None = None) -> str:
    return render_metrics(metric_families(live, ControlCounters(), series))


def served(mesh: Mesh, layout: CellLayout, cells: CellStore, revision: int) -> Live:
    return Live(mesh, layout_for(mesh, layout, WORKERS), cells, WORKERS, revision, datetime(2026, 1, 1, tzinfo=UTC))


def test_what_is_remembered_is_what_would_be_written_anew() -> None:
    cells, rng, series = CellStore.local(2**20), random.Random(7), Series()
    layout = CellLayout(cells)
    whole = max(rich().values(), key=lambda mesh: len(mesh.routes))
    texts = set()
    for revision in range(40):
        mesh = whole if revision % 3 else replace(whole, routes=whole.routes[revision % 2 :])
        live = served(mesh, layout, cells, revision)
        for _ in range(3):
            for (kind, _), base in layout.slots.items():
                if kind in COUNTS and rng.random() < 0.5:
                    cells.view[base + rng.randrange(8)] += rng.choice((1.0, 0.25, 3.0))
                if kind == "health" and rng.random() < 0.5:
                    cells.view[base] = float(rng.choice(list(HealthState)))
            text = scraped(live, series)
            assert text == scraped(live)
            texts.add(text)
        layout.release_missing(set(live.slots))
    assert len(texts) > 60


def test_of_what_is_gone_nothing_is_told() -> None:
    cells, series = CellStore.local(2**20), Series()
    layout, whole = CellLayout(cells), max(rich().values(), key=lambda mesh: len(mesh.routes))
    gone = whole.routes[0].iri
    assert f'agw_requests_total{{route="{gone}"' in scraped(served(whole, layout, cells, 1), series)
    left = served(replace(whole, routes=whole.routes[1:]), layout, cells, 2)
    assert f'route="{gone}"' not in scraped(left, series)


def test_each_thing_is_looked_at_once() -> None:
    cells = CellStore.local(2**20)
    mesh = max(rich().values(), key=lambda mesh: len(mesh.routes))
    slots = layout_for(mesh, CellLayout(cells), WORKERS)
    there = Inventory(mesh, slots)
    assert [route for route, _ in there.routes] == list(mesh.routes)
    for found in (there.rate_limits, there.retries, there.upstreams, there.endpoints, there.counted):
        iris = [each[0].iri for each in found]
        assert len(iris) == len(set(iris)) > 0
    assert {slots["endpoint", endpoint.iri] for endpoint, _, _ in there.endpoints} == {b for _, b, _ in there.endpoints}
