"""The Service that stands for the gateway, and those of the backends, which carry what Linkerd does when they fail."""

from __future__ import annotations

from collections.abc import Mapping

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import duration, metadata
from api_gateway_service_mesh.manifests.outline import Outline
from api_gateway_service_mesh.manifests.place import Place
from api_gateway_service_mesh.model import MtlsMode
from api_gateway_service_mesh.vocabulary import AGW

__all__ = ["ports", "services"]

_PREFIX = "balancer.linkerd.io/failure-accrual"


def ports(outline: Outline) -> list[int]:
    """The ports of the gateway: its listeners', or 80."""
    return sorted({listener.port for listener in outline.mesh.listeners}) or [80]


def services(outline: Outline, places: Mapping[str, Place]) -> list[Document]:
    """The gateway's Service without pods, then those of the backends that are not there, or that need annotations."""
    for listener in outline.mesh.listeners:
        if listener.certificate is not None:
            message = f"port {listener.port}: proxies of the mesh speak mTLS by themselves; nobody outside it is served"
            for term in (AGW.hasCertificate, AGW.certificateFile, AGW.privateKeyRef, AGW.trustBundleFile):
                outline.findings.append(differs(listener.certificate.iri, term, message))
            outline.findings.append(differs(listener.iri, AGW.mtlsMode, message))
    joined = outline.mesh.service_mesh
    if joined is not None and joined.mtls is not None:
        message = f"{outline.mesh.name}: Linkerd speaks mTLS wherever it can; what a service demands, its policies say"
        outline.findings.append(differs(joined.mtls.iri, AGW.mtlsMode, message))
    gateway: Document = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(outline.name, outline.namespace, gateway=outline.mesh.iri),
        "spec": {"ports": [{"name": f"http-{port}", "port": port, "protocol": "TCP"} for port in ports(outline)]},
    }
    made = [gateway]
    for iri, place in places.items():
        _report_tls(outline, iri)
        accrual = _accrual(outline, iri)
        documents = list(place.documents)
        if accrual and not documents:
            documents = [_known(outline, iri, place)]
            message = f"{outline.upstreams[iri].name}: its Service is there already; only annotations are added to it"
            outline.findings.append(differs(iri, AGW.hasBackendService, message, "kubectl apply --server-side"))
        for document in documents:
            if accrual and document["kind"] == "Service":
                meta = document["metadata"]
                document = {**document, "metadata": {**meta, "annotations": {**meta.get("annotations", {}), **accrual}}}
            made.append(document)
    return made


def _known(outline: Outline, iri: str, place: Place) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(place.name, place.namespace or outline.namespace, gateway=outline.mesh.iri, service=iri),
        "spec": {"ports": [{"port": place.port, "protocol": "TCP"}]},
    }


def _accrual(outline: Outline, iri: str) -> dict[str, str]:
    """Failure accrual: how many failures in a row, and for how long an endpoint is then left alone."""
    upstream, found = outline.upstreams[iri], outline.findings
    breakers = [route.breaker for route in outline.used[iri] if route.breaker is not None]
    outlier = upstream.outlier
    if outlier is not None and outlier.consecutive_errors:
        for breaker in breakers:
            message = f"{upstream.name}: Linkerd has one failure accrual a service; outlier detection is written"
            found.append(lost(breaker.iri, AGW.hasCircuitBreaker, message, "keep agw in front"))
        times = (outlier.consecutive_errors, outlier.base_ejection_seconds, outlier.maximum_ejection_seconds)
        if outlier.maximum_ejection_percent < 100:
            message = f"{upstream.name}: Linkerd leaves all endpoints alone when all fail"
            found.append(differs(outlier.iri, AGW.maximumEjectionPercent, message))
    elif breakers:
        strictest = min(breakers, key=lambda breaker: (breaker.failure_threshold, -breaker.open_seconds, breaker.iri))
        message = (
            f"{upstream.name}: Linkerd leaves single endpoints alone, each time for longer, and tries one request then"
        )
        for breaker in breakers:
            found.append(differs(breaker.iri, AGW.hasCircuitBreaker, message))
        times = (strictest.failure_threshold, strictest.open_seconds, strictest.max_open_seconds)
    else:
        return {}
    failures, least, most = times
    return {
        _PREFIX: "consecutive",
        f"{_PREFIX}-consecutive-max-failures": str(failures),
        f"{_PREFIX}-consecutive-min-penalty": duration(least),
        f"{_PREFIX}-consecutive-max-penalty": duration(max(least, most)),
    }


def _report_tls(outline: Outline, iri: str) -> None:
    upstream, found = outline.upstreams[iri], outline.findings
    message = f"{upstream.name}: proxies of the mesh speak mTLS by themselves, by Linkerd's certificates"
    if upstream.tls is not None:
        if upstream.tls.server_name is not None:
            found.append(differs(iri, AGW.serverName, message))
        if upstream.tls.certificate is not None:
            for term in (AGW.hasCertificate, AGW.certificateFile, AGW.privateKeyRef, AGW.trustBundleFile):
                found.append(differs(upstream.tls.certificate.iri, term, message))
    if upstream.tls is not None or any(endpoint.tls for endpoint in upstream.endpoints):
        found.append(differs(iri, AGW.address, message))
    if upstream.mtls_mode is MtlsMode.DISABLE:
        found.append(differs(iri, AGW.mtlsMode, f"{upstream.name}: Linkerd speaks mTLS wherever it can"))
