"""What all parts of one translation share: the compiled table, the clusters that routes need, and what gets lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from api_gateway_service_mesh.errors import Finding
from api_gateway_service_mesh.manifests.name import names
from api_gateway_service_mesh.model import (
    Balancer,
    Breaker,
    Certificate,
    Endpoint,
    Mesh,
    RateLimit,
    Retry,
    Route,
    Upstream,
)
from api_gateway_service_mesh.routing import RoutingTable

__all__ = ["ClusterUse", "Context"]


@dataclass(frozen=True, slots=True)
class ClusterUse:
    """An upstream as some routes use it. In agw balancers, breakers and budgets hang on routes, in Envoy on clusters:
    what routes ask for differently are several clusters over the same endpoints."""

    upstream: Upstream
    endpoints: tuple[Endpoint, ...]
    balancer: Balancer | None = None
    breaker: Breaker | None = None
    retry: Retry | None = None


@dataclass
class Context:
    """The mesh being translated. ``dynamic``: parts refer to each other over ADS, else they stand in one file.

    ``scope`` begins the names of clusters and routes, where one Envoy has several meshes. ``names_callers``: backends
    are told (``x-forwarded-client-cert``) which certificate a caller has shown."""

    mesh: Mesh
    table: RoutingTable
    dynamic: bool
    scope: str = ""
    names_callers: bool = False
    findings: dict[Finding, None] = field(default_factory=dict)
    uses: dict[str, ClusterUse] = field(default_factory=dict)
    """The clusters that routes send to, by name; it grows while routes are made."""
    limits: dict[str, RateLimit] = field(default_factory=dict)
    """The limits that are counted for several routes together, by IRI."""
    certificates: dict[str, Certificate] = field(default_factory=dict)
    """What secrets are made of, by IRI."""

    @cached_property
    def upstreams(self) -> dict[str, Upstream]:
        """Upstreams by IRI."""
        return {upstream.iri: upstream for upstream in self.mesh.upstreams}

    @cached_property
    def upstream_names(self) -> dict[str, str]:
        """A short name for each upstream IRI."""
        short = names((upstream.iri, upstream.name) for upstream in self.mesh.upstreams)
        return {iri: self.scope + name for iri, name in short.items()}

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """All routes, in table order."""
        return tuple(entry.route for entry in self.table.entries)

    def say(self, finding: Finding) -> None:
        """Report what is lost or differs, once."""
        self.findings[finding] = None

    def add_unused(self) -> None:
        """Clusters of upstreams that no route sends to: agw asks for their health too."""
        used = {use.upstream.iri for use in self.uses.values()}
        for iri, upstream in self.upstreams.items():
            if iri not in used and upstream.endpoints and not upstream.plaintext_forbidden:
                self.uses[self.upstream_names[iri]] = ClusterUse(upstream, upstream.endpoints)

    def cluster(self, route: Route, iri: str, subset: tuple[str, ...], *, copies: bool = False) -> str | None:
        """The name of the cluster that takes the requests of `route` for the upstream `iri`; None when nobody can.

        `copies`: what a mirror sends there, with none of the route's own policies."""
        upstream = self.upstreams.get(iri)
        if upstream is None or upstream.plaintext_forbidden:
            return None
        wanted = set(subset)
        endpoints = tuple(endpoint for endpoint in upstream.endpoints if wanted <= set(endpoint.labels))
        if not endpoints:
            return None
        breaker = None if copies else route.breaker
        retry = route.retry if route.retry is not None and route.retry.attempts and not copies else None
        use = ClusterUse(upstream, endpoints, None if copies else route.balancer, breaker, retry)
        name = self.upstream_names[iri]
        apart = [*subset, *(policy.iri for policy in (use.balancer, breaker, retry) if policy is not None)]
        if apart:
            name += f"-{sha256(' '.join(apart).encode()).hexdigest()[:8]}"
        self.uses.setdefault(name, use)
        return name
