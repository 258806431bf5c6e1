"""Who issues certificates to agw (``agw:CertificateAuthority``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .discovery import Registry

__all__ = ["AcmeChallenge", "CertificateAuthority", "ChallengeType", "IssuerKind"]


class IssuerKind(StrEnum):
    """``agw:issuerKind``."""

    BUILT_IN = "BUILT_IN"
    """agw's own authority in a folder, as ``agw cert ca`` makes it."""
    ACME = "ACME"
    """An ACME server (RFC 8555); names are proved on a listener of the gateway."""
    SPIFFE = "SPIFFE"
    """The SPIFFE Workload API of an agent on this machine."""
    CONSUL = "CONSUL"
    """The service mesh of Consul (Connect)."""


class ChallengeType(StrEnum):
    """``agw:challengeType``: how an ACME server finds that a name is the gateway's."""

    HTTP_01 = "HTTP_01"
    """A file over plain HTTP (RFC 8555 §8.3)."""
    TLS_ALPN_01 = "TLS_ALPN_01"
    """A certificate in a TLS handshake made for nothing else (RFC 8737)."""


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """An issuer. ``folder`` (absolute) holds what it issued, and the account key of ACME. ``workload_api`` is the path
    of the agent's socket; None: what the environment says (``SPIFFE_ENDPOINT_SOCKET``). ``registry`` is the Consul that
    issues."""

    iri: str
    folder: str
    kind: IssuerKind = IssuerKind.BUILT_IN
    directory_url: str | None = None
    challenge: ChallengeType = ChallengeType.HTTP_01
    contacts: tuple[str, ...] = ()
    terms_agreed: bool = False
    server_trust_file: str | None = None
    account_key_id: str | None = None
    account_mac_key_ref: str | None = None
    workload_api: str | None = None
    registry: Registry | None = None


@dataclass(frozen=True, slots=True)
class AcmeChallenge:
    """Answers to ACME's questions, in the folders of the authorities that may ask."""

    folders: tuple[str, ...]
