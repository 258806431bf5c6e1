"""Mutual TLS settings (``agw:MutualTLS``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import Certificate, MtlsMode, MutualTls
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["MtlsRow", "mtls_settings"]


@dataclass(frozen=True, slots=True)
class MtlsRow:
    """``mtls.rq``."""

    mtls: str
    mode: str | None
    certificate: str | None


def mtls_settings(
    rows: Iterable[MtlsRow], certificates: Mapping[str, Certificate], reading: Reading
) -> dict[str, MutualTls]:
    """Settings by IRI. One that states no mode is STRICT: whoever asks for mTLS and says no more means it."""
    found: dict[str, MutualTls] = {}
    for row in rows:
        if row.mtls not in found:
            found[row.mtls] = MutualTls(
                row.mtls,
                reading.choice(row.mtls, AGW.mtlsMode, row.mode, MtlsMode, MtlsMode.STRICT),
                reading.known(row.mtls, AGW.hasCertificate, row.certificate, certificates, "agw:Certificate"),
            )
    return found
