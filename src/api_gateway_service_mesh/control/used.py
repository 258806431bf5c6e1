"""The certificates that a configuration uses, who uses them, and what they say of themselves now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from api_gateway_service_mesh.errors import AgwError, ConfigError
from api_gateway_service_mesh.model import Certificate, Mesh, RequestValidation
from api_gateway_service_mesh.projection.validation import description_text
from api_gateway_service_mesh.routing.description import DescriptionError

if TYPE_CHECKING:
    from api_gateway_service_mesh.security.facts import CertificateFacts

__all__ = ["FileFacts", "certificate_users", "stale_descriptions", "used_certificates", "watched_files"]


def used_certificates(mesh: Mesh) -> tuple[Certificate, ...]:
    """Every certificate that a listener, a service or its sidecar uses in `mesh`, once."""
    return tuple(certificate for certificate, _ in _uses(mesh).values())


def certificate_users(mesh: Mesh) -> Mapping[str, tuple[str, ...]]:
    """The listeners and services that use each certificate, by its IRI."""
    return {iri: tuple(dict.fromkeys(users)) for iri, (_, users) in _uses(mesh).items()}


def watched_files(mesh: Mesh | None) -> Iterator[Path]:
    """The files that certificates and descriptions of APIs are read from."""
    yield from (Path(validation.file) for validation in _validations(mesh))
    for certificate in used_certificates(mesh) if mesh is not None else ():
        key = certificate.private_key_ref or ""
        names = (
            certificate.certificate_file,
            certificate.trust_bundle_file,
            certificate.crl_file,
            key.partition("file:")[2],
        )
        yield from (Path(name) for name in names if name)


def stale_descriptions(mesh: Mesh) -> bool:
    """Whether a description says something else by now than when `mesh` was made, or cannot be read any more."""
    for validation in _validations(mesh):
        try:
            text = description_text(validation.file)
        except (ConfigError, DescriptionError):
            return True
        if text != validation.description:
            return True
    return False


def _validations(mesh: Mesh | None) -> Iterable[RequestValidation]:
    routes = mesh.routes if mesh is not None else ()
    return {route.validation.iri: route.validation for route in routes if route.validation is not None}.values()


def _uses(mesh: Mesh) -> dict[str, tuple[Certificate, list[str]]]:
    found: dict[str, tuple[Certificate, list[str]]] = {}
    pairs = [
        (each, listener.iri)
        for listener in mesh.listeners
        for each in (*listener.certificates, listener.client_trust)
        if each is not None
    ]
    pairs += [
        (upstream.tls.certificate, upstream.iri)
        for upstream in mesh.upstreams
        if upstream.tls is not None and upstream.tls.certificate is not None
    ]
    pairs += [
        (upstream.sidecar.certificate, upstream.iri)
        for upstream in mesh.upstreams
        if upstream.sidecar is not None and upstream.sidecar.certificate is not None
    ]
    for certificate, user in pairs:
        known = found.get(certificate.iri)
        # What only verifies is a part of the whole: the whole counts.
        if known is None or (known[0].certificate_file is None and certificate.certificate_file is not None):
            found[certificate.iri] = (certificate, [*(known[1] if known else ()), user])
        else:
            known[1].append(user)
    return found


class FileFacts:
    """What certificate files say, read again when they change."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, tuple[CertificateFacts, ...]]] = {}

    def of(self, certificate: Certificate) -> tuple[CertificateFacts, ...]:
        """The chain of `certificate`, leaf first; nothing where its file cannot be read."""
        file = certificate.certificate_file
        if file is None:
            return ()
        try:
            modified = Path(file).stat().st_mtime_ns
            known = self._known.get(file)
            if known is None or known[0] != modified:
                from api_gateway_service_mesh.security.facts import read_facts  # slow to import, and needed by few

                known = self._known[file] = (modified, read_facts(file))
        except (OSError, AgwError):
            return ()
        return known[1]
