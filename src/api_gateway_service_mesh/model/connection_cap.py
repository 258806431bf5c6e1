"""How many connections one client address may hold (``agw:maxConnectionsPerAddress``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ConnectionCap"]


@dataclass(frozen=True, slots=True)
class ConnectionCap:
    """``iri`` is the listener or gateway that states it. An address of ``exempt`` (CIDR blocks) is not counted."""

    iri: str
    connections: int
    ipv6_prefix_length: int = 64
    exempt: tuple[str, ...] = ()
