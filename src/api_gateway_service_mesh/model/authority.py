"""Who issues certificates to agw (``agw:CertificateAuthority``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["AcmeChallenge", "CertificateAuthority", "IssuerKind"]


class IssuerKind(StrEnum):
    """``agw:issuerKind``."""

    BUILT_IN = "BUILT_IN"
    """agw's own authority in a folder, as ``agw cert ca`` makes it."""
    ACME = "ACME"
    """An ACME server (RFC 8555); names are proved by HTTP-01 on a listener of the gateway."""
    SPIFFE = "SPIFFE"
    """The SPIFFE Workload API of an agent on this machine."""


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """An issuer. ``folder`` (absolute) holds what it issued, and the account key of ACME. ``workload_api`` is the path
    of the agent's socket; None: what the environment says (``SPIFFE_ENDPOINT_SOCKET``)."""

    iri: str
    folder: str
    kind: IssuerKind = IssuerKind.BUILT_IN
    directory_url: str | None = None
    contacts: tuple[str, ...] = ()
    terms_agreed: bool = False
    server_trust_file: str | None = None
    account_key_id: str | None = None
    account_mac_key_ref: str | None = None
    workload_api: str | None = None


@dataclass(frozen=True, slots=True)
class AcmeChallenge:
    """Answers to ACME's questions, in the folders of the authorities that may ask."""

    folders: tuple[str, ...]
