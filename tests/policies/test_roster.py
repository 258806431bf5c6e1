"""Who may be picked: levels, overprovisioning, panic, zones, slow start."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.model import Balancer, Endpoint
from api_gateway_service_mesh.policies.cells import CellStore
from api_gateway_service_mesh.policies.health import EJECTED_UNTIL, HEALTH_CELLS, HealthState
from api_gateway_service_mesh.policies.roster import Roster, Standing

UNHEALTHY = HealthState.UNHEALTHY
CONFIG = Balancer("ex:lb")


class Ward:
    """Endpoints with health that a test sets."""

    def __init__(self, *endpoints: Endpoint, config: Balancer = CONFIG, zone: str | None = None) -> None:
        self.store = CellStore.local(HEALTH_CELLS * max(1, len(endpoints)))
        health = [index * HEALTH_CELLS for index in range(len(endpoints))]
        self.roster = Roster(endpoints, self.store.view, health, config, weighted=True, zone=zone)

    def ill(self, *indices: int) -> Ward:
        for index in indices:
            self.store.view[index * HEALTH_CELLS] = float(UNHEALTHY)
        return self

    def eject(self, index: int, until: float) -> Ward:
        self.store.view[index * HEALTH_CELLS + EJECTED_UNTIL] = until
        return self

    def shares(self, now: float = 0.0) -> list[tuple[tuple[int, ...], float]]:
        below, found = 0.0, []
        for level in self.roster.standing(now).levels:
            found.append((level.members, pytest.approx(level.upto - below)))
            below = level.upto
        return found


def endpoint(number: int, priority: int = 0, zone: str | None = None, weight: int = 1) -> Endpoint:
    return Endpoint(f"ex:e{number}", "h", 80, weight=weight, priority=priority, zone=zone)


def test_a_second_level_gets_nothing_while_the_first_can_take_all() -> None:
    ward = Ward(*(endpoint(n) for n in range(4)), *(endpoint(n, 1) for n in range(4, 6)))
    assert ward.shares() == [((0, 1, 2, 3), 1.0)]
    assert ward.ill(0).shares() == [((1, 2, 3), 1.0)]  # 75 % times 1.4 is above 1


def test_what_the_first_level_cannot_take_goes_to_the_next() -> None:
    ward = Ward(*(endpoint(n) for n in range(4)), *(endpoint(n, 1) for n in range(4, 6))).ill(0, 1)
    assert ward.shares() == [((2, 3), 0.7), ((4, 5), 0.3)]
    assert ward.ill(2, 3).shares() == [((4, 5), 1.0)]


def test_all_levels_weak_share_by_their_health() -> None:
    ward = Ward(*(endpoint(n) for n in range(10)), *(endpoint(n, 1) for n in range(10, 20)))
    ward.ill(*range(2, 10), *range(11, 20))  # 28 % and 14 %: both in panic, to all their endpoints
    assert ward.shares() == [(tuple(range(10)), 2 / 3), (tuple(range(10, 20)), 1 / 3)]


def test_the_own_zone_comes_first_and_only_when_the_gateway_says_where_it_is() -> None:
    ends = [endpoint(0, zone="a"), endpoint(1, zone="b"), endpoint(2, zone="a"), endpoint(3)]
    assert Ward(*ends, zone="a").shares() == [((0, 2), 1.0)]
    assert Ward(*ends).shares() == [((0, 1, 2, 3), 1.0)]
    assert Ward(*ends, zone="a").ill(0).shares() == [((2,), 0.7), ((1, 3), 0.3)]


@pytest.mark.parametrize(("threshold", "members"), [(50, (0, 1, 2)), (33, (0,)), (0, (0,))])
def test_panic_below_the_threshold(threshold: int, members: tuple[int, ...]) -> None:
    ward = Ward(*(endpoint(n) for n in range(3)), config=replace(CONFIG, panic_threshold=threshold)).ill(1, 2)
    ((level, share),) = ward.shares()
    assert (level, share) == (members, 1.0)


def test_with_nothing_available_all_are_used_or_none_when_panic_is_off() -> None:
    ends = [endpoint(0), endpoint(1, 1)]
    assert Ward(*ends).ill(0, 1).shares() == [((0, 1), 1.0)]
    assert Ward(*ends, config=replace(CONFIG, panic_threshold=0)).ill(0, 1).shares() == []


def test_an_ejection_ends_by_itself() -> None:
    ward = Ward(endpoint(0), endpoint(1)).eject(1, 30.0)
    standing = ward.roster.standing(10.0)
    assert (standing.levels[0].members, standing.until) == ((0,), 30.0)
    assert ward.roster.standing(30.0).levels[0].members == (0, 1)


@pytest.mark.parametrize(
    ("age", "aggression", "share"), [(0.0, 1.0, 0.1), (15.0, 1.0, 0.5), (29.9, 1.0, 1.0), (7.5, 2.0, 0.5)]
)
def test_slow_start(age: float, aggression: float, share: float) -> None:
    config = replace(CONFIG, slow_start_seconds=30.0, slow_start_aggression=aggression)
    ward = Ward(endpoint(0, weight=2), endpoint(1), config=config).eject(1, 100.0)
    ward.roster.standing(50.0)  # they join
    (level,) = ward.roster.standing(100.0 + age).levels
    assert level.weights[1] / level.weights[0] == pytest.approx(share / 2, abs=0.01)
    assert ward.roster.standing(131.0).levels[0].weights == (2, 1)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["a", "b", None]), st.booleans(), st.integers(0, 2)), max_size=12
    ),
    st.sampled_from([0, 1, 50, 100]),
)
def test_a_standing_is_whole(ends: list[tuple[int, str | None, bool, int]], threshold: int) -> None:
    """Shares make 1, nobody stands in two levels, none without a weight, and who is available may be kept."""
    ward = Ward(
        *(endpoint(n, priority, zone, weight) for n, (priority, zone, _, weight) in enumerate(ends)),
        config=replace(CONFIG, panic_threshold=threshold),
        zone="a",
    ).ill(*(n for n, (_, _, sick, _) in enumerate(ends) if sick))
    standing: Standing = ward.roster.standing(0.0)
    usable = {n for n, (_, _, _, weight) in enumerate(ends) if weight}
    well = {n for n in usable if not ends[n][2]}
    picked = [index for level in standing.levels for index in level.members]
    assert len(picked) == len(set(picked))
    assert set(picked) <= usable
    assert bool(picked) is bool(well or (usable and threshold))
    if picked:
        assert standing.levels[-1].upto == pytest.approx(1.0)
        assert all(weight >= 1 for level in standing.levels for weight in level.weights)
    assert all(standing.allowed >> index & 1 for index in well)
