"""The Gateway: the listeners as ports of Istio's ingress."""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.gap import differs
from api_gateway_service_mesh.manifests.name import metadata, name_of
from api_gateway_service_mesh.model import Listener, MtlsMode
from api_gateway_service_mesh.routing import ANY_HOST, host_text
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context

__all__ = ["gateway_documents"]

_MODES = {
    None: "SIMPLE",
    MtlsMode.DISABLE: "SIMPLE",
    MtlsMode.PERMISSIVE: "OPTIONAL_MUTUAL",
    MtlsMode.STRICT: "MUTUAL",
}


def gateway_documents(context: Context) -> list[Document]:
    """The Gateway; none when there is no listener and every route states its hosts."""
    if not context.gateway_bound:
        return []
    stated = [chain[0].host for chain in context.table.chains]
    hosts = ["*"] if ANY_HOST in stated or not stated else [host_text(host) for host in stated]
    listeners = context.mesh.listeners or (Listener(context.mesh.iri, 80),)
    return [
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "Gateway",
            "metadata": metadata(context.name, context.namespace, gateway=context.mesh.iri),
            "spec": {
                "selector": context.selector,
                "servers": [_server(context, listener, hosts) for listener in listeners],
            },
        }
    ]


def _server(context: Context, listener: Listener, hosts: list[str]) -> dict[str, Any]:
    certificate = listener.certificate
    protocol = "HTTP" if certificate is None else "HTTPS"
    port = {"number": listener.port, "name": f"{protocol.lower()}-{listener.port}", "protocol": protocol}
    server: dict[str, Any] = {"port": port, "hosts": list(hosts)}
    if certificate is None:
        return server
    secret = name_of(certificate.iri)
    server["tls"] = {"mode": _MODES[listener.mtls_mode], "credentialName": secret}
    files = "tls.crt, tls.key" + ("" if _MODES[listener.mtls_mode] == "SIMPLE" else ", ca.crt")
    message = (
        f"port {listener.port}: its certificate is read from the Secret {secret!r} ({files}) in the namespace of the "
        "ingress gateway, which is not among the manifests"
    )
    context.findings.append(differs(certificate.iri, AGW.hasCertificate, message))
    if listener.mtls_mode is MtlsMode.PERMISSIVE:
        message = f"port {listener.port}: Istio's gateway takes no plain text on a TLS port"
        context.findings.append(differs(listener.iri, AGW.mtlsMode, message))
    return server
