"""Gateways, the meshes they live in, and which gateway is meant (``agw:ApiGateway``, ``agw:ServiceMesh``)."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from api_gateway_service_mesh.model import MeshType, MutualTls, ServiceMesh
from api_gateway_service_mesh.vocabulary import AGW, IMPLIED_GATEWAY, RDF

from .reading import Reading, name_of

__all__ = [
    "GatewayRouteRow",
    "GatewayRow",
    "ServiceMeshRow",
    "TrustedProxyRow",
    "choose_gateway",
    "service_meshes",
    "trusted_proxies",
]


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """``gateway.rq``."""

    gateway: str
    service_mesh: str | None
    access_log: str | None
    zone: str | None
    default_decision: str | None


@dataclass(frozen=True, slots=True)
class GatewayRouteRow:
    """``gateway_route.rq``."""

    gateway: str
    route: str


@dataclass(frozen=True, slots=True)
class TrustedProxyRow:
    """``trusted_proxy.rq``."""

    gateway: str
    cidr: str


@dataclass(frozen=True, slots=True)
class ServiceMeshRow:
    """``service_mesh.rq``."""

    service_mesh: str
    mesh_type: str | None
    mtls: str | None
    sidecar_port: str | None
    control_plane_endpoint: str | None
    namespace: str | None


def choose_gateway(rows: Iterable[GatewayRow], wanted: str | None, reading: Reading) -> tuple[GatewayRow, bool]:
    """The gateway that is meant, and whether it shares the graph with others (and so serves only its own routes).

    A graph without one has an implied gateway. Several, and no choice among them, is a violation; the first stands in.
    """
    gateways: dict[str, GatewayRow] = {}
    for row in rows:
        gateways.setdefault(row.gateway, row)
    shared = len(gateways) > 1
    if wanted is not None and wanted not in gateways and (gateways or wanted != IMPLIED_GATEWAY):
        near = get_close_matches(wanted, gateways, n=1)
        reading.note(
            "unknown-gateway",
            f"there is no agw:ApiGateway {wanted} in this configuration",
            wanted,
            allowed=", ".join(gateways) or "none is declared: leave the choice out",
            suggestion=near[0] if near else None,
        )
    elif wanted is None and shared:
        names = ", ".join(gateways)
        places = [reading.graph.locate(iri, RDF.type, AGW.ApiGateway) or reading.graph.locate(iri) for iri in gateways]
        first, *others = gateways
        reading.note(
            "several-gateways",
            f"the configuration holds {len(gateways)} gateways and does not say which to serve: {names}",
            first,
            RDF.type,
            AGW.ApiGateway,
            allowed="one gateway, or a choice among several",
            remedy=f"choose one: --gateway {first}",
            related=tuple(place for place in places[1:] if place) if others else (),
        )
    if wanted in gateways:
        return gateways[wanted], shared
    return next(iter(gateways.values()), GatewayRow(IMPLIED_GATEWAY, None, None, None, None)), shared


def service_meshes(
    rows: Iterable[ServiceMeshRow], settings: Mapping[str, MutualTls], reading: Reading
) -> dict[str, ServiceMesh]:
    """Meshes by IRI."""
    found: dict[str, ServiceMesh] = {}
    for row in rows:
        if row.service_mesh in found:
            continue
        iri, defaults = row.service_mesh, ServiceMesh(row.service_mesh, MeshType.ISTIO)
        port = None if row.sidecar_port is None else reading.integer(iri, AGW.sidecarPort, row.sidecar_port, 0)
        found[iri] = ServiceMesh(
            iri,
            reading.choice(iri, AGW.meshType, row.mesh_type, MeshType, defaults.mesh_type),
            reading.known(iri, AGW.hasMutualTLS, row.mtls, settings, "agw:MutualTLS"),
            port,
            row.control_plane_endpoint,
            row.namespace or defaults.namespace,
        )
    return found


def trusted_proxies(rows: Iterable[TrustedProxyRow], reading: Reading) -> Mapping[str, tuple[str, ...]]:
    """The trusted address blocks of each gateway, by gateway IRI; an address alone is a block of one."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        try:
            found[row.gateway].add(str(ipaddress.ip_network(row.cidr)))
        except ValueError as error:
            reading.note(
                "invalid-value",
                f"{name_of(row.gateway)}: agw:trustedProxy is {row.cidr!r}, which is no address block: {error}",
                row.gateway,
                AGW.trustedProxy,
                row.cidr,
                allowed='a CIDR block such as "10.0.0.0/8" or "fd00::/8"',
            )
    return {gateway: tuple(sorted(blocks)) for gateway, blocks in found.items()}
