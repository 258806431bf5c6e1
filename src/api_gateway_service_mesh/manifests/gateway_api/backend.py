"""BackendTLSPolicies: how backends that speak TLS are verified; ReferenceGrants: services of other namespaces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import metadata, name_of
from api_gateway_service_mesh.manifests.outline import Outline
from api_gateway_service_mesh.manifests.place import H2C, Place, is_address
from api_gateway_service_mesh.model import HttpProtocol, MtlsMode, Upstream
from api_gateway_service_mesh.vocabulary import AGW

__all__ = ["backend_policies", "reference_grants"]


def backend_policies(outline: Outline, places: Mapping[str, Place]) -> list[Document]:
    """One for each service that speaks TLS."""
    made: list[Document] = []
    for iri, place in places.items():
        upstream = outline.upstreams[iri]
        speaks_tls = upstream.tls is not None or any(endpoint.tls for endpoint in upstream.endpoints)
        _report_protocol(outline, upstream, place, secure=speaks_tls)
        if upstream.mtls_mode is not None and not (speaks_tls and upstream.mtls_mode is MtlsMode.STRICT):
            message = f"{upstream.name}: whether a mesh carries mTLS to it is not Gateway API's to say"
            outline.findings.append(differs(iri, AGW.mtlsMode, message, "install a mesh beside the gateway"))
            outline.findings.append(differs(iri, AGW.hasMutualTLS, message, "install a mesh beside the gateway"))
        if not speaks_tls:
            continue
        stated = upstream.tls.server_name if upstream.tls is not None else None
        name = stated or upstream.endpoints[0].host
        if is_address(name):
            message = f"{upstream.name}: Gateway API verifies names, and {name} is an address; TLS is left out"
            term = AGW.serverName if upstream.tls is not None else AGW.address
            outline.findings.append(lost(iri, term, message, "state agw:serverName"))
            continue
        if stated is None and len({endpoint.host for endpoint in upstream.endpoints}) > 1:
            message = f"{upstream.name}: all its instances are verified as {name}"
            outline.findings.append(differs(iri, AGW.serverName, message))
        validation: dict[str, Any] = {"hostname": name}
        certificate = upstream.tls.certificate if upstream.tls is not None else None
        if certificate is not None and certificate.trust_bundle_file is not None:
            bundle = f"{name_of(certificate.iri, longest=60)}-ca"
            validation["caCertificateRefs"] = [{"group": "", "kind": "ConfigMap", "name": bundle}]
            message = f"{upstream.name}: it is verified by ca.crt of the ConfigMap {bundle!r}, which has to be made"
            remedy = f"kubectl create configmap {bundle} --from-file=ca.crt"
            outline.findings.append(differs(certificate.iri, AGW.trustBundleFile, message, remedy))
        else:
            validation["wellKnownCACertificates"] = "System"
        made.append(
            {
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "BackendTLSPolicy",
                "metadata": metadata(
                    outline.upstream_names[iri],
                    place.namespace or outline.namespace,
                    gateway=outline.mesh.iri,
                    service=iri,
                ),
                "spec": {
                    "targetRefs": [{"group": "", "kind": "Service", "name": place.name}],
                    "validation": validation,
                },
            }
        )
    return made


def _report_protocol(outline: Outline, upstream: Upstream, place: Place, *, secure: bool) -> None:
    """In which version of HTTP a service is spoken to, where these manifests do not say it."""
    if upstream.protocol is HttpProtocol.HTTP1 or (upstream.protocol is HttpProtocol.AUTO and not secure):
        return
    if secure:
        message = f"{upstream.name}: which version of HTTP it is spoken to in over TLS, the data plane decides by ALPN"
        outline.findings.append(differs(upstream.iri, AGW.upstreamProtocol, message))
    elif not place.documents:
        message = (
            f"{upstream.name}: it is spoken to in HTTP/2 if port {place.port} of its Service says appProtocol {H2C}, "
            "or if a GRPCRoute leads to it"
        )
        remedy = f"state appProtocol: {H2C} on that port of the Service {place.name}"
        outline.findings.append(differs(upstream.iri, AGW.upstreamProtocol, message, remedy))


def reference_grants(outline: Outline, places: Mapping[str, Place], kinds: Iterable[str]) -> list[Document]:
    """One for each other namespace whose services the routes (of `kinds`) name: its owner applies it, or refuses to."""
    abroad = sorted({place.namespace for place in places.values() if place.namespace is not None})
    return [
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "ReferenceGrant",
            "metadata": metadata(outline.name, namespace, gateway=outline.mesh.iri),
            "spec": {
                "from": [
                    {
                        "group": "gateway.networking.k8s.io",
                        "kind": kind,
                        "namespace": outline.namespace or "default",
                    }
                    for kind in kinds
                ],
                "to": [{"group": "", "kind": "Service"}],
            },
        }
        for namespace in abroad
    ]
