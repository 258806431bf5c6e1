"""The Gateway: the listeners, their certificates, and what callers and backends have to show."""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import metadata, name_of
from api_gateway_service_mesh.manifests.outline import Outline
from api_gateway_service_mesh.model import Listener, MtlsMode
from api_gateway_service_mesh.vocabulary import AGW

__all__ = ["gateway"]


def gateway(outline: Outline, gateway_class: str) -> Document:
    """The one Gateway; port 80 where no listener is stated."""
    listeners = outline.mesh.listeners or (Listener(outline.mesh.iri, 80),)
    spec: dict[str, Any] = {
        "gatewayClassName": gateway_class,
        "listeners": [_listener(outline, listener) for listener in listeners],
    }
    tls: dict[str, Any] = {}
    backend = _backend(outline)
    if backend:
        tls["backend"] = backend
    frontend = _frontend(outline, listeners)
    if frontend:
        tls["frontend"] = frontend
    if tls:
        spec["tls"] = tls
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": metadata(outline.name, outline.namespace, gateway=outline.mesh.iri),
        "spec": spec,
    }


def _listener(outline: Outline, listener: Listener) -> dict[str, Any]:
    certificate = listener.certificate
    protocol = "HTTP" if certificate is None else "HTTPS"
    made: dict[str, Any] = {
        "name": f"{protocol.lower()}-{listener.port}",
        "port": listener.port,
        "protocol": protocol,
        "allowedRoutes": {"namespaces": {"from": "Same"}},
    }
    if certificate is not None:
        secret = name_of(certificate.iri)
        made["tls"] = {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": secret}]}
        message = (
            f"port {listener.port}: its certificate is read from the Secret {secret!r} (tls.crt, tls.key), which has "
            "to be made"
        )
        remedy = f"kubectl create secret tls {secret} --cert=… --key=…"
        outline.findings.append(differs(certificate.iri, AGW.hasCertificate, message, remedy))
        outline.findings.append(differs(certificate.iri, AGW.certificateFile, message, remedy))
        outline.findings.append(differs(certificate.iri, AGW.privateKeyRef, message, remedy))
    elif listener.mtls_mode is MtlsMode.STRICT:
        message = f"port {listener.port}: without a certificate there is no mTLS on it"
        outline.findings.append(lost(listener.iri, AGW.mtlsMode, message))
    return made


def _frontend(outline: Outline, listeners: tuple[Listener, ...]) -> dict[str, Any]:
    """Whose certificates callers have to show: one for all ports, as Gateway API has it by port too."""
    by_port: list[dict[str, Any]] = []
    for listener in listeners:
        certificate = listener.certificate
        if certificate is None or listener.mtls_mode in (None, MtlsMode.DISABLE):
            continue
        bundle = f"{name_of(certificate.iri, longest=60)}-ca"
        mode = "AllowValidOnly" if listener.mtls_mode is MtlsMode.STRICT else "AllowInsecureFallback"
        reference = {"group": "", "kind": "ConfigMap", "name": bundle}
        by_port.append({"port": listener.port, "tls": {"validation": {"caCertificateRefs": [reference], "mode": mode}}})
        message = (
            f"port {listener.port}: callers are verified by ca.crt of the ConfigMap {bundle!r}, which is not among the "
            "manifests"
        )
        outline.findings.append(differs(certificate.iri, AGW.trustBundleFile, message))
        if listener.mtls_mode is MtlsMode.PERMISSIVE:
            message = f"port {listener.port}: a TLS port of Gateway API takes no plain text, and unknown certificates"
            outline.findings.append(differs(listener.iri, AGW.mtlsMode, message))
    if not by_port:
        return {}
    return {"default": by_port[0]["tls"], "perPort": by_port}


def _backend(outline: Outline) -> dict[str, Any]:
    """The certificate that the gateway shows its backends: one for all of them."""
    shown = {
        upstream.tls.certificate.iri: upstream
        for upstream in outline.mesh.upstreams
        if upstream.tls is not None
        and upstream.tls.certificate is not None
        and upstream.tls.certificate.certificate_file is not None
    }
    if not shown:
        return {}
    first, *others = shown
    for iri in others:
        message = f"{shown[iri].name}: a Gateway shows one certificate to all backends; this one is not shown"
        outline.findings.append(lost(iri, AGW.hasCertificate, message, "use one certificate, or several gateways"))
    secret = name_of(first)
    message = (
        f"{shown[first].name}: the gateway's certificate is read from the Secret {secret!r} (tls.crt, tls.key), which "
        "has to be made"
    )
    for term in (AGW.hasCertificate, AGW.certificateFile, AGW.privateKeyRef):
        outline.findings.append(differs(first, term, message, f"kubectl create secret tls {secret} --cert=… --key=…"))
    return {"clientCertificateRef": {"kind": "Secret", "name": secret}}
