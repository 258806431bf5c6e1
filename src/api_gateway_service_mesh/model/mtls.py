"""Mutual TLS (``agw:MutualTLS``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .certificate import Certificate

__all__ = ["ANYBODY", "MtlsMode", "MutualTls", "PeerNames"]


class MtlsMode(StrEnum):
    """``agw:mtlsMode``. STRICT: only TLS with a verified client certificate. PERMISSIVE: plain text and TLS on one
    port, client certificates verified when shown. DISABLE: no client certificates (plain text, or one-way TLS when
    the listener has a certificate)."""

    STRICT = "STRICT"
    PERMISSIVE = "PERMISSIVE"
    DISABLE = "DISABLE"


@dataclass(frozen=True, slots=True)
class PeerNames:
    """Who the other side of a connection may be, by its verified certificate; one match of any kind is enough.

    ``spiffe_ids`` are SPIFFE IDs, or end in ``/*`` for all below; ``trust_domains`` are those of SPIFFE IDs; ``names``
    are DNS names (a wildcard ``*.`` stands for one label), URIs, IP addresses or mail addresses among the alternative
    names. Empty: whoever the trust bundle vouches for.
    """

    spiffe_ids: tuple[str, ...] = ()
    trust_domains: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.spiffe_ids or self.trust_domains or self.names)


ANYBODY = PeerNames()


@dataclass(frozen=True, slots=True)
class MutualTls:
    """A mode, the certificate it uses, and who the other side may be."""

    iri: str
    mode: MtlsMode
    certificate: Certificate | None = None
    peers: PeerNames = ANYBODY
