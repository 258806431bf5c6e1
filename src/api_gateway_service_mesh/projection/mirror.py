"""Copies of requests for a second service (``agw:TrafficMirroring``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import Mirror, Upstream
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["MirrorRow", "mirrors"]


@dataclass(frozen=True, slots=True)
class MirrorRow:
    """``mirror.rq``."""

    route: str
    mirror: str
    upstream: str | None
    percent: str | None
    body_bytes: str | None
    concurrency: str | None


def mirrors(
    rows: Iterable[MirrorRow], upstreams: Mapping[str, Upstream], reading: Reading
) -> Mapping[str, tuple[Mirror, ...]]:
    """The mirrors of each route, by route IRI. One without target copies nothing: it is a note."""
    found: dict[str, dict[str, Mirror]] = defaultdict(dict)
    for row in rows:
        iri = row.mirror
        if row.upstream is None:
            reading.warn(
                "mirror-without-target",
                f"{name_of(iri)} has no agw:targetService, so {name_of(row.route)} copies nothing to it",
                iri,
                AGW.targetService,
                remedy="add agw:targetService, or leave the mirror out",
            )
            continue
        reading.known(iri, AGW.targetService, row.upstream, upstreams, "agw:BackendService")
        standard = Mirror(iri, row.upstream)
        if iri not in found[row.route]:
            found[row.route][iri] = Mirror(
                iri,
                row.upstream,
                reading.number(iri, AGW.mirrorPercent, row.percent, standard.percent),
                reading.integer(iri, AGW.mirrorBodyBytes, row.body_bytes, standard.body_bytes),
                reading.integer(iri, AGW.mirrorConcurrency, row.concurrency, standard.concurrency),
            )
    return {route: tuple(by_iri.values()) for route, by_iri in found.items()}
