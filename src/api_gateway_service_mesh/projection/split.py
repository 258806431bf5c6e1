"""Shares of a route's traffic (``agw:TrafficSplit``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import SplitTarget, Upstream
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["SplitRow", "splits"]

_WHOLE = 100  # per cent


@dataclass(frozen=True, slots=True)
class SplitRow:
    """``split.rq``."""

    route: str
    split: str
    upstream: str | None
    weight: str | None


def splits(
    rows: Iterable[SplitRow], upstreams: Mapping[str, Upstream], reading: Reading
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
        found[row.route].setdefault(row.split, SplitTarget(row.split, row.upstream, weight))
    for route, targets in found.items():
        total = sum(target.weight for target in targets.values())
        if total != _WHOLE:
            shares = " + ".join(f"{name_of(target.iri)} {target.weight}" for target in targets.values())
            reading.note(
                "weights-do-not-sum",
                f"{name_of(route)}: the weights of its traffic splits make {total} ({shares}), not {_WHOLE}",
                route,
                AGW.hasTrafficSplit,
                allowed=f"weights that sum to {_WHOLE}",
                remedy="change agw:weight so that the shares make 100 per cent",
            )
    return {route: tuple(targets.values()) for route, targets in found.items()}
