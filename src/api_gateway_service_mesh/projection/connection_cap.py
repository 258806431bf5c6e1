"""Caps on the connections of one client address (``agw:maxConnectionsPerAddress``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from api_gateway_service_mesh.model import ConnectionCap, Listener
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["ConnectionCapRow", "capped", "connection_caps"]


@dataclass(frozen=True, slots=True)
class ConnectionCapRow:
    """``connection_cap.rq``."""

    subject: str
    connections: str | None
    ipv6_prefix: str | None


def connection_caps(
    rows: Iterable[ConnectionCapRow], exempt: tuple[str, ...], reading: Reading
) -> Mapping[str, ConnectionCap]:
    """The caps by who states them. `exempt`: address blocks of trusted proxies, behind which stand many clients."""
    return {
        row.subject: ConnectionCap(
            row.subject,
            reading.integer(row.subject, AGW.maxConnectionsPerAddress, row.connections, 1),
            reading.integer(row.subject, AGW.ipv6PrefixLength, row.ipv6_prefix, 64),
            exempt,
        )
        for row in rows
    }


def capped(listeners: Iterable[Listener], caps: Mapping[str, ConnectionCap]) -> tuple[Listener, ...]:
    """The listeners with their own caps."""
    return tuple(
        replace(listener, connection_cap=caps[listener.iri]) if listener.iri in caps else listener
        for listener in listeners
    )
