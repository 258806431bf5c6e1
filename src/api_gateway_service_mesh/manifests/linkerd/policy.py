"""Servers and who may speak to them, and limits that a service's own proxies keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import metadata, name_of
from api_gateway_service_mesh.manifests.outline import Outline
from api_gateway_service_mesh.manifests.place import Place
from api_gateway_service_mesh.model import MtlsMode, RateLimit
from api_gateway_service_mesh.vocabulary import AGW

__all__ = ["policies"]

_GROUP = "policy.linkerd.io"


def policies(outline: Outline, places: Mapping[str, Place], app_label: str) -> list[Document]:
    """For each service of the cluster with a mode or a limit: its Server, then what hangs on it."""
    made: list[Document] = []
    for iri, place in places.items():
        upstream = outline.upstreams[iri]
        limit = _limit(outline, iri)
        mode = upstream.mtls_mode
        joined = outline.mesh.service_mesh
        if mode is None and upstream.in_mesh and joined is not None and joined.mtls is not None:
            mode = joined.mtls.mode
        if place.documents or (limit is None and mode in (None, MtlsMode.DISABLE)):
            continue
        message = f"{upstream.name}: its pods are taken to carry the label {app_label}={place.name}"
        outline.findings.append(differs(iri, AGW.hasMutualTLS, message, "choose another label with app_label"))
        made += _of_one(outline, iri, place, app_label, mode, limit)
    return made


def _of_one(
    outline: Outline, iri: str, place: Place, app_label: str, mode: MtlsMode | None, limit: RateLimit | None
) -> list[Document]:
    name = name_of(f"{place.name}-{place.port}")

    def document(version: str, kind: str, spec: dict[str, Any]) -> Document:
        meta = metadata(name, place.namespace or outline.namespace, gateway=outline.mesh.iri, service=iri)
        return {"apiVersion": f"{_GROUP}/{version}", "kind": kind, "metadata": meta, "spec": spec}

    guarded = mode in (MtlsMode.STRICT, MtlsMode.PERMISSIVE)
    server = {
        "podSelector": {"matchLabels": {app_label: place.name}},
        "port": place.port,
        "proxyProtocol": "HTTP/1",
        "accessPolicy": "deny" if guarded else "all-unauthenticated",
    }
    target = {"group": _GROUP, "kind": "Server", "name": name}
    made = [document("v1beta3", "Server", server)]
    if guarded:
        strict = mode is MtlsMode.STRICT
        kind = "MeshTLSAuthentication" if strict else "NetworkAuthentication"
        who: dict[str, Any] = (
            {"identities": ["*"]} if strict else {"networks": [{"cidr": "0.0.0.0/0"}, {"cidr": "::/0"}]}
        )
        made.append(document("v1alpha1", kind, who))
        reference = {"group": _GROUP, "kind": kind, "name": name}
        made.append(
            document(
                "v1alpha1", "AuthorizationPolicy", {"targetRef": target, "requiredAuthenticationRefs": [reference]}
            )
        )
    if limit is not None:
        total = {"requestsPerSecond": max(1, round(limit.requests_per_second))}
        made.append(document("v1alpha1", "HTTPLocalRateLimitPolicy", {"targetRef": target, "total": total}))
    return made


def _limit(outline: Outline, iri: str) -> RateLimit | None:
    """The one limit that all routes of a service share for all callers; others are lost."""
    routes, found = outline.used[iri], outline.findings
    stated = [route.rate_limits for route in routes]
    shared = stated[0][0] if stated and len(stated[0]) == 1 and all(one == stated[0] for one in stated) else None
    if shared is not None and not shared.keys and not shared.shadow:
        message = f"{outline.upstreams[iri].name}: each of its pods admits {shared.requests_per_second:g}/s by itself"
        found.append(differs(shared.iri, AGW.requestsPerSecond, message))
        return shared
    for route in routes:
        for limit in route.rate_limits:
            message = (
                f"{route.name}: Linkerd limits what a service gets from all callers together; "
                f"{limit.requests_per_second:g}/s for this route alone is missing"
            )
            found.append(lost(limit.iri, AGW.hasRateLimiter, message, "keep agw in front"))
    return None
