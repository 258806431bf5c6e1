"""Who issues certificates (``agw:CertificateAuthority``), and the route that answers ACME's questions."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from api_gateway_service_mesh.model import (
    AcmeChallenge,
    Certificate,
    CertificateAuthority,
    ChallengeType,
    IssuerKind,
    Listener,
    PathKind,
    PathMatch,
    Registry,
    RegistryType,
    Route,
    RouteMatch,
    Upstream,
)
from api_gateway_service_mesh.vocabulary import AGW

from .file import named_file, written_file
from .reading import Reading, name_of

__all__ = ["AuthorityRow", "IssuedRow", "authorities", "challenge_route", "with_authority"]

_ROUTE = "urn:agw:acme-challenge"
_STANDARD = CertificateAuthority("", "")


@dataclass(frozen=True, slots=True)
class AuthorityRow:
    """``authority.rq``."""

    authority: str
    kind: str | None
    folder: str | None
    directory_url: str | None
    challenge: str | None
    contact: str | None
    terms_agreed: str | None
    server_trust_file: str | None
    key_id: str | None
    mac_key_ref: str | None
    workload_api: str | None
    registry: str | None


@dataclass(frozen=True, slots=True)
class IssuedRow:
    """``issued.rq``."""

    certificate: str
    authority: str
    name: str | None
    lifetime: str | None


def authorities(
    rows: Iterable[AuthorityRow], directories: Mapping[str, Registry], reading: Reading
) -> dict[str, CertificateAuthority]:
    """Authorities by IRI."""
    found: dict[str, CertificateAuthority] = {}
    for row in rows:
        iri = row.authority
        made = found.get(iri)
        if made is None:
            made = found[iri] = CertificateAuthority(
                iri,
                written_file(iri, AGW.issuerFolder, row.folder or "certs", reading),
                reading.choice(iri, AGW.issuerKind, row.kind, IssuerKind, _STANDARD.kind),
                row.directory_url,
                reading.choice(iri, AGW.challengeType, row.challenge, ChallengeType, _STANDARD.challenge),
                terms_agreed=reading.boolean(iri, AGW.termsOfServiceAgreed, row.terms_agreed),
                server_trust_file=named_file(
                    iri, AGW.acmeTrustBundleFile, row.server_trust_file, reading, code="certificate-file"
                )
                if row.server_trust_file is not None
                else None,
                account_key_id=row.key_id,
                account_mac_key_ref=_secret(iri, row.mac_key_ref, reading),
                workload_api=written_file(iri, AGW.workloadApiSocket, row.workload_api, reading)
                if row.workload_api is not None
                else None,
                registry=reading.known(iri, AGW.issuingRegistry, row.registry, directories, "agw:ServiceRegistry")
                if row.registry is not None
                else None,
            )
            _check(made, reading)
        if row.contact is not None and row.contact not in made.contacts:
            found[iri] = replace(made, contacts=(*made.contacts, row.contact))
    return found


def _check(made: CertificateAuthority, reading: Reading) -> None:
    if made.kind is IssuerKind.CONSUL and made.registry is not None and made.registry.type is not RegistryType.CONSUL:
        reading.note(
            "issuing-registry",
            f"{name_of(made.iri)}: {name_of(made.registry.iri)} is no Consul, and issues no certificates",
            made.iri,
            AGW.issuingRegistry,
            remedy='name an agw:ServiceRegistry of agw:registryType "consul"',
        )


def _secret(iri: str, reference: str | None, reading: Reading) -> str | None:
    kind, _, name = (reference or "").partition(":")
    if kind == "file" and name:
        path = named_file(iri, AGW.accountMacKeyRef, name, reading, code="secret-file", stated=reference)
        return f"file:{path}"
    return reference


def with_authority(
    certificates: Mapping[str, Certificate],
    rows: Iterable[IssuedRow],
    issuers: Mapping[str, CertificateAuthority],
    reading: Reading,
) -> dict[str, Certificate]:
    """`certificates`, those that an authority issues with it, their names, and where they are kept."""
    found = dict(certificates)
    for row in rows:
        iri = row.certificate
        authority = reading.known(iri, AGW.issuedBy, row.authority, issuers, "agw:CertificateAuthority")
        certificate = found.get(iri)
        if certificate is None or authority is None:
            continue
        if certificate.authority is None:
            folder, stem = Path(authority.folder), _stem(iri)
            bundle = certificate.trust_bundle_file
            if bundle is None and authority.kind is IssuerKind.BUILT_IN:
                bundle = str(folder / "ca.pem")
            elif bundle is None and authority.kind in (IssuerKind.SPIFFE, IssuerKind.CONSUL):
                bundle = str(folder / f"{stem}-bundle.pem")
            certificate = found[iri] = replace(
                certificate,
                certificate_file=str(folder / f"{stem}.pem"),
                private_key_ref=None,
                trust_bundle_file=bundle,
                authority=authority,
                lifetime_seconds=reading.seconds(
                    iri, AGW.certificateLifetime, row.lifetime, certificate.lifetime_seconds
                ),
            )
        if row.name is not None and row.name not in certificate.names:
            found[iri] = replace(certificate, names=(*certificate.names, row.name))
    for certificate in found.values():
        authority = certificate.authority
        if authority is None:
            continue
        if not certificate.names and authority.kind is not IssuerKind.SPIFFE:
            reading.note(
                "certificate-without-names",
                f"{name_of(certificate.iri)}: {name_of(authority.iri)} is to issue it, and no name is stated",
                certificate.iri,
                AGW.certificateName,
                remedy='add what it is for: agw:certificateName "www.example.com"',
            )
        if authority.kind is IssuerKind.CONSUL and len(certificate.names) > 1:
            reading.note(
                "several-services",
                f"{name_of(certificate.iri)}: Consul issues for one service, and {len(certificate.names)} are stated",
                certificate.iri,
                AGW.certificateName,
                remedy="keep the name that the gateway has in Consul's mesh",
            )
        wild = [name for name in certificate.names if name.startswith("*.")]
        if wild and authority.kind is IssuerKind.ACME:
            reading.note(
                "wildcard-by-http",
                f"{name_of(certificate.iri)}: an ACME server proves no {wild[0]} by HTTP-01 or TLS-ALPN-01",
                certificate.iri,
                AGW.certificateName,
                wild[0],
                remedy="state each name, or have the wildcard issued elsewhere and name its file",
            )
    return found


def challenge_route(listeners: Iterable[Listener], upstreams: Iterable[Upstream]) -> tuple[Route, ...]:
    """The route that answers ACME's questions over HTTP; none when no certificate in use is proved so."""
    used = [certificate for listener in listeners for certificate in listener.certificates]
    used += [each.tls.certificate for each in upstreams if each.tls is not None and each.tls.certificate is not None]
    folders = {
        each.authority.folder: None
        for each in used
        if each.authority is not None
        and each.authority.kind is IssuerKind.ACME
        and each.authority.challenge is ChallengeType.HTTP_01
    }
    if not folders:
        return ()
    match = RouteMatch(
        PathMatch(PathKind.PREFIX, "/.well-known/acme-challenge"), methods=("GET",), priority=2_000_000_000
    )
    return (Route(_ROUTE, "acme-challenge", match, challenge=AcmeChallenge(tuple(folders))),)


def _stem(iri: str) -> str:
    """A file's name for a certificate: what people call it, and enough of its IRI to be the only one."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name_of(iri)).strip(".-")[:60] or "certificate"
    return f"{plain}-{hashlib.sha256(os.fsencode(iri)).hexdigest()[:8]}"
