"""The API gateway: its listeners, and one route that hands all to the router."""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import metadata, name_of
from api_gateway_service_mesh.manifests.outline import Outline
from api_gateway_service_mesh.model import Listener, MtlsMode
from api_gateway_service_mesh.vocabulary import AGW

from .entry import Entry, entry, service_name

__all__ = ["gateway_entries", "gateway_resources"]


def gateway_entries(outline: Outline) -> list[Entry]:
    """The api-gateway and its http-route, for a plain agent; none without listeners."""
    if not outline.mesh.listeners:
        return []
    listeners: list[dict[str, Any]] = []
    for listener in outline.mesh.listeners:
        _report(outline, listener)
        made: dict[str, Any] = {"Name": _name(listener), "Port": listener.port, "Protocol": "http"}
        if listener.certificate is not None:
            made["TLS"] = {"Certificates": [{"Kind": "inline-certificate", "Name": name_of(listener.certificate.iri)}]}
        listeners.append(made)
    parents = [{"Kind": "api-gateway", "Name": outline.name}]
    rule = {
        "Matches": [{"Path": {"Match": "prefix", "Value": "/"}}],
        "Services": [{"Name": service_name(outline.name), "Weight": 1}],
    }
    return [
        entry("api-gateway", outline.name, {"Listeners": listeners}, gateway=outline.mesh.iri),
        entry("http-route", outline.name, {"Parents": parents, "Rules": [rule]}, gateway=outline.mesh.iri),
    ]


def gateway_resources(outline: Outline) -> list[Document]:
    """The same for consul-k8s, whose API gateway is Gateway API's; none without listeners."""
    if not outline.mesh.listeners:
        return []
    listeners: list[dict[str, Any]] = []
    for listener in outline.mesh.listeners:
        _report(outline, listener)
        made: dict[str, Any] = {
            "name": _name(listener),
            "port": listener.port,
            "protocol": "HTTP" if listener.certificate is None else "HTTPS",
        }
        if listener.certificate is not None:
            made["tls"] = {"certificateRefs": [{"kind": "Secret", "name": name_of(listener.certificate.iri)}]}
        listeners.append(made)
    routes = service_name(outline.name)
    reference = {"group": "consul.hashicorp.com", "kind": "MeshService", "name": routes}

    def document(group: str, kind: str, name: str, spec: dict[str, Any]) -> Document:
        meta = metadata(name, outline.namespace, gateway=outline.mesh.iri)
        return {"apiVersion": group, "kind": kind, "metadata": meta, "spec": spec}

    api = "gateway.networking.k8s.io/v1"
    return [
        document("consul.hashicorp.com/v1alpha1", "MeshService", routes, {"name": routes}),
        document(api, "Gateway", outline.name, {"gatewayClassName": "consul", "listeners": listeners}),
        document(
            api,
            "HTTPRoute",
            outline.name,
            {
                "parentRefs": [{"name": outline.name}],
                "rules": [
                    {
                        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                        "backendRefs": [{**reference, "port": 80}],
                    }
                ],
            },
        ),
    ]


def _name(listener: Listener) -> str:
    return f"{'http' if listener.certificate is None else 'https'}-{listener.port}"


def _report(outline: Outline, listener: Listener) -> None:
    certificate = listener.certificate
    if certificate is not None:
        name = name_of(certificate.iri)
        message = f"port {listener.port}: its certificate {name!r} is not among the manifests"
        remedy = f"make a Secret {name!r}, or an inline-certificate of this name for a plain agent"
        for term in (AGW.hasCertificate, AGW.certificateFile, AGW.privateKeyRef):
            outline.findings.append(differs(certificate.iri, term, message, remedy))
        if certificate.trust_bundle_file is not None:
            message = f"port {listener.port}: Consul's API gateway asks nobody for a certificate"
            outline.findings.append(differs(certificate.iri, AGW.trustBundleFile, message))
    if listener.mtls_mode in (MtlsMode.STRICT, MtlsMode.PERMISSIVE):
        message = f"port {listener.port}: Consul's API gateway asks nobody for a certificate"
        outline.findings.append(lost(listener.iri, AGW.mtlsMode, message, "keep agw in front"))
