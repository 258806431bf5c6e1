"""Consul (1.18 and later): config entries, as Kubernetes resources or for a plain agent.

The gateway's routes are the service-router of a virtual service, ``NAME-routes``, in agw's order: whoever calls it in
the mesh is routed by its own proxy, and so is what comes in by the API gateway ``NAME``, which sends all to it.
"""

from __future__ import annotations

import json

from api_gateway_service_mesh.errors import Report
from api_gateway_service_mesh.manifests.document import Document, Manifest, Rendering
from api_gateway_service_mesh.manifests.outline import outline
from api_gateway_service_mesh.model import Mesh

from .entry import Entry, as_resource
from .gateway import gateway_entries, gateway_resources
from .intention import intention_entries
from .route import route_entries
from .service import service_entries

__all__ = ["render_consul"]


def render_consul(mesh: Mesh, *, namespace: str | None = None, plain: bool = False) -> Rendering:
    """Render `mesh` for Consul.

    `plain`: entries as JSON for ``consul config write``, in the order in which an agent takes them; else resources for
    consul-k8s. `namespace` is that of the resources.
    """
    made = outline(mesh, namespace)
    entries: list[Entry] = [*service_entries(made), *route_entries(made), *intention_entries(made)]
    if plain:
        entries += gateway_entries(made)
        manifests = [
            Manifest(
                f"consul/{number:03}-{entry['Kind']}-{entry['Name']}.json",
                json.dumps(entry, indent=2, ensure_ascii=False) + "\n",
            )
            for number, entry in enumerate(entries)
        ]
        return Rendering(manifests, Report().merged(made.findings))
    documents: list[Document] = [as_resource(entry, made.namespace) for entry in entries]
    return made.rendering("consul", [*documents, *gateway_resources(made)])
