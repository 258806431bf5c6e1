"""What all Istio renderers share: the compiled table, the names, and where each service lives."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address

from api_gateway_service_mesh.errors import Finding
from api_gateway_service_mesh.manifests.name import names
from api_gateway_service_mesh.model import Endpoint, Mesh, Route, Upstream
from api_gateway_service_mesh.routing import ANY_HOST, RoutingTable

__all__ = ["Context", "Destination", "is_address"]


@dataclass(frozen=True, slots=True)
class Destination:
    """How Istio knows a service: a host and a port. ``entry``: a ServiceEntry has to make it known."""

    host: str
    port: int
    entry: bool


@dataclass
class Context:
    """The mesh being rendered, and the findings that gather on the way."""

    mesh: Mesh
    table: RoutingTable
    namespace: str | None
    selector: dict[str, str]
    app_label: str
    name: str
    findings: list[Finding] = field(default_factory=list)
    delegates: dict[str, dict[str, str]] = field(default_factory=dict)
    """The routes, by IRI, that hand their requests on to another's VirtualService (its name and namespace)."""

    @cached_property
    def upstreams(self) -> dict[str, Upstream]:
        """Upstreams by IRI."""
        return {upstream.iri: upstream for upstream in self.mesh.upstreams}

    @cached_property
    def upstream_names(self) -> dict[str, str]:
        """A Kubernetes name for each upstream IRI."""
        return names((upstream.iri, upstream.name) for upstream in self.mesh.upstreams)

    @cached_property
    def destinations(self) -> dict[str, Destination]:
        """Where each upstream that has an endpoint lives."""
        return {iri: self._destination(upstream) for iri, upstream in self.upstreams.items() if upstream.endpoints}

    @cached_property
    def used(self) -> dict[str, list[Route]]:
        """The routes that send to each upstream, in table order."""
        found: dict[str, list[Route]] = {upstream.iri: [] for upstream in self.mesh.upstreams}
        for entry in self.table.entries:
            route = entry.route
            for iri in route.upstreams:
                found.setdefault(iri, []).append(route)
        return found

    @cached_property
    def gateway_bound(self) -> bool:
        """Whether the routes hang on an ingress gateway: with listeners, and when a route takes any host, because
        istiod refuses the host ``*`` on sidecars."""
        return bool(self.mesh.listeners) or any(chain[0].host == ANY_HOST for chain in self.table.chains)

    def _destination(self, upstream: Upstream) -> Destination:
        first = upstream.endpoints[0]
        if len(upstream.endpoints) == 1 and not is_address(first.host):
            return Destination(first.host, first.port, entry=not self._in_cluster(upstream, first))
        return Destination(f"{self.upstream_names[upstream.iri]}.agw.internal", first.port, entry=True)

    def _in_cluster(self, upstream: Upstream, endpoint: Endpoint) -> bool:
        """A name without a dot, ``name.namespace`` of a service in the mesh, or ``….svc`` with whatever domain."""
        labels = endpoint.host.rstrip(".").split(".")
        if len(labels) == 2:
            return upstream.in_mesh or labels[1] == self.namespace
        return len(labels) == 1 or labels[2] == "svc"


def is_address(host: str) -> bool:
    """Whether `host` is an IP address."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
