"""Where the instances of a service are (``agw:ServiceInstance``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from api_gateway_service_mesh.model import Endpoint
from api_gateway_service_mesh.vocabulary import AGW

from .address import parse_address
from .reading import Reading, name_of

__all__ = ["EndpointRow", "endpoint_at", "endpoints"]


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """``endpoint.rq``."""

    upstream: str
    endpoint: str
    address: str
    weight: str | None
    zone: str | None
    priority: str | None


def endpoints(
    rows: Iterable[EndpointRow], labels: Mapping[str, tuple[str, ...]], reading: Reading
) -> Mapping[str, tuple[Endpoint, ...]]:
    """The endpoints of each service that names instances, by service IRI. `labels`: by instance."""
    found: dict[str, dict[str, Endpoint]] = defaultdict(dict)
    for row in rows:
        if row.endpoint not in found[row.upstream]:
            weight = reading.integer(row.endpoint, AGW.instanceWeight, row.weight, 1)
            endpoint = endpoint_at(row.endpoint, row.address, reading, weight)
            if endpoint is not None:
                found[row.upstream][row.endpoint] = replace(
                    endpoint,
                    zone=row.zone,
                    priority=reading.integer(row.endpoint, AGW.failoverPriority, row.priority, 0),
                    labels=labels.get(row.endpoint, ()),
                )
    return {upstream: tuple(by_iri.values()) for upstream, by_iri in found.items()}


def endpoint_at(iri: str, address: str, reading: Reading, weight: int = 1) -> Endpoint | None:
    """The endpoint at an ``agw:address``; None, and a finding, when the text is no address."""
    parsed = parse_address(address)
    if parsed is None:
        reading.note(
            "invalid-address",
            f"{name_of(iri)}: agw:address is {address!r}, which is no address",
            iri,
            AGW.address,
            address,
            allowed='"host:port", "http://host:port" or "https://host:port"; IPv6 in brackets; nothing after the port',
            remedy='write the address as "products.internal:8080"; paths belong to routes',
        )
        return None
    return Endpoint(iri, parsed.host, parsed.port, parsed.tls, weight)
