"""Backend services and how to speak to them (``agw:BackendService``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from api_gateway_service_mesh.model import (
    ConnectionPool,
    Discovery,
    Endpoint,
    HealthCheck,
    HttpProtocol,
    MtlsMode,
    MutualTls,
    OutlierDetection,
    PeerNames,
    Purpose,
    ServiceMesh,
    Sidecar,
    Upstream,
    UpstreamTls,
)
from api_gateway_service_mesh.vocabulary import AGW

from .endpoint import endpoint_at
from .reading import Reading, name_of
from .sidecar import asked_by, refuse_clashes

__all__ = ["ConnectionPoolRow", "UpstreamRow", "connection_pools", "upstreams"]


@dataclass(frozen=True, slots=True)
class UpstreamRow:
    """``upstream.rq``."""

    upstream: str
    address: str | None
    mtls: str | None
    pool: str | None
    server_name: str | None
    in_mesh: str
    outlier: str | None
    protocol: str | None
    discovery: str | None
    trailers: str | None


@dataclass(frozen=True, slots=True)
class ConnectionPoolRow:
    """``connection_pool.rq``."""

    pool: str
    max_connections: str | None
    max_idle_connections: str | None
    idle_timeout: str | None
    connect_timeout: str | None
    max_pending: str | None
    queue_timeout: str | None
    max_connection_requests: str | None
    max_requests: str | None
    max_retries: str | None
    max_streams: str | None


def connection_pools(rows: Iterable[ConnectionPoolRow], reading: Reading) -> dict[str, ConnectionPool]:
    """Pools by IRI."""
    found: dict[str, ConnectionPool] = {}
    defaults = ConnectionPool()
    for row in rows:
        if row.pool not in found:
            iri = row.pool
            found[iri] = ConnectionPool(
                iri,
                reading.integer(iri, AGW.maxConnections, row.max_connections, defaults.max_connections),
                reading.integer(iri, AGW.maxIdleConnections, row.max_idle_connections, defaults.max_idle_connections),
                reading.seconds(iri, AGW.idleTimeout, row.idle_timeout, defaults.idle_timeout_seconds),
                reading.seconds(iri, AGW.connectTimeout, row.connect_timeout, defaults.connect_timeout_seconds),
                reading.integer(iri, AGW.maxPendingRequests, row.max_pending, defaults.max_pending_requests),
                reading.seconds(iri, AGW.queueTimeout, row.queue_timeout, None),
                _bound(iri, AGW.maxRequestsPerConnection, row.max_connection_requests, reading),
                _bound(iri, AGW.maxRequests, row.max_requests, reading),
                _bound(iri, AGW.maxConcurrentRetries, row.max_retries, reading),
                reading.integer(iri, AGW.maxConcurrentStreams, row.max_streams, defaults.max_concurrent_streams),
            )
    return found


def _bound(iri: str, term: str, value: str | None, reading: Reading) -> int | None:
    return None if value is None else reading.integer(iri, term, value, 0)


def upstreams(
    rows: Iterable[UpstreamRow],
    instances: Mapping[str, tuple[Endpoint, ...]],
    settings: Mapping[str, MutualTls],
    checks: Mapping[str, Mapping[Purpose, HealthCheck]],
    pools: Mapping[str, ConnectionPool],
    detections: Mapping[str, OutlierDetection],
    lookups: Mapping[str, Discovery],
    beside: Mapping[str, Sidecar],
    mesh: ServiceMesh | None,
    reading: Reading,
) -> dict[str, Upstream]:
    """Services by IRI. Instances come before the service's own address. `beside`: sidecars by service; `mesh`: the
    gateway's."""
    found: dict[str, Upstream] = {}
    for row in rows:
        if row.upstream in found:
            continue
        iri = row.upstream
        mtls = reading.known(iri, AGW.hasMutualTLS, row.mtls, settings, "agw:MutualTLS")
        sidecar = beside.get(iri)
        if sidecar is not None:
            sidecar, mtls = asked_by(sidecar, mtls, mesh, reading)
        endpoints = instances.get(iri, ())
        if not endpoints and row.address is not None:
            own = endpoint_at(iri, row.address, reading)
            endpoints = (own,) if own else ()
        if sidecar is not None:
            refuse_clashes(sidecar, endpoints, reading)
        tls = _tls(row, mtls, endpoints)
        if tls is not None and tls.certificate is not None:
            endpoints = tuple(replace(endpoint, tls=True) for endpoint in endpoints)
        pool = reading.known(iri, AGW.hasConnectionPool, row.pool, pools, "agw:ConnectionPool")
        asked = checks.get(iri, {})
        upstream = Upstream(
            iri,
            name_of(iri),
            endpoints,
            tls,
            mtls.mode if mtls else None,
            reading.boolean(iri, AGW.hasServiceMesh, row.in_mesh) and sidecar is None,
            asked.get(Purpose.READINESS),
            pool or ConnectionPool(),
            asked.get(Purpose.LIVENESS),
            asked.get(Purpose.STARTUP),
            reading.known(iri, AGW.hasOutlierDetection, row.outlier, detections, "agw:OutlierDetection"),
            reading.choice(iri, AGW.upstreamProtocol, row.protocol, HttpProtocol, HttpProtocol.HTTP1),
            reading.known(iri, AGW.hasServiceDiscovery, row.discovery, lookups, "agw:ServiceDiscovery"),
            sidecar,
            None if row.trailers is None else reading.boolean(iri, AGW.acceptsTrailers, row.trailers),
        )
        if upstream.plaintext_forbidden:
            reading.warn(
                "mtls-without-certificate",
                f"{upstream.name} demands mTLS, and nothing here can carry it: requests to it are answered 503",
                iri,
                AGW.hasMutualTLS,
                remedy="add agw:hasCertificate to the MutualTLS, or agw:hasServiceMesh where a sidecar carries it",
            )
        found[iri] = upstream
    return found


def _tls(row: UpstreamRow, mtls: MutualTls | None, endpoints: tuple[Endpoint, ...]) -> UpstreamTls | None:
    """How agw itself encrypts: mTLS with a certificate, one-way TLS towards ``https://`` addresses, or not at all.

    STRICT is not satisfied by one-way TLS, so without a certificate to show it leaves None, which `Upstream` refuses to
    serve. DISABLE shows none, and still trusts whom the trust bundle says.
    """
    mode = mtls.mode if mtls else None
    certificate = mtls.certificate if mtls else None
    peers = mtls.peers if mtls else PeerNames()
    trust = None
    if certificate and certificate.trust_bundle_file:
        trust = replace(certificate, certificate_file=None, private_key_ref=None)
    if certificate and mode is not MtlsMode.DISABLE and not (mode is MtlsMode.STRICT and certificate == trust):
        return UpstreamTls(certificate, row.server_name, peers)
    if any(endpoint.tls for endpoint in endpoints) and mode is not MtlsMode.STRICT:
        return UpstreamTls(trust, row.server_name, peers)
    return None
