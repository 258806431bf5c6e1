"""Certificates by reference (``agw:Certificate``): which files they name, and whether those may be named."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from api_gateway_service_mesh.model import Certificate
from api_gateway_service_mesh.vocabulary import AGW

from .file import named_file
from .reading import Reading, name_of

__all__ = ["CertificateRow", "certificates"]


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """``certificate.rq``."""

    certificate: str
    certificate_file: str | None
    private_key_ref: str | None
    trust_bundle_file: str | None
    rotation_period: str | None
    crl_file: str | None


def certificates(rows: Iterable[CertificateRow], reading: Reading) -> dict[str, Certificate]:
    """Certificates by IRI, paths absolute."""
    found: dict[str, Certificate] = {}
    for row in rows:
        if row.certificate not in found:
            iri = row.certificate
            found[iri] = Certificate(
                iri,
                _file(iri, AGW.certificateFile, row.certificate_file, reading),
                _key(iri, row.private_key_ref, reading),
                _file(iri, AGW.trustBundleFile, row.trust_bundle_file, reading),
                reading.seconds(iri, AGW.rotationPeriod, row.rotation_period, None),
                _file(iri, AGW.crlFile, row.crl_file, reading),
            )
    return found


def _key(iri: str, reference: str | None, reading: Reading) -> str | None:
    if reference is None:
        return None
    kind, _, name = reference.partition(":")
    if kind == "file" and name:
        path = _file(iri, AGW.privateKeyRef, name, reading, stated=reference)
        return f"file:{path}"
    if kind != "env" or not name:
        # The value is not shown: what stands here may be the key itself.
        reading.note(
            "literal-secret",
            f"{name_of(iri)}: agw:privateKeyRef is not a reference",
            iri,
            AGW.privateKeyRef,
            allowed='"file:PATH" or "env:NAME"',
            remedy="put the key into a file and name that; if this was a key, replace it: it has been written down",
        )
        return None
    if name not in os.environ:
        reading.note(
            "key-missing",
            f"{name_of(iri)}: the environment variable {name}, which is to hold the private key, is not set",
            iri,
            AGW.privateKeyRef,
            reference,
            remedy=f"set {name} to the PEM text of the key before starting agw",
        )
    return reference


def _file(iri: str, term: str, text: str | None, reading: Reading, stated: str | None = None) -> str | None:
    if text is None:
        return None
    hint = "; `agw cert issue` makes one"
    return named_file(iri, term, text, reading, code="certificate-file", stated=stated, hint=hint)
