"""Balancing: which endpoint of an upstream takes a request.

Rules:

- Candidates are the endpoints with a weight above 0 that are not UNHEALTHY; when there is none, all with a weight
  (panic: better a doubtful endpoint than a sure 503). Of these, the ones not yet tried for this request; when all were
  tried, it begins anew with all (a retry may find well again what failed).
- `pick` decides from its arguments and the cells alone; it returns an index into the upstream's endpoints, or -1 when
  no endpoint has a weight.
- ROUND_ROBIN goes through the endpoints in order. WEIGHTED is the smooth weighted round robin of nginx. RANDOM draws
  evenly. LEAST_CONNECTIONS takes the fewest active requests per weight, over all workers; of many endpoints, the better
  of two drawn. CONSISTENT_HASH walks a ring of `POINTS` points per weight: adding one of N endpoints moves about 1/N of
  the keys, all of them to the new one.
- Positions are kept for each worker on its own, as in nginx without a zone: the share over all workers is the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from api_gateway_service_mesh.model import Algorithm, Balancer, Endpoint, Route, Upstream

from .counters import ENDPOINT_CELLS
from .health import HealthState
from .key import key_hash as hash_of

__all__ = ["EndpointBalancer", "balancer_cells", "balancer_key", "make_balancer"]

POINTS = 160
"""Ring points of an endpoint of weight 1; shares then differ by about 1/sqrt(160), 8 per cent."""

MAX_RING = 65_536
"""Bound on the points of a ring; above it points are dealt out in proportion, at least one each."""

SCAN = 8
"""Up to so many endpoints, LEAST_CONNECTIONS looks at all of them."""

UNHEALTHY = float(HealthState.UNHEALTHY)


def balancer_cells(endpoints: int) -> int:
    """Cells of one worker's column: a position, and a current weight for each endpoint."""
    return -(-(1 + endpoints) // 8) * 8


def balancer_key(route: Route, upstream: str) -> tuple[str, str]:
    """The slot of the balancer's positions: one for each pair of balancer (or route without one) and upstream."""
    return "balancer", f"{route.balancer.iri if route.balancer else route.iri} {upstream}"


def make_balancer(
    upstream: Upstream,
    config: Balancer | None,
    view: memoryview[float],
    slots: Mapping[tuple[str, str], int],
    route: Route,
    workers: int = 1,
    worker: int = 0,
) -> EndpointBalancer:
    """The machine that picks among `upstream`'s endpoints for `route`, over the slots that `layout_for` reserved.

    Without a balancer: ROUND_ROBIN, or WEIGHTED when the endpoints differ in weight.
    """
    endpoints = upstream.endpoints
    if config is not None:
        algorithm = config.algorithm
    else:
        even = len({endpoint.weight for endpoint in endpoints}) <= 1
        algorithm = Algorithm.ROUND_ROBIN if even else Algorithm.WEIGHTED
    return _MACHINES[algorithm](
        endpoints,
        view,
        base=slots[balancer_key(route, upstream.iri)] + worker * balancer_cells(len(endpoints)),
        health=[slots["health", endpoint.iri] for endpoint in endpoints],
        active=[slots["endpoint", endpoint.iri] for endpoint in endpoints],
        workers=workers,
        worker=worker,
    )


class EndpointBalancer:
    """What all algorithms share. ``health`` and ``active`` are the bases of the endpoints' slots."""

    __slots__ = ("_active", "_base", "_endpoints", "_health", "_usable", "_view", "_weights", "_workers", "endpoints")

    algorithm: Algorithm

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        view: memoryview[float],
        *,
        base: int,
        health: Sequence[int],
        active: Sequence[int],
        workers: int = 1,
        worker: int = 0,
    ) -> None:
        self.endpoints = tuple(endpoints)
        self._view = view
        self._base = base
        self._workers = workers
        self._weights = [endpoint.weight for endpoint in endpoints]
        self._usable = [index for index, endpoint in enumerate(endpoints) if endpoint.weight > 0]
        self._health = list(health)
        self._active = list(active)
        if not view[base] and self._usable:
            view[base] = float(worker % len(self._usable))  # workers begin at different endpoints

    def pick(self, now: float, rand: float = 0.0, key_hash: int = 0, tried: int = 0) -> int:
        """The index of the endpoint to use, or -1.

        Args:
            now: seconds on the gateway's clock.
            rand: a random number in [0, 1).
            key_hash: hash of the request's key, for CONSISTENT_HASH.
            tried: bit i is set when endpoint i was tried for this request already.
        """
        raise NotImplementedError

    def candidates(self, tried: int = 0) -> list[int]:
        """The endpoints in question, in order (see the module's rules)."""
        view, health = self._view, self._health
        usable = [index for index in self._usable if view[health[index]] != UNHEALTHY] or self._usable
        if not tried:
            return usable
        return [index for index in usable if not tried >> index & 1] or usable

    def active(self, index: int) -> float:
        """Active requests of an endpoint over all workers."""
        view, base = self._view, self._active[index]
        if self._workers == 1:
            return view[base]
        return sum(view[base : base + self._workers * ENDPOINT_CELLS : ENDPOINT_CELLS].tolist())

    def __repr__(self) -> str:
        names = {HealthState.UNKNOWN: "?", HealthState.HEALTHY: "", HealthState.UNHEALTHY: "!"}
        states = (names[HealthState(int(self._view[base]))] for base in self._health)
        shown = " ".join(f"{endpoint.authority}{state}" for endpoint, state in zip(self.endpoints, states, strict=True))
        return f"<{type(self).__name__} {self.algorithm} [{shown}]>"


class RoundRobin(EndpointBalancer):
    """One after the other."""

    __slots__ = ()
    algorithm = Algorithm.ROUND_ROBIN

    def pick(self, now: float, rand: float = 0.0, key_hash: int = 0, tried: int = 0) -> int:
        """The first candidate at or after the position, which then stands behind it."""
        view, base = self._view, self._base
        usable, health = self._usable, self._health
        count = len(usable)
        if not count:
            return -1
        position = int(view[base]) % count
        index = usable[position]
        if view[health[index]] != UNHEALTHY and not tried >> index & 1:
            view[base] = position + 1.0
            return index
        candidates = self.candidates(tried)
        if not candidates:
            return -1
        after = [candidate for candidate in candidates if candidate >= index]
        index = after[0] if after else candidates[0]
        view[base] = usable.index(index) + 1.0
        return index


class Weighted(EndpointBalancer):
    """Smooth weighted round robin: each candidate gains its weight, the richest is picked and pays all that was gained.
    With weights 5, 1, 1 it gives a a b a c a a, never five in a row."""

    __slots__ = ()
    algorithm = Algorithm.WEIGHTED

    def pick(self, now: float, rand: float = 0.0, key_hash: int = 0, tried: int = 0) -> int:
        """The candidate with the highest current weight; of equals the first."""
        view, weights = self._view, self._weights
        first = self._base + 1
        total = 0
        best = -1
        best_current = 0.0
        for index in self.candidates(tried):
            weight = weights[index]
            total += weight
            current = view[first + index] + weight
            view[first + index] = current
            if best < 0 or current > best_current:
                best, best_current = index, current
        if best >= 0:
            view[first + best] = best_current - total
        return best


class LeastConnections(EndpointBalancer):
    """The fewest active requests per weight."""

    __slots__ = ()
    algorithm = Algorithm.LEAST_CONNECTIONS

    def pick(self, now: float, rand: float = 0.0, key_hash: int = 0, tried: int = 0) -> int:
        """Of up to `SCAN` candidates the least loaded, ties in turn; of more, the better of two drawn."""
        candidates = self.candidates(tried)
        count = len(candidates)
        if count <= 1:
            return candidates[0] if count else -1
        weights = self._weights
        if count > SCAN:
            drawn = int(rand * count * (count - 1))
            one, other = divmod(drawn, count - 1)
            first, second = candidates[one], candidates[other + (other >= one)]
            # One more than is active: the request at hand counts too, so that weights matter among idle endpoints.
            lighter = (self.active(first) + 1) * weights[second] <= (self.active(second) + 1) * weights[first]
            return first if lighter else second
        view, base = self._view, self._base
        turn = int(view[base]) % count
        best = -1
        best_load = 0.0
        for index in candidates[turn:] + candidates[:turn]:
            load = (self.active(index) + 1) / weights[index]
            if best < 0 or load < best_load:
                best, best_load = index, load
        view[base] = turn + 1.0
        return best


class Random(EndpointBalancer):
    """An even draw; weights other than 0 do not matter."""

    __slots__ = ()
    algorithm = Algorithm.RANDOM

    def pick(self, now: float, rand: float = 0.0, key_hash: int = 0, tried: int = 0) -> int:
        """The candidate that `rand` falls on."""
        candidates = self.candidates(tried)
        return candidates[int(rand * len(candidates))] if candidates else -1


class ConsistentHash(EndpointBalancer):
    """A ring of points. Points are named by the endpoint's IRI, so an endpoint that moves to another address keeps its
    keys; endpoints that share an IRI are told apart by their order."""

    __slots__ = ("_owners", "_points")
    algorithm = Algorithm.CONSISTENT_HASH

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        view: memoryview[float],
        *,
        base: int,
        health: Sequence[int],
        active: Sequence[int],
        workers: int = 1,
        worker: int = 0,
    ) -> None:
        super().__init__(endpoints, view, base=base, health=health, active=active, workers=workers, worker=worker)
        per_weight = min(float(POINTS), MAX_RING / max(1, sum(self._weights)))
        seen: dict[str, int] = {}
        ring: list[tuple[int, int]] = []
        for index, endpoint in enumerate(endpoints):
            nth = seen[endpoint.iri] = seen.get(endpoint.iri, -1) + 1
            points = max(1, round(endpoint.weight * per_weight)) if endpoint.weight > 0 else 0
            ring.extend((hash_of(f"{endpoint.iri} {nth} {point}"), index) for point in range(points))
        ring.sort()
        self._points = [point for point, _ in ring]
        self._owners = [owner for _, owner in ring]

    def pick(self, now: float, rand: float = 0.0, key_hash: int = 0, tried: int = 0) -> int:
        """The owner of the first point after the key's whose endpoint is a candidate."""
        owners = self._owners
        if not owners:
            return -1
        start = bisect_right(self._points, key_hash) % len(owners)
        index = owners[start]
        if self._view[self._health[index]] != UNHEALTHY and not tried >> index & 1:
            return index
        candidates = set(self.candidates(tried))
        if not candidates:
            return -1
        return next(owner for owner in owners[start:] + owners[:start] if owner in candidates)


_MACHINES: dict[Algorithm, type[EndpointBalancer]] = {
    machine.algorithm: machine for machine in (RoundRobin, Weighted, LeastConnections, Random, ConsistentHash)
}
