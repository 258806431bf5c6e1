"""Linkerd (2.16 and later): routes as HTTPRoutes of a Service that stands for the gateway, and policies of services.

Linkerd has no gateway of its own: whoever calls the Service ``NAME`` in the mesh is routed by its own proxy.
"""

from __future__ import annotations

from api_gateway_service_mesh.manifests.document import Document, Rendering
from api_gateway_service_mesh.manifests.outline import outline
from api_gateway_service_mesh.manifests.place import places
from api_gateway_service_mesh.model import Mesh

from .policy import policies
from .profile import service_profiles
from .route import http_routes
from .service import services

__all__ = ["render_linkerd"]


def render_linkerd(
    mesh: Mesh, *, namespace: str | None = None, app_label: str = "app", profiles: bool = False
) -> Rendering:
    """Render `mesh` for Linkerd.

    `app_label`: the label by whose value a service's pods are known. `profiles`: ServiceProfiles too, with retry
    budgets for those who call the services themselves; they take the place of a service's annotations.
    """
    made = outline(mesh, namespace)
    there = places(made)
    documents: list[Document] = [
        *services(made, there),
        *policies(made, there, app_label),
        *http_routes(made, there),
        *(service_profiles(made, there) if profiles else ()),
    ]
    return made.rendering("linkerd", documents)
