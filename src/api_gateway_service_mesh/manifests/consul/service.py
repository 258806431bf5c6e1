"""What Consul is told of services: that they speak HTTP, how they are reached and balanced, what callers keep to."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any, Final

from api_gateway_service_mesh.errors import Finding
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import duration, name_of
from api_gateway_service_mesh.manifests.outline import Outline
from api_gateway_service_mesh.model import (
    Algorithm,
    Balancer,
    ConnectionPool,
    HashAlgorithm,
    HttpProtocol,
    KeyKind,
    MtlsMode,
    Route,
    Upstream,
)
from api_gateway_service_mesh.vocabulary import AGW

from .entry import Entry, entry

__all__ = ["NOTHING", "known_as", "service_entries", "spoken", "subset_name", "tag_literal"]

_POLICIES: Final = {
    Algorithm.ROUND_ROBIN: "round_robin",
    Algorithm.WEIGHTED: "round_robin",
    Algorithm.LEAST_CONNECTIONS: "least_request",
    Algorithm.POWER_OF_TWO: "least_request",
    Algorithm.EWMA: "least_request",
    Algorithm.RANDOM: "random",
}


def known_as(outline: Outline) -> dict[str, str]:
    """The name of each upstream in Consul's catalog: the service's name in the cluster, where it has one of its own."""
    hosts: dict[str, list[str]] = {}
    for upstream in outline.mesh.upstreams:
        labels = upstream.endpoints[0].host.split(".") if len(upstream.endpoints) == 1 else []
        local = labels and (len(labels) == 1 or labels[2:3] == ["svc"] or upstream.in_mesh)
        if local and labels[0] != "localhost" and name_of(labels[0]) == labels[0]:
            hosts.setdefault(labels[0], []).append(upstream.iri)
    own = {iris[0]: host for host, iris in hosts.items() if len(iris) == 1}
    taken = set(own.values())
    return {
        iri: own.get(iri) or (name if name not in taken else name_of(f"{name}-service"))
        for iri, name in outline.upstream_names.items()
    }


NOTHING: Final = 'Service.ID == "" and Service.ID != ""'
"""What no instance is."""


def subset_name(labels: tuple[str, ...]) -> str:
    """The name of the instances that have all of `labels`."""
    stated = sorted(set(labels))
    plain = "-".join(stated)
    name = name_of(plain)
    if name == plain and len(stated) == 1:
        return name
    return f"{name[:50].rstrip('-')}-{sha256(json.dumps(stated).encode()).hexdigest()[:8]}"  # others may come to it


def tag_literal(label: str) -> str | None:
    """`label` as a text of Consul's filters; None: it cannot be one. A text in double quotes holds no such quote,
    however it is escaped, and one in backquotes no backquote (go-bexpr, ``grammar.peg``)."""
    if '"' not in label:
        return json.dumps(label, ensure_ascii=False)
    return None if "`" in label else f"`{label}`"


def service_entries(outline: Outline) -> list[Entry]:
    """The defaults of all proxies and of the mesh, then those of each service."""
    mesh, called = outline.mesh, known_as(outline)
    everybody: dict[str, Any] = {"Config": {"protocol": spoken(outline)}}
    if mesh.access_log:
        everybody["AccessLogs"] = {"Enabled": True}
    made = [entry("proxy-defaults", "global", everybody, gateway=mesh.iri)]
    permissive = any(upstream.mtls_mode is MtlsMode.PERMISSIVE for upstream in mesh.upstreams)
    joined = mesh.service_mesh
    if permissive or (joined is not None and joined.mtls is not None and joined.mtls.mode is MtlsMode.PERMISSIVE):
        made.append(entry("mesh", "mesh", {"AllowEnablingPermissiveMutualTLS": True}, gateway=mesh.iri))
    if joined is not None and joined.mtls is not None and joined.mtls.mode is not MtlsMode.STRICT:
        message = f"{mesh.name}: Consul's mesh always speaks mTLS; a service may take plain text besides"
        outline.findings.append(differs(joined.mtls.iri, AGW.mtlsMode, message))
    overrides = []
    for upstream in mesh.upstreams:
        made += _service(outline, upstream, called[upstream.iri])
        override = _override(outline, upstream, called[upstream.iri])
        if override is not None:
            overrides.append(override)
    caller: dict[str, Any] = {"Protocol": spoken(outline)}
    if overrides:
        caller["UpstreamConfig"] = {"Overrides": overrides}
    made.append(entry("service-defaults", outline.name, caller, gateway=mesh.iri))
    return made


def spoken(outline: Outline) -> str:
    """The protocol of all services: Consul refuses a chain in which they differ."""
    upstreams = outline.mesh.upstreams
    second = bool(upstreams) and all(upstream.protocol is HttpProtocol.HTTP2 for upstream in upstreams)
    return "http2" if second else "http"


def _report_protocol(outline: Outline, upstream: Upstream) -> None:
    if upstream.protocol is HttpProtocol.HTTP2 and spoken(outline) == "http":
        message = f"{upstream.name}: all services of a chain speak one protocol in Consul; this one gets HTTP/1.1"
        remedy = "let all services of the gateway speak HTTP/2, or make a gateway of its own for them"
        outline.findings.append(lost(upstream.iri, AGW.upstreamProtocol, message, remedy))
    elif upstream.protocol is HttpProtocol.AUTO:
        message = f"{upstream.name}: Consul does not leave the version of HTTP to the handshake; it speaks HTTP/1.1"
        outline.findings.append(differs(upstream.iri, AGW.upstreamProtocol, message, 'state "h2" if it speaks that'))


def _service(outline: Outline, upstream: Upstream, name: str) -> list[Entry]:
    found = outline.findings
    fields: dict[str, Any] = {"Protocol": spoken(outline)}
    _report_protocol(outline, upstream)
    if upstream.mtls_mode in (MtlsMode.STRICT, MtlsMode.PERMISSIVE):
        fields["MutualTLSMode"] = upstream.mtls_mode.value.lower()
    elif upstream.mtls_mode is MtlsMode.DISABLE:
        message = f"{upstream.name}: Consul's mesh always speaks mTLS between its proxies"
        found.append(differs(upstream.iri, AGW.mtlsMode, message))
    message = (
        f"{upstream.name}: its instances stand in Consul's catalog, under the name {name!r}, not in config entries"
    )
    found.append(differs(upstream.iri, AGW.address, message, "register them, or let consul-k8s do it"))
    found.append(differs(upstream.iri, AGW.hasInstance, message, "register them, or let consul-k8s do it"))
    if upstream.tls is not None or any(endpoint.tls for endpoint in upstream.endpoints):
        message = f"{upstream.name}: proxies of the mesh speak mTLS of their own to it, by Consul's certificates"
        found.append(
            differs(upstream.iri, AGW.serverName, message, "a terminating gateway speaks TLS to what is outside")
        )
        if upstream.tls is not None and upstream.tls.certificate is not None:
            for term in (AGW.hasCertificate, AGW.certificateFile, AGW.privateKeyRef, AGW.trustBundleFile):
                found.append(differs(upstream.tls.certificate.iri, term, message))
    made = [entry("service-defaults", name, fields, service=upstream.iri)]
    resolver = _resolver(outline, upstream)
    if resolver:
        made.append(entry("service-resolver", name, resolver, service=upstream.iri))
    return made


def _resolver(outline: Outline, upstream: Upstream) -> dict[str, Any]:
    routes = outline.used[upstream.iri]
    made: dict[str, Any] = {}
    if upstream.pool.connect_timeout_seconds != ConnectionPool().connect_timeout_seconds:
        made["ConnectTimeout"] = duration(upstream.pool.connect_timeout_seconds)
    subsets = sorted({labels for route in routes for iri, labels in _targets(route) if iri == upstream.iri and labels})
    if subsets:
        made["Subsets"] = {}
        for labels in subsets:
            texts = [tag_literal(label) for label in sorted(set(labels))]
            if None in texts:
                message = f"{upstream.name}: Consul asks for no tag with both kinds of quotes; no instance is chosen"
                outline.findings.append(lost(upstream.iri, AGW.selectsLabel, message))
            chosen = NOTHING if None in texts else " and ".join(f"{text} in Service.Tags" for text in texts)
            made["Subsets"][subset_name(labels)] = {"Filter": chosen, "OnlyPassing": True}
        message = f"{upstream.name}: the labels of its instances are taken to be their tags in Consul's catalog"
        outline.findings.append(differs(upstream.iri, AGW.instanceLabel, message))
        for endpoint in upstream.endpoints:
            if endpoint.labels:
                outline.findings.append(differs(endpoint.iri, AGW.instanceLabel, message))
    stated = [route.balancer for route in routes if route.balancer is not None]
    if stated:
        first = stated[0]
        if len({(each.algorithm, each.hash_key, each.sticky) for each in stated}) > 1:
            message = f"{upstream.name}: Consul has one load balancer a service; {first.iri} counts for all its routes"
            outline.findings.append(differs(first.iri, AGW.hasLoadBalancer, message))
        made["LoadBalancer"] = _balancer(outline.findings, upstream, first)
    return made


def _targets(route: Route) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return route.targets


def _balancer(found: list[Finding], upstream: Upstream, balancer: Balancer) -> dict[str, Any]:
    if balancer.sticky is not None:
        cookie: dict[str, Any] = {"Path": balancer.sticky.path}
        if balancer.sticky.ttl_seconds is None:
            cookie["Session"] = True
        else:
            cookie["TTL"] = duration(balancer.sticky.ttl_seconds)
        kept = {"Field": "cookie", "FieldValue": balancer.sticky.name, "CookieConfig": cookie}
        message = f"{upstream.name}: Consul hashes its cookie, so a change of instances moves some of the sessions"
        found.append(differs(balancer.iri, AGW.stickyCookie, message))
        return {"Policy": "maglev", "HashPolicies": [kept]}
    if balancer.algorithm is not Algorithm.CONSISTENT_HASH:
        if balancer.algorithm is Algorithm.EWMA:
            message = f"{upstream.name}: Consul does not balance by latency; it counts requests under way"
            found.append(differs(balancer.iri, AGW.balancingAlgorithm, message))
        return {"Policy": _POLICIES[balancer.algorithm]}
    key = balancer.hash_key
    if key is None or key.kind is KeyKind.CLIENT_ADDRESS:
        policy: dict[str, Any] = {"SourceIP": True}
    elif key.kind in (KeyKind.HEADER, KeyKind.COOKIE):
        policy = {"Field": key.kind.value, "FieldValue": key.name}
    else:
        message = f"{upstream.name}: Consul cannot hash by {key}"
        found.append(lost(balancer.iri, AGW.hashKey, message, "hash by client-address, header:NAME or cookie:NAME"))
        return {"Policy": "round_robin"}
    ring = balancer.hash_algorithm is HashAlgorithm.RING
    return {"Policy": "ring_hash" if ring else "maglev", "HashPolicies": [policy]}


def _override(outline: Outline, upstream: Upstream, name: str) -> dict[str, Any] | None:
    """What the gateway's proxies keep to towards a service: bounds, and when an instance is left alone."""
    pool, made = upstream.pool, dict[str, Any]()
    limits = {
        "MaxConnections": pool.max_connections if pool.max_connections != ConnectionPool().max_connections else None,
        "MaxPendingRequests": (
            pool.max_pending_requests if pool.max_pending_requests != ConnectionPool().max_pending_requests else None
        ),
        "MaxConcurrentRequests": pool.max_requests,
    }
    stated = {field: value for field, value in limits.items() if value is not None}
    if stated:
        made["Limits"] = stated
    passive = _passive(outline, upstream)
    if passive:
        made["PassiveHealthCheck"] = passive
    return {"Name": name, **made} if made else None


def _passive(outline: Outline, upstream: Upstream) -> dict[str, Any]:
    found, outlier = outline.findings, upstream.outlier
    breakers = [route.breaker for route in outline.used[upstream.iri] if route.breaker is not None]
    if outlier is not None:
        for breaker in breakers:
            message = f"{upstream.name}: Consul has one of circuit breaker and outlier detection; the latter is written"
            found.append(lost(breaker.iri, AGW.hasCircuitBreaker, message, "keep agw in front"))
        if not outlier.consecutive_errors:
            message = f"{upstream.name}: Consul ejects by 5xx in a row alone"
            found.append(lost(outlier.iri, AGW.consecutiveErrors, message))
            return {}
        return {
            "Interval": duration(outlier.interval_seconds),
            "MaxFailures": outlier.consecutive_errors,
            "EnforcingConsecutive5xx": 100,
            "MaxEjectionPercent": outlier.maximum_ejection_percent,
            "BaseEjectionTime": duration(outlier.base_ejection_seconds),
        }
    if not breakers:
        return {}
    strictest = min(breakers, key=lambda breaker: (breaker.failure_threshold, -breaker.open_seconds, breaker.iri))
    message = f"{upstream.name}: Consul ejects single instances, each time for longer, and has no half-open state"
    for breaker in breakers:
        found.append(differs(breaker.iri, AGW.hasCircuitBreaker, message))
    found.append(differs(strictest.iri, AGW.halfOpenRequests, message))
    return {
        "Interval": duration(min(10.0, strictest.open_seconds)),
        "MaxFailures": strictest.failure_threshold,
        "EnforcingConsecutive5xx": 100,
        "MaxEjectionPercent": 100,  # a breaker opens for the last instance too
        "BaseEjectionTime": duration(strictest.open_seconds),
    }
