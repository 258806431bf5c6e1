"""Mutual TLS settings (``agw:MutualTLS``), and who the other side may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import Certificate, MtlsMode, MutualTls, PeerNames
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["MtlsRow", "PeerRow", "mtls_settings", "peer_names"]


@dataclass(frozen=True, slots=True)
class MtlsRow:
    """``mtls.rq``."""

    mtls: str
    mode: str | None
    certificate: str | None


@dataclass(frozen=True, slots=True)
class PeerRow:
    """``peer.rq``."""

    subject: str
    term: str
    value: str


def peer_names(rows: Iterable[PeerRow]) -> dict[str, PeerNames]:
    """Who the other side may be, by the IRI of what says so."""
    stated: dict[str, dict[str, tuple[str, ...]]] = {}
    for row in rows:
        terms = stated.setdefault(row.subject, {})
        terms[row.term] = (*terms.get(row.term, ()), row.value)
    return {
        subject: PeerNames(
            terms.get(AGW.peerSpiffeId, ()), terms.get(AGW.peerTrustDomain, ()), terms.get(AGW.peerAltName, ())
        )
        for subject, terms in stated.items()
    }


def mtls_settings(
    rows: Iterable[MtlsRow],
    certificates: Mapping[str, Certificate],
    peers: Mapping[str, PeerNames],
    reading: Reading,
) -> dict[str, MutualTls]:
    """Settings by IRI. One that states no mode is STRICT: whoever asks for mTLS and says no more means it."""
    found: dict[str, MutualTls] = {}
    for row in rows:
        if row.mtls not in found:
            found[row.mtls] = MutualTls(
                row.mtls,
                reading.choice(row.mtls, AGW.mtlsMode, row.mode, MtlsMode, MtlsMode.STRICT),
                reading.known(row.mtls, AGW.hasCertificate, row.certificate, certificates, "agw:Certificate"),
                peers.get(row.mtls, PeerNames()),
            )
    return found
