"""What the renderers of meshes and gateways share: the compiled table, the names of services, and what was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from api_gateway_service_mesh.errors import Finding, Report
from api_gateway_service_mesh.model import Mesh, Route, Upstream
from api_gateway_service_mesh.routing import RoutingTable, compile_table

from .document import Document, Rendering, manifest_files
from .name import name_of, names

__all__ = ["Outline", "outline"]


@dataclass
class Outline:
    """The mesh being rendered, and the findings that gather on the way."""

    mesh: Mesh
    table: RoutingTable
    namespace: str | None
    name: str
    findings: list[Finding] = field(default_factory=list)

    @cached_property
    def upstreams(self) -> dict[str, Upstream]:
        """Upstreams by IRI."""
        return {upstream.iri: upstream for upstream in self.mesh.upstreams}

    @cached_property
    def upstream_names(self) -> dict[str, str]:
        """A Kubernetes name for each upstream IRI."""
        return names((upstream.iri, upstream.name) for upstream in self.mesh.upstreams)

    @cached_property
    def route_names(self) -> dict[str, str]:
        """A Kubernetes name for each route IRI."""
        return names((route.iri, route.name) for route in self.mesh.routes)

    @cached_property
    def used(self) -> dict[str, list[Route]]:
        """The routes that send to each upstream, in table order."""
        found: dict[str, list[Route]] = {upstream.iri: [] for upstream in self.mesh.upstreams}
        for entry in self.table.entries:
            for iri in entry.route.upstreams:
                found.setdefault(iri, []).append(entry.route)
        return found

    def rendering(self, folder: str, documents: list[Document]) -> Rendering:
        """`documents` as files of `folder`, in their order, with what was found."""
        return Rendering(manifest_files(folder, documents), Report().merged(self.findings))


def outline(mesh: Mesh, namespace: str | None) -> Outline:
    """The outline of `mesh`; the namespace is the service mesh's unless given.

    Raises ConfigError for routes that do not compile.
    """
    stated = mesh.service_mesh.namespace if mesh.service_mesh else None
    return Outline(mesh, compile_table(mesh), namespace or stated, name_of(mesh.name))
