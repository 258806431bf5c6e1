"""A share of a route's traffic (``agw:TrafficSplit``)."""

from __future__ import annotations

from dataclasses import dataclass

from .canary import Canary
from .condition import RequestCondition

__all__ = ["SplitTarget"]


@dataclass(frozen=True, slots=True)
class SplitTarget:
    """``weight`` per cent of the route's requests go to ``upstream``; a route's weights sum to 100.

    ``active`` is stated by blue-green deployments: their weight is then 100 or 0. A request for which all of
    ``steered_by`` hold goes here whatever the weights say (with none, no request does). With ``canary`` the weight is
    that of the moment, kept in cells, and ``weight`` is 0; the others share what it leaves. ``subset``: only to the
    upstream's endpoints with all these labels (beside those the route selects by).
    """

    iri: str
    upstream: str
    weight: int
    active: bool | None = None
    steered_by: tuple[RequestCondition, ...] = ()
    canary: Canary | None = None
    subset: tuple[str, ...] = ()
