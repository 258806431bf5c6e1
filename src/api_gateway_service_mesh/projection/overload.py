"""Overload guards (``agw:OverloadGuard``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api_gateway_service_mesh.model import OverloadGuard
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["OverloadRow", "overload_guards"]


@dataclass(frozen=True, slots=True)
class OverloadRow:
    """``overload.rq``."""

    gateway: str
    overload: str
    loop_lag: str | None
    memory_share: str | None
    active_requests: str | None
    client_connections: str | None


def overload_guards(rows: Iterable[OverloadRow], reading: Reading) -> dict[str, OverloadGuard]:
    """The guard of each gateway that has one, by gateway IRI."""
    found: dict[str, OverloadGuard] = {}
    standard = OverloadGuard("")
    for row in rows:
        if row.gateway in found:
            continue
        iri = row.overload
        active, connections = row.active_requests, row.client_connections
        found[row.gateway] = OverloadGuard(
            iri,
            reading.seconds(iri, AGW.maximumLoopLag, row.loop_lag, standard.loop_lag_seconds),
            reading.number(iri, AGW.maximumMemoryShare, row.memory_share, standard.memory_share),
            None if active is None else reading.integer(iri, AGW.maximumActiveRequests, active, 1),
            None if connections is None else reading.integer(iri, AGW.maximumClientConnections, connections, 1),
        )
    return found
