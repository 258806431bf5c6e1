"""Routes that are closed for a while (``agw:MaintenanceMode``)."""

from __future__ import annotations

from dataclasses import dataclass

from .condition import RequestCondition

__all__ = ["Maintenance"]


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Served as ever are requests for which all of ``bypassed_by`` hold (with none, no request), and those of clients
    in a block of ``bypass_addresses`` (CIDR). ``stated_by`` is the route, where what it inherits is inferred."""

    iri: str
    stated_by: str
    enabled: bool = True
    message: str = "down for maintenance"
    retry_after_seconds: float = 300.0
    bypassed_by: tuple[RequestCondition, ...] = ()
    bypass_addresses: tuple[str, ...] = ()
