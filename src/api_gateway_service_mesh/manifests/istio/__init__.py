"""Istio: the routes, breakers, retries, timeouts, splits and mTLS as ``networking.istio.io/v1`` and
``security.istio.io/v1`` (Istio 1.22 and later).

Istio's proxies take the gateway's place: nothing here points at agw itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from api_gateway_service_mesh.errors import Report
from api_gateway_service_mesh.manifests.document import Document, Rendering, manifest_files
from api_gateway_service_mesh.manifests.name import name_of
from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.routing import compile_table

from .authentication import authentication_documents
from .canary import flagger_canaries
from .context import Context
from .destination_rule import destination_rules
from .gateway import gateway_documents
from .peer_authentication import peer_authentications
from .rate_limit import rate_limit_filters
from .service_entry import service_entries
from .telemetry import telemetries
from .virtual_service import virtual_services

__all__ = ["render_istio"]


def render_istio(
    mesh: Mesh,
    *,
    namespace: str | None = None,
    selector: Mapping[str, str] | None = None,
    app_label: str = "app",
    canary: str | None = None,
) -> Rendering:
    """Render `mesh` for Istio.

    `namespace`: where the objects go; default: the service mesh's, else none is written. `selector`: the labels of the
    ingress gateway's pods. `app_label`: the label by whose value a service's pods are known (PeerAuthentication).
    `canary`: ``flagger`` has Flagger deliver the canaries; without it they have no requests.
    """
    table = compile_table(mesh)
    context = Context(
        mesh=mesh,
        table=table,
        namespace=namespace or (mesh.service_mesh.namespace if mesh.service_mesh else None),
        selector=dict(selector) if selector else {"istio": "ingressgateway"},
        app_label=app_label,
        name=name_of(mesh.name),
    )
    entries = service_entries(context)
    rules = destination_rules(context)
    canaries = flagger_canaries(context, rules) if canary == "flagger" else []
    documents: list[Document] = [
        *entries,
        *rules,
        *peer_authentications(context),
        *authentication_documents(context),
        *telemetries(context),
        *gateway_documents(context),
        *canaries,
        *virtual_services(context),
        *rate_limit_filters(context),
    ]
    return Rendering(manifest_files("istio", documents), Report().merged(context.findings))
