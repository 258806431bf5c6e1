"""Labels that routes and traffic splits select instances by (``agw:selectsLabel``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from api_gateway_service_mesh.model import Route, Upstream
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["InstanceLabelRow", "SubsetRow", "instance_labels", "subsets", "with_subset"]


@dataclass(frozen=True, slots=True)
class InstanceLabelRow:
    """``instance_label.rq``."""

    endpoint: str
    label: str


@dataclass(frozen=True, slots=True)
class SubsetRow:
    """``subset.rq``."""

    selector: str
    label: str


def instance_labels(rows: Iterable[InstanceLabelRow]) -> Mapping[str, tuple[str, ...]]:
    """Labels by instance."""
    return _grouped((row.endpoint, row.label) for row in rows)


def subsets(rows: Iterable[SubsetRow]) -> Mapping[str, tuple[str, ...]]:
    """Labels by the route or split that selects by them."""
    return _grouped((row.selector, row.label) for row in rows)


def with_subset(
    route: Route, selected: Mapping[str, tuple[str, ...]], upstreams: Mapping[str, Upstream], reading: Reading
) -> Route:
    """`route` with what it and its splits select by; a warning where that leaves no instance."""
    if not selected:
        return route
    splits = tuple(replace(split, subset=selected.get(split.iri, ())) for split in route.splits)
    route = replace(route, subset=selected.get(route.iri, ()), splits=splits)
    targets = [(split.iri, split.upstream, (*route.subset, *split.subset)) for split in splits]
    for iri, target, labels in targets or [(route.iri, route.upstream or "", route.subset)]:
        upstream = upstreams.get(target)
        if upstream is None or not upstream.endpoints or not labels:
            continue
        if not any(set(labels) <= set(endpoint.labels) for endpoint in upstream.endpoints):
            reading.warn(
                "empty-subset",
                f"{name_of(iri)} selects instances of {upstream.name} with {' and '.join(labels)}, and none has "
                "that: requests are answered 503",
                iri,
                AGW.selectsLabel,
                remedy="give instances the label with agw:instanceLabel, or correct agw:selectsLabel",
            )
    return route


def _grouped(pairs: Iterable[tuple[str, str]]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, set[str]] = defaultdict(set)
    for subject, label in pairs:
        found[subject].add(label)
    return {subject: tuple(sorted(labels)) for subject, labels in found.items()}
