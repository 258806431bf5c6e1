"""Gateway API, standard channel (1.4 and later): Gateway, HTTPRoutes, GRPCRoutes, BackendTLSPolicies, and grants."""

from __future__ import annotations

from api_gateway_service_mesh.manifests.document import Document, Rendering
from api_gateway_service_mesh.manifests.gap import differs
from api_gateway_service_mesh.manifests.outline import outline
from api_gateway_service_mesh.manifests.place import places
from api_gateway_service_mesh.model import Mesh

from .backend import backend_policies, reference_grants
from .gateway import gateway
from .route import routes

__all__ = ["render_gateway_api"]

_CLASS = "agw"


def render_gateway_api(mesh: Mesh, *, namespace: str | None = None, gateway_class: str | None = None) -> Rendering:
    """Render `mesh` for an implementation of Gateway API.

    `gateway_class`: which one; default: a class named ``agw``, which has to be made.
    """
    made = outline(mesh, namespace)
    there = places(made)
    if gateway_class is None:
        message = f"the GatewayClass {_CLASS!r} is not among the manifests"
        made.findings.append(differs(mesh.iri, None, message, "name your implementation's with --gateway-class"))
    documents: list[Document] = [document for place in there.values() for document in place.documents]
    documents += backend_policies(made, there)
    written = routes(made, there, {"name": made.name})
    documents += reference_grants(made, there, sorted({str(route["kind"]) for route in written}) or ["HTTPRoute"])
    documents.append(gateway(made, gateway_class or _CLASS))
    documents += written
    return made.rendering("gateway-api", documents)
