"""Telemetry: the access log, where the gateway keeps one."""

from __future__ import annotations

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.name import metadata

from .context import Context

__all__ = ["telemetries"]


def telemetries(context: Context) -> list[Document]:
    """One for the ingress gateway's pods, by Envoy's own log provider; none when nothing is logged."""
    if not context.mesh.access_log:
        return []
    spec: dict[str, object] = {"accessLogging": [{"providers": [{"name": "envoy"}]}]}
    if context.gateway_bound:
        spec = {"selector": {"matchLabels": context.selector}, **spec}
    return [
        {
            "apiVersion": "telemetry.istio.io/v1",
            "kind": "Telemetry",
            "metadata": metadata(context.name, context.namespace, gateway=context.mesh.iri),
            "spec": spec,
        }
    ]
