"""Mutual TLS (``agw:MutualTLS``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .certificate import Certificate

__all__ = ["MtlsMode", "MutualTls"]


class MtlsMode(StrEnum):
    """``agw:mtlsMode``. STRICT: only TLS with a verified client certificate. PERMISSIVE: plain text and TLS on one
    port, client certificates verified when shown. DISABLE: no client certificates (plain text, or one-way TLS when
    the listener has a certificate)."""

    STRICT = "STRICT"
    PERMISSIVE = "PERMISSIVE"
    DISABLE = "DISABLE"


@dataclass(frozen=True, slots=True)
class MutualTls:
    """A mode and the certificate it uses."""

    iri: str
    mode: MtlsMode
    certificate: Certificate | None = None
