"""DestinationRules: one for each host that routes send to.

Breaker and balancer hang on routes in agw and on hosts in Istio: where the routes of a host differ, the stricter
breaker and the first balancer are written, and the report says so.
"""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import duration, metadata, name_of
from api_gateway_service_mesh.model import (
    Breaker,
    ConnectionPool,
    HttpProtocol,
    MtlsMode,
    Route,
    Upstream,
)
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context, is_address
from .load_balancer import load_balancer, outlier_detection

__all__ = ["destination_rules"]


def destination_rules(context: Context) -> list[Document]:
    """All DestinationRules, by the order of the upstreams."""
    by_host: dict[str, dict[int, Upstream]] = {}
    for iri, there in context.destinations.items():
        ports = by_host.setdefault(there.host, {})
        other = ports.setdefault(there.port, context.upstreams[iri])
        if other.iri != iri:
            message = (
                f"{context.upstreams[iri].name} and {other.name} are one host and port; Istio has one set of policies"
            )
            context.findings.append(differs(iri, AGW.address, message))
    made: list[Document] = []
    for ports in by_host.values():
        upstreams = list(ports.values())
        host = context.destinations[upstreams[0].iri].host
        policies = {port: _policy(context, upstream) for port, upstream in sorted(ports.items())}
        if len(policies) == 1:
            (policy,) = policies.values()
        else:
            policy = {"portLevelSettings": [{"port": {"number": port}, **each} for port, each in policies.items()]}
        made.append(
            {
                "apiVersion": "networking.istio.io/v1",
                "kind": "DestinationRule",
                "metadata": metadata(
                    context.upstream_names[upstreams[0].iri],
                    context.namespace,
                    gateway=context.mesh.iri,
                    service=[upstream.iri for upstream in upstreams],
                ),
                "spec": {"host": host, "trafficPolicy": policy},
            }
        )
    return made


def _policy(context: Context, upstream: Upstream) -> dict[str, Any]:
    pool = upstream.pool
    policy: dict[str, Any] = {
        "connectionPool": {
            "tcp": {"maxConnections": pool.max_connections, "connectTimeout": duration(pool.connect_timeout_seconds)},
            "http": {
                "idleTimeout": duration(pool.idle_timeout_seconds),
                **_protocol(context, upstream),
                **_bounds(context, upstream),
            },
        }
    }
    routes = context.used[upstream.iri]
    breaker = _breaker(context, upstream, routes)
    if upstream.outlier is not None:
        policy["outlierDetection"] = outlier_detection(context, upstream, upstream.outlier)
        if breaker is not None:
            message = f"{upstream.name}: Istio has one of circuit breaker and outlier detection; the latter is written"
            context.findings.append(lost(breaker.iri, AGW.hasCircuitBreaker, message, "keep agw in front"))
    elif breaker is not None:
        gateway_errors = set(breaker.failure_statuses) == {502, 503, 504}
        policy["outlierDetection"] = {
            "consecutiveGatewayErrors" if gateway_errors else "consecutive5xxErrors": breaker.failure_threshold,
            "interval": duration(min(10.0, breaker.open_seconds)),  # how often an ejection's end is looked for
            "baseEjectionTime": duration(breaker.open_seconds),
            "maxEjectionPercent": 100,  # a breaker opens for the last endpoint too
        }
    balancer = load_balancer(context, upstream, routes)
    if balancer is not None:
        policy["loadBalancer"] = balancer
    tls = _tls(context, upstream)
    if tls is not None:
        policy["tls"] = tls
    if upstream.health is not None:
        message = f"{upstream.name}: Istio does not check health itself; a pod's readiness probe does"
        context.findings.append(differs(upstream.iri, AGW.hasHealthCheck, message))
    return policy


def _protocol(context: Context, upstream: Upstream) -> dict[str, Any]:
    """HTTP/2 whatever the caller speaks; Istio's own default is HTTP/1.1 for a port called http."""
    if upstream.protocol is HttpProtocol.AUTO and (upstream.tls or any(end.tls for end in upstream.endpoints)):
        message = f"{upstream.name}: Istio does not leave the version of HTTP to the handshake; it speaks HTTP/1.1"
        context.findings.append(differs(upstream.iri, AGW.upstreamProtocol, message, 'state "h2" if it speaks that'))
    if upstream.protocol is not HttpProtocol.HTTP2:
        return {}
    made: dict[str, Any] = {"h2UpgradePolicy": "UPGRADE"}
    if upstream.pool.max_concurrent_streams != ConnectionPool().max_concurrent_streams:
        made["maxConcurrentStreams"] = upstream.pool.max_concurrent_streams
    return made


def _bounds(context: Context, upstream: Upstream) -> dict[str, Any]:
    """The bounds on requests that are stated."""
    pool = upstream.pool
    if pool.queue_timeout_seconds is not None:
        message = f"{upstream.name}: Istio does not time the wait for a connection; the route's timeout holds"
        context.findings.append(lost(pool.iri, AGW.queueTimeout, message, "state a timeout on the routes"))
    pending = pool.max_pending_requests
    stated = {
        "http1MaxPendingRequests": None if pending == ConnectionPool().max_pending_requests else pending,
        "http2MaxRequests": pool.max_requests,  # Istio's name; it holds for HTTP/1.1 too
        "maxRequestsPerConnection": pool.max_requests_per_connection,
        "maxRetries": pool.max_concurrent_retries,
    }
    return {name: value for name, value in stated.items() if value is not None}


def _breaker(context: Context, upstream: Upstream, routes: list[Route]) -> Breaker | None:
    stated = [route.breaker for route in routes if route.breaker is not None]
    if not stated:
        return None
    strictest = min(stated, key=lambda breaker: (breaker.failure_threshold, -breaker.open_seconds, breaker.iri))
    if len(stated) < len(routes) or len({(b.failure_threshold, b.open_seconds) for b in stated}) > 1:
        message = f"{upstream.name}: Istio has one breaker a service; {strictest.iri} counts for all its routes"
        context.findings.append(differs(strictest.iri, AGW.hasCircuitBreaker, message))
    if strictest.windowed:
        message = f"{upstream.name}: Istio's breaker counts failures in a row, no rates and no slow answers"
        context.findings.append(lost(strictest.iri, AGW.breakerWindow, message, "keep agw in front"))
    if strictest.failure_statuses and set(strictest.failure_statuses) != {502, 503, 504}:
        message = f"{upstream.name}: Istio's breaker counts every 5xx, whatever statuses are listed"
        context.findings.append(differs(strictest.iri, AGW.failureStatus, message))
    message = f"{upstream.name}: Istio ejects single endpoints, each time for longer, and has no half-open state"
    context.findings.append(differs(strictest.iri, AGW.halfOpenRequests, message))
    return strictest


def _tls(context: Context, upstream: Upstream) -> dict[str, Any] | None:
    tls = upstream.tls
    if tls is not None and tls.certificate is not None and tls.certificate.certificate_file is not None:
        certificate = tls.certificate
        secret = name_of(certificate.iri)
        made: dict[str, Any] = {"mode": "MUTUAL", "credentialName": secret}
        message = (
            f"{upstream.name}: its client certificate is read from the Secret {secret!r} (tls.crt, tls.key, ca.crt), "
            "which is not among the manifests"
        )
        remedy = (
            f"kubectl create secret generic {secret} --from-file=tls.crt=… --from-file=tls.key=… --from-file=ca.crt=…"
        )
        context.findings.append(differs(certificate.iri, AGW.hasCertificate, message, remedy))
    elif tls is not None or any(endpoint.tls for endpoint in upstream.endpoints):
        made = {"mode": "SIMPLE"}
        if tls is not None and tls.certificate is not None and tls.certificate.trust_bundle_file is not None:
            secret = name_of(tls.certificate.iri)
            made["credentialName"] = secret
            message = (
                f"{upstream.name}: it is verified by ca.crt of the Secret {secret!r}, which is not among the manifests"
            )
            context.findings.append(differs(tls.certificate.iri, AGW.trustBundleFile, message))
    elif upstream.mtls_mode is MtlsMode.STRICT:
        return {"mode": "ISTIO_MUTUAL"}
    elif upstream.mtls_mode is MtlsMode.DISABLE:
        return {"mode": "DISABLE"}
    else:
        return None  # PERMISSIVE or unstated: Istio finds out what the other side can
    if tls is None and not all(endpoint.tls for endpoint in upstream.endpoints):
        message = f"{upstream.name}: Istio speaks TLS to all of a service's addresses or to none; here to all"
        context.findings.append(differs(upstream.iri, AGW.hasInstance, message))
    stated = tls.server_name if tls is not None else None
    verified = [stated] if stated else list(dict.fromkeys(endpoint.host for endpoint in upstream.endpoints))
    if len(verified) == 1 and not is_address(verified[0]):
        made["sni"] = verified[0]
    made["subjectAltNames"] = verified
    return made
