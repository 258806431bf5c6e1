"""A backend service and how to speak to it (``agw:BackendService``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .certificate import Certificate
from .discovery import Discovery
from .endpoint import Endpoint
from .health import HealthCheck, Purpose
from .mtls import ANYBODY, MtlsMode, PeerNames
from .outlier import OutlierDetection
from .sidecar import Sidecar

__all__ = ["ConnectionPool", "HttpProtocol", "Upstream", "UpstreamTls"]


class HttpProtocol(StrEnum):
    """Which version of HTTP an upstream is spoken to in (``agw:upstreamProtocol``)."""

    HTTP1 = "http/1.1"
    HTTP2 = "h2"
    """Over TLS where the endpoint has it, in the clear by prior knowledge otherwise."""
    AUTO = "auto"
    """What the backend chooses by ALPN; HTTP/1.1 in the clear."""


@dataclass(frozen=True, slots=True)
class ConnectionPool:
    """Bounds on what goes to one upstream (``agw:ConnectionPool``): connections and those who wait for one per worker,
    requests and retries under way over all workers. None: no bound."""

    iri: str = ""
    max_connections: int = 1024
    max_idle_connections: int = 256
    idle_timeout_seconds: float = 60.0
    connect_timeout_seconds: float = 5.0
    max_pending_requests: int = 4096
    queue_timeout_seconds: float | None = None
    max_requests_per_connection: int | None = None
    max_requests: int | None = None
    max_concurrent_retries: int | None = None
    max_concurrent_streams: int = 100


@dataclass(frozen=True, slots=True)
class UpstreamTls:
    """TLS towards an upstream. ``certificate`` is what agw presents (mTLS) and whose trust bundle it verifies with;
    None: one-way TLS verified with the system's roots. ``server_name`` overrides SNI and the name that is verified.
    ``peers`` says who the backend must be; it takes the place of the address's host name, and joins ``server_name``."""

    certificate: Certificate | None = None
    server_name: str | None = None
    peers: PeerNames = ANYBODY

    @property
    def verifies_name(self) -> bool:
        """Whether the host name (or ``server_name``) must be among the certificate's names."""
        return not self.peers or self.server_name is not None


@dataclass(frozen=True, slots=True)
class Upstream:
    """One backend service.

    ``mtls_mode`` is the service's ``agw:hasMutualTLS``. ``in_mesh``: a mesh's sidecar next to agw carries the mTLS, so
    agw speaks plain HTTP to it. STRICT without a certificate and outside a mesh cannot be honoured: such an upstream is
    refused at request time (503), never spoken to in plain text; `plaintext_forbidden` says so. ``health`` decides
    about traffic (readiness); ``liveness`` and ``startup`` are the probes that speak of processes. ``discovery``: what
    it tells takes the place of ``endpoints`` while it tells of any. ``sidecar``: the proxy beside it.
    ``accepts_trailers``: requests keep what follows their bodies; None: over HTTP/2 alone.
    """

    iri: str
    name: str
    endpoints: tuple[Endpoint, ...] = ()
    tls: UpstreamTls | None = None
    mtls_mode: MtlsMode | None = None
    in_mesh: bool = False
    health: HealthCheck | None = None
    pool: ConnectionPool = ConnectionPool()
    liveness: HealthCheck | None = None
    startup: HealthCheck | None = None
    outlier: OutlierDetection | None = None
    protocol: HttpProtocol = HttpProtocol.HTTP1
    discovery: Discovery | None = None
    sidecar: Sidecar | None = None
    accepts_trailers: bool | None = None

    @property
    def checks(self) -> dict[Purpose, HealthCheck]:
        """The active checks by what they are for."""
        stated = (
            (Purpose.READINESS, self.health),
            (Purpose.LIVENESS, self.liveness),
            (Purpose.STARTUP, self.startup),
        )
        return {purpose: check for purpose, check in stated if check is not None}

    @property
    def plaintext_forbidden(self) -> bool:
        """True when mTLS is demanded and nothing here can carry it."""
        return self.mtls_mode is MtlsMode.STRICT and self.tls is None and not self.in_mesh
