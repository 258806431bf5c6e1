"""The table of addresses: exact over workers, forgiving when it is full, cleared after a crash."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.policies import CellStore, key_hash
from api_gateway_service_mesh.policies.connection_cap import (
    CONNECTION_PLACES,
    FULL,
    NEIGHBOURHOOD,
    UNCOUNTED,
    AddressTable,
    clear_connections,
    connection_cells,
)
from api_gateway_service_mesh.policies.listener import (
    LISTENER_CELLS,
    HandshakeFault,
    ListenerCounters,
    ListenerTotals,
    read_listener,
)


def tables(workers: int) -> list[AddressTable]:
    view = CellStore.local(connection_cells(workers)).view
    return [AddressTable(view, 0, worker, workers) for worker in range(workers)]


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 4),
    st.lists(
        st.tuples(st.integers(0, 3), st.booleans(), st.sampled_from([0, 1, 65536, key_hash("a"), -7])), max_size=80
    ),
)
def test_no_address_holds_more_than_it_may_and_what_leaves_makes_room(
    most: int, events: list[tuple[int, bool, int]]
) -> None:
    workers = tables(4)
    held: dict[int, list[tuple[int, int]]] = {}
    for worker, comes, key in events:
        # 0 marks a free place, so the hash 0 stands where 1 does.
        mine = held.setdefault(key or 1, [])
        if comes:
            place = workers[worker].enter(key, most)
            assert (place == FULL) == (len(mine) >= most)
            if place >= 0:
                mine.append((worker, place))
        elif mine:
            who, place = mine.pop()
            workers[who].leave(place, key)
        for other in workers:
            assert other.held(key) == len(mine)


def test_places_are_used_again_and_an_address_too_many_goes_uncounted() -> None:
    (table,) = tables(1)
    same_home = [7 + number * 65536 for number in range(NEIGHBOURHOOD + 1)]
    places = [table.enter(key, 1) for key in same_home]
    assert sorted(places[:-1]) == list(range(7, 7 + NEIGHBOURHOOD))
    assert places[-1] == UNCOUNTED
    table.leave(places[3], same_home[3])
    assert table.enter(same_home[-1], 1) == places[3]
    table.leave(places[3], same_home[3])  # not the one that is counted there now
    assert table.held(same_home[-1]) == 1


def test_a_crashed_worker_s_connections_are_forgotten_and_no_others() -> None:
    view = CellStore.local(connection_cells(2)).view
    first, second = AddressTable(view, 0, 0, 2), AddressTable(view, 0, 1, 2)
    keys = [key_hash(f"192.0.2.{number}") for number in range(100)] + [65535]
    for key in keys:
        assert first.enter(key, 5) >= 0
        assert second.enter(key, 5) < CONNECTION_PLACES
        assert first.enter(key, 5) >= 0
    clear_connections(view, 0, 0, 2)
    assert Counter(second.held(key) for key in keys) == {1: len(keys)}


def test_counters_add_up_over_workers() -> None:
    view = CellStore.local(2 * LISTENER_CELLS).view
    one, two = ListenerCounters(view, 0, 0), ListenerCounters(view, 0, 1)
    one.opened()
    two.opened()
    two.holds(-1)
    one.full()
    two.crowded()
    two.crowded()
    one.uncounted()
    for fault in HandshakeFault:
        one.failed(fault)
    two.failed(HandshakeFault.REVOKED)
    faults = tuple(2 if fault is HandshakeFault.REVOKED else 1 for fault in HandshakeFault)
    assert read_listener(view, 0, 2) == ListenerTotals(1, 2, 1, 2, 1, faults)
    assert read_listener(view, 0, 2).failed == len(HandshakeFault) + 1
    one.clear()
    assert read_listener(view, 0, 2).open == 0
