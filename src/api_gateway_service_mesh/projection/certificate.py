"""Certificates by reference (``agw:Certificate``): which files they name, and whether those may be named.

A relative path is taken from the folder of the file that states it. Whatever it leads to, symbolic links followed, must
lie under that folder or under a folder that the operator allowed: a configuration must not make agw read, or offer to
clients, a file of the host. The path that enters the model is the one that was written, not what its links lead to
today, because a renewal may move them (a Kubernetes secret volume does).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from api_gateway_service_mesh.model import Certificate
from api_gateway_service_mesh.vocabulary import AGW

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
    stated = stated or text
    document = reading.graph.file_of(iri, term, stated)
    folder = (document.folder if document else None) or Path.cwd()
    path = Path(os.path.normpath(folder / text))
    trusted = (folder.resolve(), *reading.allowed_folders)
    label = f"{name_of(iri)}: agw:{name_of(term)}"
    try:
        real = path.resolve()
        if not any(real.is_relative_to(root) for root in trusted):
            reading.note(
                "file-outside-folder",
                f"{label} names {text!r}, which leads out of the configuration's folder",
                iri,
                term,
                stated,
                allowed=f"a file under {folder}",
                remedy="keep the file beside the configuration, or allow its folder when starting agw",
            )
        elif not real.is_file():
            what = "is a folder" if real.is_dir() else "does not exist"
            reading.note(
                "certificate-file",
                f"{label} names the file {text!r}, which {what} (looked for {path})",
                iri,
                term,
                stated,
                remedy=f"put it there or correct the path, which starts at {folder}; `agw cert issue` makes one",
            )
        elif not os.access(real, os.R_OK):
            reading.note(
                "certificate-file",
                f"{label} names the file {text!r}, which agw may not read",
                iri,
                term,
                stated,
                remedy="let the user that runs agw read it (chmod, chown)",
            )
    except (OSError, ValueError, RuntimeError) as error:  # a name too long, a NUL in it, links that run in a circle
        reading.note("certificate-file", f"{label} names {text!r}, which is no usable path: {error}", iri, term, stated)
    return str(path)
