"""Balancing: which endpoint of an upstream takes a request.

Rules:

- Who may be picked is the roster's to say (`policies.roster`: health, ejection, priority, zone, panic, slow start). Of
  those, the ones not yet tried for this request, and among them rather an available one; when all were tried, it begins
  anew with all (a retry may find well again what failed).
- `pick` decides from its arguments and the cells alone; it returns an index into the upstream's endpoints, or -1 when
  there is none to pick.
- ROUND_ROBIN goes through the endpoints in order, WEIGHTED through a schedule by weight (`policies.schedule`). RANDOM
  draws evenly. LEAST_CONNECTIONS takes the fewest active requests per weight, over all workers; of many endpoints, the
  better of two drawn, as POWER_OF_TWO always does. EWMA takes of two drawn the one with the lower product of latency
  (`policies.latency`) and active requests. CONSISTENT_HASH looks the key up in a table (`policies.ring`,
  `policies.maglev`) that `prepare_hashes` makes before the configuration goes live, where slow start does not count: it
  would move keys.
- Positions are kept for each worker on its own, as in nginx without a zone and in Envoy: the share over all workers is
  the same, and workers need not meet for each request. What judges endpoints (active requests, latency, health,
  ejection) is shared by all.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import inf
from typing import Any, ClassVar

from api_gateway_service_mesh.model import Algorithm, Balancer, Endpoint, HashAlgorithm, Mesh, Route, Upstream

from .counters import ENDPOINT_CELLS
from .health import HealthState
from .latency import PeakLatency
from .maglev import Maglev, maglev_of
from .ring import Ring, named, ring_of
from .roster import EPOCH_SLOT, Level, Roster, levels_of
from .row import row
from .schedule import schedule

__all__ = ["BALANCER_CELLS", "EndpointBalancer", "balancer_key", "make_balancer", "prepare_hashes", "subset_of"]

BALANCER_CELLS = 8
"""Cells of one worker's column: its position."""

SCAN = 8
"""Up to so many endpoints, LEAST_CONNECTIONS looks at all of them."""

_UNKNOWN_SECONDS = 0.001
"""What an endpoint without a sample is taken to need: it is soon asked, and not by everybody at once."""

_LOW_BITS = (1 << 20) - 1


def balancer_key(route: Route, upstream: str, subset: tuple[str, ...] = ()) -> tuple[str, str]:
    """The slot of the balancer's positions: one for each balancer (or route without one), upstream and subset."""
    return "balancer", " ".join((route.balancer.iri if route.balancer else route.iri, upstream, *subset))


def subset_of(endpoints: Sequence[Endpoint], labels: Sequence[str]) -> tuple[Endpoint, ...]:
    """Those that have all of `labels`."""
    return tuple(endpoint for endpoint in endpoints if all(label in endpoint.labels for label in labels))


def make_balancer(
    upstream: Upstream,
    config: Balancer | None,
    view: memoryview[float],
    slots: Mapping[tuple[str, str], int],
    route: Route,
    workers: int = 1,
    worker: int = 0,
    *,
    subset: tuple[str, ...] = (),
    zone: str | None = None,
) -> EndpointBalancer:
    """The machine that picks among `upstream`'s endpoints for `route`, over the slots that `layout_for` reserved.

    Without a balancer: ROUND_ROBIN, or WEIGHTED when the endpoints differ in weight. `subset`: labels to select by
    (indices count the selected); `zone`: the gateway's.
    """
    endpoints = subset_of(upstream.endpoints, subset)
    if config is None:
        even = len({endpoint.weight for endpoint in endpoints}) <= 1
        config = Balancer("", Algorithm.ROUND_ROBIN if even else Algorithm.WEIGHTED)
    health = [slots["health", endpoint.iri] for endpoint in endpoints]
    weighted = config.algorithm not in (Algorithm.ROUND_ROBIN, Algorithm.RANDOM)
    place = Place(
        endpoints,
        view,
        config,
        slots[balancer_key(route, upstream.iri, subset)] + worker * BALANCER_CELLS,
        slots[EPOCH_SLOT],
        [slots["endpoint", endpoint.iri] for endpoint in endpoints],
        [slots.get(("latency", endpoint.iri), -1) for endpoint in endpoints],
        workers,
        worker,
    )
    return _MACHINES[config.algorithm](place, Roster(endpoints, view, health, config, weighted, zone))


class Place:
    """Where a balancer's cells are: its own ``base``, the ``epoch``, and each endpoint's ``active`` and ``latency``."""

    __slots__ = ("active", "base", "config", "endpoints", "epoch", "latency", "view", "worker", "workers")

    def __init__(
        self,
        endpoints: tuple[Endpoint, ...],
        view: memoryview[float],
        config: Balancer,
        base: int,
        epoch: int,
        active: Sequence[int],
        latency: Sequence[int],
        workers: int,
        worker: int,
    ) -> None:
        self.endpoints = endpoints
        self.view = view
        self.config = config
        self.base = base
        self.epoch = epoch
        self.active = active
        self.latency = latency
        self.workers = workers
        self.worker = worker


class EndpointBalancer:
    """What all algorithms share. A level's *table* is what a machine has made of it to pick fast."""

    __slots__ = (
        "_active", "_allowed", "_base", "_epoch", "_epoch_cell", "_levels", "_only", "_roster", "_tables", "_until",
        "_view", "_workers", "endpoints",
    )  # fmt: skip

    algorithm: ClassVar[Algorithm]

    def __init__(self, place: Place, roster: Roster) -> None:
        self.endpoints = place.endpoints
        self._view = view = place.view
        self._base = base = place.base
        self._workers = place.workers
        self._active = place.active
        self._roster = roster
        self._epoch_cell = place.epoch
        self._epoch = -1.0
        self._until = -inf
        self._allowed = 0
        self._levels: tuple[Level, ...] = ()
        self._tables: list[Any] = []
        self._only: Any = None
        usable = sum(map(len, roster.groups))
        if not view[base] and usable:
            view[base] = float(place.worker % usable)  # workers begin at different endpoints

    def pick(self, now: float, rand: float = 0.0, key_hash: int = 0, tried: int = 0) -> int:
        """The index of the endpoint to use, or -1.

        Args:
            now: seconds on the gateway's clock.
            rand: a random number in [0, 1).
            key_hash: hash of the request's key, for CONSISTENT_HASH.
            tried: bit i is set when endpoint i was tried for this request already.
        """
        if self._view[self._epoch_cell] != self._epoch or now >= self._until:
            self._refresh(now)
        if self._only is not None and not tried:
            return self._choose(self._only, now, rand, key_hash)
        return self._pick_level(now, rand, key_hash, tried)

    def admits(self, index: int, now: float) -> bool:
        """Whether a client that was at endpoint `index` may stay there."""
        if self._view[self._epoch_cell] != self._epoch or now >= self._until:
            self._refresh(now)
        return bool(self._allowed >> index & 1)

    def _refresh(self, now: float) -> None:
        self._epoch = self._view[self._epoch_cell]  # before the standing is read: a change meanwhile is read again
        standing = self._roster.standing(now)
        self._until, self._levels, self._allowed = standing.until, standing.levels, standing.allowed
        self._tables = [self._table(level) for level in standing.levels]
        self._only = self._tables[0] if len(self._tables) == 1 else None

    def _pick_level(self, now: float, rand: float, key_hash: int, tried: int) -> int:
        levels = self._levels
        if not levels:
            return -1
        drawn = (key_hash & _LOW_BITS) / (_LOW_BITS + 1) if self.algorithm is Algorithm.CONSISTENT_HASH else rand
        number, below = 0, 0.0
        while drawn >= levels[number].upto and number < len(levels) - 1:
            below = levels[number].upto
            number += 1
        rest = min((drawn - below) / (levels[number].upto - below), 0.999_999_999)  # an even draw of its own
        if tried:
            for level in (levels[number], *levels[:number], *levels[number + 1 :]):
                left = [index for index in level.members if not tried >> index & 1]
                left = [index for index in left if not level.ill >> index & 1] or left
                if left:
                    return self._choose_of(level, left, now, rest, key_hash)
        return self._choose(self._tables[number], now, rest, key_hash)

    def _table(self, level: Level) -> Any:
        raise NotImplementedError

    def _choose(self, table: Any, now: float, rand: float, key_hash: int) -> int:
        raise NotImplementedError

    def _choose_of(self, level: Level, left: list[int], now: float, rand: float, key_hash: int) -> int:
        """Among those of `level` that are `left` to try."""
        weight = dict(zip(level.members, level.weights, strict=True))
        table = self._table(Level(level.group, 1.0, tuple(left), tuple(weight[index] for index in left)))
        return self._choose(table, now, rand, key_hash)

    def active(self, index: int) -> float:
        """Active requests of an endpoint over all workers."""
        view, base = self._view, self._active[index]
        if self._workers == 1:
            return view[base]
        return sum(row(view[base : base + self._workers * ENDPOINT_CELLS : ENDPOINT_CELLS]))

    def __repr__(self) -> str:
        names = {HealthState.UNKNOWN: "?", HealthState.HEALTHY: ""}
        states = (names.get(HealthState(int(self._view[base])), "!") for base in self._roster.health)
        shown = " ".join(f"{endpoint.authority}{state}" for endpoint, state in zip(self.endpoints, states, strict=True))
        return f"<{type(self).__name__} {self.algorithm} [{shown}]>"


class RoundRobin(EndpointBalancer):
    """One after the other."""

    __slots__ = ()
    algorithm: ClassVar[Algorithm] = Algorithm.ROUND_ROBIN

    def _table(self, level: Level) -> Any:
        return schedule(level.members, level.weights)

    def _choose(self, table: Any, now: float, rand: float, key_hash: int) -> int:
        view, base = self._view, self._base
        position = view[base]
        view[base] = position + 1.0
        index: int = table[int(position) % len(table)]
        return index


class Weighted(RoundRobin):
    """In turn, by weight."""

    __slots__ = ()
    algorithm: ClassVar[Algorithm] = Algorithm.WEIGHTED


class PowerOfTwo(EndpointBalancer):
    """The better of two drawn (Mitzenmacher 2001): nearly as even as looking at all, and nobody rushes to the best."""

    __slots__ = ()
    algorithm: ClassVar[Algorithm] = Algorithm.POWER_OF_TWO

    def _table(self, level: Level) -> Any:
        return level.members, level.weights

    def _choose(self, table: Any, now: float, rand: float, key_hash: int) -> int:
        members, weights = table
        count = len(members)
        if count == 1:
            return int(members[0])
        first, second = divmod(int(rand * count * (count - 1)), count - 1)
        second += second >= first
        one, other = members[first], members[second]
        lighter = self._load(one, now) * weights[second] <= self._load(other, now) * weights[first]
        return int(one if lighter else other)

    def _load(self, index: int, now: float) -> float:
        # One more than is active: the request at hand counts too, so that weights matter among idle endpoints.
        return self.active(index) + 1.0


class LeastConnections(PowerOfTwo):
    """The fewest active requests per weight: of up to `SCAN`, ties in turn; of more, the better of two drawn."""

    __slots__ = ()
    algorithm: ClassVar[Algorithm] = Algorithm.LEAST_CONNECTIONS

    def _choose(self, table: Any, now: float, rand: float, key_hash: int) -> int:
        members, weights = table
        count = len(members)
        if count > SCAN:
            return super()._choose(table, now, rand, key_hash)
        view, base = self._view, self._base
        turn = int(view[base])
        view[base] = turn + 1.0
        best, best_load = -1, inf
        for step in range(count):
            place = (turn + step) % count
            load = (self.active(members[place]) + 1.0) / weights[place]
            if load < best_load:
                best, best_load = members[place], load
        return best


class LowestLatency(PowerOfTwo):
    """Of two drawn the one that would be done sooner: latency times the requests under way."""

    __slots__ = ("_latency",)
    algorithm: ClassVar[Algorithm] = Algorithm.EWMA

    def __init__(self, place: Place, roster: Roster) -> None:
        super().__init__(place, roster)
        decay = place.config.latency_decay_seconds
        self._latency = [PeakLatency(place.view, base, decay) for base in place.latency]

    def _load(self, index: int, now: float) -> float:
        return (self._latency[index].seconds(now) + _UNKNOWN_SECONDS) * (self.active(index) + 1.0)


class Random(EndpointBalancer):
    """An even draw; weights other than 0 do not matter."""

    __slots__ = ()
    algorithm: ClassVar[Algorithm] = Algorithm.RANDOM

    def _table(self, level: Level) -> Any:
        even = len(set(level.weights)) == 1
        return level.members, None if even else list(accumulate(level.weights))

    def _choose(self, table: Any, now: float, rand: float, key_hash: int) -> int:
        members, upto = table
        place = int(rand * len(members)) if upto is None else bisect_right(upto, rand * upto[-1])
        return int(members[place])


def _hashes(
    endpoints: Sequence[Endpoint], config: Balancer, levels: Sequence[tuple[int, ...]]
) -> list[tuple[tuple[int, ...], Ring | Maglev]]:
    """The members and the table of each level and, for panic, of all together (group -1)."""
    make = maglev_of if config.hash_algorithm is HashAlgorithm.MAGLEV else ring_of
    groups = list(levels)
    if len(groups) > 1:
        groups.append(tuple(sorted(index for group in groups for index in group)))
    return [
        (group, make(named([(endpoints[index].iri, endpoints[index].weight) for index in group]))) for group in groups
    ]


def prepare_hashes(mesh: Mesh) -> None:
    """Make the tables of CONSISTENT_HASH that the routes of `mesh` need: milliseconds for a hundred endpoints, up to a
    second for thousands. For a thread that gives way, before `mesh` goes live; folding a route then finds its table."""
    upstreams = {upstream.iri: upstream for upstream in mesh.upstreams}
    for route in mesh.routes:
        config = route.balancer
        if config is None or config.algorithm is not Algorithm.CONSISTENT_HASH:
            continue
        for target, subset in (*route.targets, *((mirror.upstream, ()) for mirror in route.mirrors)):
            if target in upstreams:
                endpoints = subset_of(upstreams[target].endpoints, subset)
                _hashes(endpoints, config, levels_of(endpoints, mesh.zone))


class ConsistentHash(EndpointBalancer):
    """By a key, looked up in a table of all endpoints of the level, whoever of them is available."""

    __slots__ = ("_hashes",)
    algorithm: ClassVar[Algorithm] = Algorithm.CONSISTENT_HASH

    def __init__(self, place: Place, roster: Roster) -> None:
        super().__init__(place, roster)
        self._hashes = _hashes(place.endpoints, place.config, roster.groups)

    def _table(self, level: Level) -> Any:
        group, table = self._hashes[level.group]
        if len(level.members) == len(group):
            return group, table, None
        taken = set(level.members)
        return group, table, frozenset(place for place, index in enumerate(group) if index in taken)

    def _choose(self, table: Any, now: float, rand: float, key_hash: int) -> int:
        group, hashes, places = table
        place = hashes.owner(key_hash)
        if places is not None and place not in places:
            place = hashes.owner_of(key_hash, places)
        return int(group[place])


_MACHINES: dict[Algorithm, type[EndpointBalancer]] = {
    machine.algorithm: machine
    for machine in (RoundRobin, Weighted, LeastConnections, PowerOfTwo, LowestLatency, Random, ConsistentHash)
}
