"""Where the gateway listens, and the limits on what it accepts there (``agw:Listener``)."""

from __future__ import annotations

from dataclasses import dataclass

from .certificate import Certificate
from .mtls import MtlsMode

__all__ = ["Limits", "Listener"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one client connection. Every bound has a property of the same name in the ontology."""

    max_request_line_bytes: int = 8190
    max_header_bytes: int = 32768
    max_header_count: int = 100
    header_timeout_seconds: float = 10.0
    idle_timeout_seconds: float = 75.0
    max_connections: int = 50_000


@dataclass(frozen=True, slots=True)
class Listener:
    """One port. Without certificate: plain HTTP. ``mtls_mode`` None or DISABLE with a certificate: one-way TLS."""

    iri: str
    port: int
    bind_address: str = "0.0.0.0"
    certificate: Certificate | None = None
    mtls_mode: MtlsMode | None = None
    limits: Limits = Limits()
