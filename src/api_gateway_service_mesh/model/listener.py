"""Where the gateway listens, and the limits on what it accepts there (``agw:Listener``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .certificate import Certificate
from .connection_cap import ConnectionCap
from .mtls import MtlsMode

__all__ = ["DEFAULT_LISTENER", "Limits", "Listener", "TlsVersion", "UnknownServerName"]

DEFAULT_LISTENER = "urn:agw:listener"
"""What a listener is called that no configuration states."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one client connection. Every bound has a property of the same name in the ontology."""

    max_request_line_bytes: int = 8190
    max_header_bytes: int = 32768
    max_header_count: int = 100
    header_timeout_seconds: float = 10.0
    idle_timeout_seconds: float = 75.0
    max_connections: int = 50_000
    max_concurrent_streams: int = 128
    """0: HTTP/2 is not spoken."""


class TlsVersion(StrEnum):
    """``agw:minimumTlsVersion``."""

    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


class UnknownServerName(StrEnum):
    """``agw:unknownServerName``: what a client is shown that asks for a name which no certificate has."""

    DEFAULT = "DEFAULT"
    REFUSE = "REFUSE"


@dataclass(frozen=True, slots=True)
class Listener:
    """One port. Without certificate: plain HTTP. ``mtls_mode`` None or DISABLE with a certificate: one-way TLS.

    ``more_certificates`` are shown to clients that ask (SNI) for a name of theirs which ``certificate`` does not have.
    ``client_trust`` verifies clients where ``certificate`` is not what does. ``asks_clients``: some route wants to know
    who a client is, so certificates are asked for, if not demanded, where there is something to verify them with;
    ``asked_hosts``: those routes' hosts, when all have some; who asks for another (SNI) is not asked back.
    """

    iri: str
    port: int
    bind_address: str = "0.0.0.0"
    certificate: Certificate | None = None
    mtls_mode: MtlsMode | None = None
    limits: Limits = Limits()
    more_certificates: tuple[Certificate, ...] = ()
    client_trust: Certificate | None = None
    asks_clients: bool = False
    minimum_tls: TlsVersion = TlsVersion.TLS_1_2
    connection_cap: ConnectionCap | None = None
    unknown_name: UnknownServerName = UnknownServerName.DEFAULT
    asked_hosts: tuple[str, ...] = ()

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """All that it shows, the one for clients without SNI first."""
        return () if self.certificate is None else (self.certificate, *self.more_certificates)

    @property
    def trust(self) -> Certificate | None:
        """What clients are verified with."""
        return self.client_trust or self.certificate
