"""Cells: the store, the layout, and what a mesh needs."""

from __future__ import annotations

import os
import pickle
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import (
    Balancer,
    Breaker,
    Endpoint,
    KeyKind,
    Mesh,
    PathKind,
    PathMatch,
    RateLimit,
    RequestKey,
    Route,
    RouteMatch,
    SplitTarget,
    Upstream,
)
from api_gateway_service_mesh.policies.cells import (
    ALIGNMENT,
    DEFAULT_CELLS,
    CellLayout,
    CellsExhausted,
    CellStore,
    cells_needed,
    layout_for,
)
from tests.support.processes import in_processes


def _mesh() -> Mesh:
    limit = RateLimit("ex:limit", 10.0, 20)
    keyed = RateLimit("ex:keyed", 10.0, 20, (RequestKey(KeyKind.CLIENT_ADDRESS),))
    endpoints = tuple(Endpoint(f"ex:e{port}", "127.0.0.1", port) for port in (1, 2, 3))

    def match(path: str) -> RouteMatch:
        return RouteMatch(PathMatch(PathKind.EXACT, path))

    return Mesh(
        "ex:gateway",
        "gateway",
        routes=(
            Route("ex:a", "a", match("/a"), upstream="ex:u", rate_limits=(limit, keyed), breaker=Breaker("ex:breaker")),
            Route("ex:b", "b", match("/b"), upstream="ex:u", rate_limits=(limit,), balancer=Balancer("ex:lb")),
            Route(
                "ex:c", "c", match("/c"), splits=(SplitTarget("ex:s1", "ex:u", 90), SplitTarget("ex:s2", "ex:v", 10))
            ),
            Route("ex:d", "d", match("/d")),
        ),
        upstreams=(Upstream("ex:u", "u", endpoints), Upstream("ex:v", "v", endpoints[:1])),
    )


def test_a_store_begins_at_zero_and_costs_only_what_is_touched() -> None:
    store = CellStore.shared()
    try:
        assert store.fd is not None
        assert len(store.view) == store.cells == DEFAULT_CELLS
        assert store.view[0] == store.view[store.cells - 1] == 0.0
        store.view[4096] = 1.0
        assert os.fstat(store.fd).st_blocks * 512 < 1024 * 1024
    finally:
        store.close()


def test_an_attached_store_is_the_same_memory() -> None:
    owner = CellStore.shared(1024)
    assert owner.fd is not None
    worker = CellStore.attach(os.dup(owner.fd), 1024)
    worker.view[7] = 42.5
    assert owner.view[7] == 42.5
    worker.close()
    assert owner.view[7] == 42.5
    owner.close()


def test_another_process_writes_to_the_same_memory() -> None:
    store = CellStore.shared(64)
    fd = store.fd
    assert fd is not None

    def write(number: int) -> None:
        CellStore.attach(fd, 64).view[number] = 7.0

    in_processes(write, range(3, 4))
    assert store.view[3] == 7.0
    store.close()


def test_attaching_a_file_that_is_too_small_is_refused() -> None:
    store = CellStore.shared(64)
    assert store.fd is not None
    with pytest.raises(AgwError, match="512 bytes, 1024 are needed"):
        CellStore.attach(store.fd, 128)
    store.close()


def test_the_same_slot_is_given_again_while_its_size_stays() -> None:
    layout = CellLayout(CellStore.local(256))
    base = layout.reserve("breaker", "ex:b", 7)
    assert layout.reserve("breaker", "ex:b", 7) == base
    assert layout.reserve("breaker", "ex:b", 8) == base, "within the same cache line"
    assert layout.reserve("breaker", "ex:b", 9) != base
    assert layout.reserve("health", "ex:b", 7) != base
    assert pickle.loads(pickle.dumps(layout.slots)) == layout.slots


def test_a_slot_returns_zeroed_and_not_before_the_second_release() -> None:
    store = CellStore.local(256)
    layout = CellLayout(store)
    base = layout.reserve("breaker", "ex:old", 8)
    store.view[base + 3] = 9.0
    layout.release_missing(set())
    assert ("breaker", "ex:old") not in layout.slots
    assert layout.reserve("breaker", "ex:next", 8) != base, "requests on the old table may still write to it"
    layout.release_missing({("breaker", "ex:next")})
    assert layout.reserve("breaker", "ex:new", 8) == base
    assert store.view[base : base + 8].tolist() == [0.0] * 8


def test_a_full_store_says_what_did_not_fit() -> None:
    layout = CellLayout(CellStore.local(16))
    layout.reserve("route", "ex:a", 8)
    with pytest.raises(CellsExhausted, match=r"state of route ex:b: it needs 16 cells, 8 of 16 are left") as caught:
        layout.reserve("route", "ex:b", 9)
    assert caught.value.remedy
    assert layout.reserve("route", "ex:c", 8) == 8, "what fits still fits"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 40), st.booleans()), max_size=40))
def test_live_slots_never_overlap(steps: list[tuple[str, int, bool]]) -> None:
    layout = CellLayout(CellStore.local(8192))
    sizes: dict[tuple[str, str], int] = {}
    for name, cells, release in steps:
        layout.reserve("kind", name, cells)
        sizes["kind", name] = cells
        if release:
            layout.release_missing({("kind", name)})
            sizes = {("kind", name): cells}
        assert layout.slots.keys() == sizes.keys()
        spans = sorted((base, base + sizes[key]) for key, base in layout.slots.items())
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))
        assert all(start % ALIGNMENT == 0 for start, _ in spans)


def test_a_mesh_gets_a_slot_for_everything_with_state() -> None:
    layout = CellLayout(CellStore.local())
    slots = layout_for(_mesh(), layout, workers=2)
    assert {kind for kind, _ in slots} == {
        "refusal",
        "http2",
        "listener",
        "route",
        "rate_limit",
        "rate_limit_count",
        "breaker",
        "bulkhead",
        "endpoint",
        "health",
        "balancer",
        "share",
        "epoch",
    }
    assert [iri for kind, iri in slots if kind == "route"] == ["ex:a", "ex:b", "ex:c", "ex:d"]
    assert {iri for kind, iri in slots if kind == "balancer"} == {"ex:a ex:u", "ex:lb ex:u", "ex:c ex:u", "ex:c ex:v"}
    assert layout.used == cells_needed(_mesh(), 2)


def test_laying_out_the_same_mesh_again_changes_nothing() -> None:
    layout = CellLayout(CellStore.local())
    before = layout_for(_mesh(), layout, workers=2)
    used = layout.used
    layout.release_missing(before.keys())
    assert layout_for(_mesh(), layout, workers=2) == before
    assert layout.used == used


def test_status_lines() -> None:
    store = CellStore.local(64)
    layout = CellLayout(store)
    layout.reserve("breaker", "ex:b", 7)
    assert repr(store) == "<CellStore local cells=64>"
    assert repr(layout) == "<CellLayout slots=1 used=8/64>"
