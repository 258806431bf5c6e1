"""The proxy beside a service (``agw:Sidecar``)."""

from __future__ import annotations

from dataclasses import dataclass

from .authorization import Authorization
from .certificate import Certificate
from .mtls import MtlsMode

__all__ = ["Sidecar"]


@dataclass(frozen=True, slots=True)
class Sidecar:
    """An Envoy that agw configures. Of those that a mesh runs agw knows no more than that they are there
    (`Upstream.in_mesh`).

    It takes what is sent to its service at the ports of the service's endpoints, on ``bind_address``, and asks for
    certificates as ``mode`` says; what it lets in goes to 127.0.0.1, ``application_port``. What the service sends to
    127.0.0.1, ``port``, it carries to the service that the request's host names, one of ``calls`` (IRIs; none: any).
    ``certificate`` is shown to both sides and verifies both; ``spiffe_id`` is who it says the service is.
    """

    iri: str
    application_port: int
    port: int = 15001
    bind_address: str = "0.0.0.0"
    mode: MtlsMode = MtlsMode.STRICT
    certificate: Certificate | None = None
    spiffe_id: str | None = None
    authorization: Authorization | None = None
    calls: tuple[str, ...] = ()
