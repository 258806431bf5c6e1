"""The cells that the traffic policies of a route take: shares and canaries."""

from __future__ import annotations

from collections.abc import Iterator

from api_gateway_service_mesh.model import Route

from .canary import CANARY_CELLS
from .share import SHARE_CELLS

__all__ = ["traffic_slots"]


def traffic_slots(route: Route, workers: int) -> Iterator[tuple[str, str, int]]:
    """Kind, IRI and size of each slot: ``share`` (SplitTarget, per worker), ``canary`` (Canary)."""
    for split in route.splits:
        yield "share", split.iri, SHARE_CELLS * workers
        if split.canary is not None:
            yield "canary", split.iri, CANARY_CELLS
