"""What a route asks of the client's certificate, and what of it the backend is told
(``agw:ClientCertificatePolicy``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .discovery import Registry
from .mtls import ANYBODY, MtlsMode, PeerNames

__all__ = ["CertificateDetail", "CertificateForwarding", "ClientCertificate", "IntentionFailureMode", "Intentions"]


class CertificateForwarding(StrEnum):
    """``agw:forwardClientCertificate``: what becomes of ``X-Forwarded-Client-Cert``, in Envoy's words. What a client
    sends of it counts only when the client is a trusted proxy; from anyone else it is dropped, whatever stands here."""

    SANITIZE = "SANITIZE"
    """No such field goes on."""
    SANITIZE_SET = "SANITIZE_SET"
    """The client's own certificate alone."""
    APPEND_FORWARD = "APPEND_FORWARD"
    """What a trusted proxy says, then the client's own certificate."""
    FORWARD_ONLY = "FORWARD_ONLY"
    """What a trusted proxy says alone."""


class CertificateDetail(StrEnum):
    """``agw:clientCertificateDetail``: what is told beside the certificate's SHA-256 hash."""

    SUBJECT = "SUBJECT"
    URI = "URI"
    DNS = "DNS"
    CERT = "CERT"


class IntentionFailureMode(StrEnum):
    """``agw:intentionFailureMode``."""

    CLOSED = "CLOSED"
    """Callers that Consul says nothing of are refused."""
    OPEN = "OPEN"
    """They are let in."""


@dataclass(frozen=True, slots=True)
class Intentions:
    """Who may call ``service`` is said by the intentions of the Consul that ``registry`` is."""

    registry: Registry
    service: str
    failure_mode: IntentionFailureMode = IntentionFailureMode.CLOSED


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """``mode`` STRICT: a verified certificate must be shown, and be of ``peers``; PERMISSIVE: one that is shown
    must be; DISABLE: none is looked at. ``stated_by`` is the route, where what it inherits is inferred."""

    iri: str
    stated_by: str
    mode: MtlsMode = MtlsMode.STRICT
    peers: PeerNames = ANYBODY
    forwarding: CertificateForwarding = CertificateForwarding.SANITIZE
    details: tuple[CertificateDetail, ...] = (CertificateDetail.SUBJECT, CertificateDetail.URI, CertificateDetail.DNS)
    intentions: Intentions | None = None
