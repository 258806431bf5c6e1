"""Who may be picked: the endpoints of an upstream by health, priority, zone and age.

Rules:

- An endpoint is *available* when it has a weight above 0, is neither UNHEALTHY nor STARTING, and is not ejected.
- Endpoints stand in *levels*: first by ``agw:failoverPriority``, and of one priority those in the gateway's own zone
  before those elsewhere (where the gateway says in which zone it runs). A level takes requests up to its health, the
  available share of its endpoints times the overprovisioning factor (1.4: a level with 72 % of its endpoints still
  takes all); what it cannot take goes to the next. When all levels together are below their full health, each takes its
  part of what there is. Envoy's rules: "Priority levels", "Overprovisioning factor".
- *Panic*: a level of which fewer than the panic threshold (50 %) are available, while the levels together cannot take
  all requests, sends to all its endpoints: so few endpoints would only be trampled down, and that many at once are
  rarely all ill. With nothing available anywhere all endpoints are used. A threshold of 0 turns this off: then nothing
  available is a refusal (503).
- *Slow start*: an endpoint that has just come (back) gets a tenth of its share, which grows to the whole over the
  window as ``(age / window) ** (1 / aggression)``.

A standing holds until a health cell changes (every writer moves the *epoch* cell on) or its time is up, so that a pick
costs one comparison, however many endpoints there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from api_gateway_service_mesh.model import Balancer, Endpoint

from .health import AVAILABLE_SINCE, EJECTED_UNTIL, JOINED, HealthState

__all__ = ["EPOCH_CELLS", "EPOCH_SLOT", "Level", "Roster", "Standing", "levels_of"]

EPOCH_SLOT = ("epoch", "")
"""The slot of the cell that every change of any endpoint's health moves on."""
EPOCH_CELLS = 8

_OUT = (float(HealthState.UNHEALTHY), float(HealthState.STARTING))
_LEAST_SHARE = 0.1
_SCALE = 100
_STEPS = 50


@dataclass(frozen=True, slots=True)
class Level:
    """Endpoints that share requests. ``group`` is the number of the level in `Roster.groups`, -1 for all together;
    ``upto``: requests whose draw (0 to 1) is below it, and not below that of the level before, come here. ``ill``: bit
    i is set for a member that is not available (in panic)."""

    group: int
    upto: float
    members: tuple[int, ...]
    weights: tuple[int, ...]
    ill: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """Who may be picked until ``until``. ``allowed``: bit i is set for an endpoint that a sticky client may keep."""

    levels: tuple[Level, ...]
    until: float
    allowed: int


def levels_of(endpoints: Sequence[Endpoint], zone: str | None) -> tuple[tuple[int, ...], ...]:
    """The endpoints with a weight, by level, as indices. `zone`: the gateway's."""
    by_level: dict[tuple[int, bool], list[int]] = {}
    for index, endpoint in enumerate(endpoints):
        if endpoint.weight > 0:
            elsewhere = zone is not None and endpoint.zone != zone
            by_level.setdefault((endpoint.priority, elsewhere), []).append(index)
    return tuple(tuple(by_level[level]) for level in sorted(by_level))


class Roster:
    """Reads the standing of ``endpoints`` from their ``health`` cells. ``weighted``: weights above 1 count."""

    __slots__ = ("config", "endpoints", "groups", "health", "view", "weighted", "zone")

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        view: memoryview[float],
        health: Sequence[int],
        config: Balancer,
        weighted: bool,
        zone: str | None = None,
    ) -> None:
        self.endpoints = endpoints
        self.view = view
        self.health = health
        self.config = config
        self.weighted = weighted
        self.zone = zone
        self.groups = levels_of(endpoints, zone)
        """The endpoints with a weight, by level."""

    def available(self, index: int, now: float) -> bool:
        """Whether one endpoint is."""
        view, base = self.view, self.health[index]
        return view[base] not in _OUT and view[base + EJECTED_UNTIL] <= now

    def standing(self, now: float) -> Standing:
        """Read it; `now` on the gateway's clock."""
        view = self.view
        until = inf
        fit: list[list[int]] = []
        allowed = 0
        for group in self.groups:
            taken = [index for index in group if self.available(index, now)]
            fit.append(taken)
            for index in group:
                ejected = view[self.health[index] + EJECTED_UNTIL]
                if ejected > now:
                    until = min(until, ejected)
            for index in taken:
                allowed |= 1 << index
        factors, until = self._slow_start(now, until)
        levels: list[Level] = []
        threshold = self.config.panic_threshold / 100
        if not allowed:
            everyone = tuple(index for group in self.groups for index in group)
            if everyone and threshold:
                levels.append(self._level(-1, 1.0, everyone, (), factors))
                allowed = sum(1 << index for index in everyone)
            return Standing(tuple(levels), until, allowed)
        shares = [
            min(1.0, self.config.overprovisioning * len(taken) / len(group))
            for taken, group in zip(fit, self.groups, strict=True)
        ]
        whole = sum(shares)
        upto = 0.0
        for number, (group, taken) in enumerate(zip(self.groups, fit, strict=True)):
            panic = whole < 1.0 and len(taken) < threshold * len(group)
            upto = min(1.0, upto + (shares[number] / whole if whole < 1.0 else shares[number]))
            members = group if panic else taken
            if members and (not levels or upto > levels[-1].upto):
                levels.append(self._level(number, upto, members, taken, factors))
            if panic:
                for index in group:
                    allowed |= 1 << index
        return Standing(tuple(levels), until, allowed)

    def _level(
        self, group: int, upto: float, members: Sequence[int], taken: Sequence[int], factors: dict[int, float]
    ) -> Level:
        plain = {index: self.endpoints[index].weight if self.weighted else 1 for index in members}
        if factors:
            plain = {i: max(1, round(_SCALE * weight * factors.get(i, 1.0))) for i, weight in plain.items()}
        ill = 0
        if len(taken) < len(members):
            for index in set(members) - set(taken):
                ill |= 1 << index
        return Level(group, upto, tuple(members), tuple(plain.values()), ill)

    def _slow_start(self, now: float, until: float) -> tuple[dict[int, float], float]:
        """The factors below 1, by index, and when they change."""
        window = self.config.slow_start_seconds
        if not window:
            return {}, until
        view = self.view
        factors: dict[int, float] = {}
        for group in self.groups:
            for index in group:
                base = self.health[index]
                if not view[base + JOINED]:
                    view[base + JOINED] = now
                ejected = view[base + EJECTED_UNTIL]
                began = max(view[base + JOINED], view[base + AVAILABLE_SINCE], ejected if ejected <= now else 0.0)
                age = now - began
                if age < window:
                    share = (max(age, 0.0) / window) ** (1.0 / self.config.slow_start_aggression)
                    factors[index] = max(_LEAST_SHARE, share)
        return factors, min(until, now + window / _STEPS) if factors else until
