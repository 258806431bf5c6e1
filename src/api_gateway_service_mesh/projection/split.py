"""Shares of a route's traffic (``agw:TrafficSplit``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import Canary, RequestCondition, RequestKey, SplitTarget, Upstream
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["SplitChoice", "SplitChoiceRow", "SplitRow", "split_choices", "splits"]

_WHOLE = 100  # per cent


@dataclass(frozen=True, slots=True)
class SplitRow:
    """``split.rq``."""

    route: str
    split: str
    upstream: str | None
    weight: str | None
    active: str | None


@dataclass(frozen=True, slots=True)
class SplitChoiceRow:
    """``split_choice.rq``."""

    route: str
    key: str | None
    cookie: str | None


@dataclass(frozen=True, slots=True)
class SplitChoice:
    """How a route's callers stay on one side."""

    key: RequestKey | None = None
    cookie: str | None = None


def split_choices(rows: Iterable[SplitChoiceRow], reading: Reading) -> Mapping[str, SplitChoice]:
    """How the callers of each route stay on one side, by route IRI; routes that say nothing are not in it."""
    found: dict[str, SplitChoice] = {}
    for row in rows:
        found.setdefault(row.route, SplitChoice(reading.key(row.route, AGW.splitKey, row.key), row.cookie))
    return found


def splits(
    rows: Iterable[SplitRow],
    upstreams: Mapping[str, Upstream],
    conditions: Mapping[str, tuple[RequestCondition, ...]],
    canaries: Mapping[str, Canary],
    reading: Reading,
) -> Mapping[str, tuple[SplitTarget, ...]]:
    """The split of each route, by route IRI. A split without target service shares nothing out: it is a note."""
    found: dict[str, dict[str, SplitTarget]] = defaultdict(dict)
    for row in rows:
        if row.upstream is None:
            reading.warn(
                "split-without-target",
                f"{name_of(row.split)} has no agw:targetService, so {name_of(row.route)} sends nothing its way",
                row.split,
                AGW.targetService,
                remedy="add agw:targetService, or leave the split out",
            )
            continue
        reading.known(row.split, AGW.targetService, row.upstream, upstreams, "agw:BackendService")
        weight = reading.integer(row.split, AGW.weight, row.weight, 0)
        active = None if row.active is None else reading.boolean(row.split, AGW.active, row.active)
        if active is not None:
            weight = _WHOLE if active else 0
        target = SplitTarget(
            row.split, row.upstream, weight, active, conditions.get(row.split, ()), canaries.get(row.split)
        )
        found[row.route].setdefault(row.split, target)
    for route, targets in found.items():
        _judge(route, tuple(targets.values()), reading)
    return {route: tuple(targets.values()) for route, targets in found.items()}


def _judge(route: str, targets: tuple[SplitTarget, ...], reading: Reading) -> None:
    total = sum(target.weight for target in targets)
    stated = [target for target in targets if target.active is not None]
    raised = [target for target in targets if target.canary is not None]
    if stated and sum(bool(target.active) for target in stated) != 1:
        reading.note(
            "not-one-active",
            f"{name_of(route)}: {sum(bool(target.active) for target in stated)} of its {len(stated)} blue-green "
            "deployments are active, and exactly one must be",
            route,
            AGW.hasTrafficSplit,
            allowed="agw:active true on one of them, false on the others",
            remedy="to switch, change both triples in one update",
        )
    elif total != _WHOLE:
        shares = " + ".join(f"{name_of(target.iri)} {target.weight}" for target in targets)
        reading.note(
            "weights-do-not-sum",
            f"{name_of(route)}: the weights of its traffic splits make {total} ({shares}), not {_WHOLE}",
            route,
            AGW.hasTrafficSplit,
            allowed=f"weights that sum to {_WHOLE}",
            remedy="change agw:weight so that the shares make 100 per cent",
        )
    if len(raised) > 1:
        names = ", ".join(name_of(target.iri) for target in raised)
        reading.note(
            "several-canaries",
            f"{name_of(route)} has several canaries with steps ({names}): what one is compared with would move",
            route,
            AGW.hasTrafficSplit,
            allowed="one canary with steps a route",
            remedy="let one finish before the next begins, or give the others a fixed agw:weight",
        )
