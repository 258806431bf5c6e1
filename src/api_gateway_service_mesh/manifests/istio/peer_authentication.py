"""PeerAuthentications: what sidecars demand of those who call them."""

from __future__ import annotations

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.gap import differs
from api_gateway_service_mesh.manifests.name import metadata
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context

__all__ = ["peer_authentications"]


def peer_authentications(context: Context) -> list[Document]:
    """One for the mesh (all workloads of its namespace), and one for each service in the cluster that states a mode."""
    made: list[Document] = []
    mesh = context.mesh.service_mesh
    if mesh is not None and mesh.mtls is not None:
        made.append(
            {
                "apiVersion": "security.istio.io/v1",
                "kind": "PeerAuthentication",
                "metadata": metadata("default", context.namespace, service=mesh.iri),
                "spec": {"mtls": {"mode": mesh.mtls.mode.value}},
            }
        )
    seen: set[str] = set()
    for iri, there in context.destinations.items():
        upstream = context.upstreams[iri]
        own = (
            upstream.tls is not None and upstream.tls.certificate is not None
        )  # carried by the service, not by a sidecar
        if upstream.mtls_mode is None or own or there.entry or there.host in seen:
            continue
        seen.add(there.host)
        app = there.host.split(".")[0]
        namespace = there.host.split(".")[1] if "." in there.host else context.namespace
        made.append(
            {
                "apiVersion": "security.istio.io/v1",
                "kind": "PeerAuthentication",
                "metadata": metadata(context.upstream_names[iri], namespace, gateway=context.mesh.iri, service=iri),
                "spec": {
                    "selector": {"matchLabels": {context.app_label: app}},
                    "mtls": {"mode": upstream.mtls_mode.value},
                },
            }
        )
        message = f"{upstream.name}: its pods are taken to carry the label {context.app_label}={app}"
        context.findings.append(differs(iri, AGW.hasMutualTLS, message, "choose another label with app_label"))
    return made
