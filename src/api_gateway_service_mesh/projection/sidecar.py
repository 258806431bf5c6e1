"""The proxies beside services (``agw:Sidecar``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from api_gateway_service_mesh.errors import Severity
from api_gateway_service_mesh.model import (
    Authorization,
    AuthorizationPolicy,
    Certificate,
    Endpoint,
    MtlsMode,
    MutualTls,
    PeerNames,
    ServiceMesh,
    Sidecar,
)
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["SidecarAuthorizationRow", "SidecarCallRow", "SidecarRow", "asked_by", "refuse_clashes", "sidecars"]


@dataclass(frozen=True, slots=True)
class SidecarRow:
    """``sidecar.rq``."""

    upstream: str
    sidecar: str
    application_port: str | None
    sidecar_port: str | None
    bind_address: str | None
    certificate: str | None
    spiffe_id: str | None


@dataclass(frozen=True, slots=True)
class SidecarCallRow:
    """``sidecar_call.rq``."""

    sidecar: str
    service: str


@dataclass(frozen=True, slots=True)
class SidecarAuthorizationRow:
    """``sidecar_authorization.rq``."""

    sidecar: str
    policy: str
    enforcement: str | None


def sidecars(
    rows: Iterable[SidecarRow],
    calls: Iterable[SidecarCallRow],
    certificates: Mapping[str, Certificate],
    policies: Mapping[str, tuple[AuthorizationPolicy, ...]],
    mesh: ServiceMesh | None,
    reading: Reading,
) -> dict[str, Sidecar]:
    """The sidecars that agw configures, by the IRI of their service. `policies`: by the IRI of the sidecar that states
    them."""
    called: dict[str, list[str]] = defaultdict(list)
    for call in calls:
        called[call.sidecar].append(call.service)
    found: dict[str, Sidecar] = {}
    standard = mesh.sidecar_port if mesh is not None else None
    foreign: dict[str, SidecarRow] = {}
    for row in rows:
        if row.application_port is None:
            foreign.setdefault(row.sidecar, row)
            continue
        if row.upstream in found:
            continue
        iri, defaults = row.sidecar, Sidecar(row.sidecar, 0)
        certificate = reading.known(iri, AGW.hasCertificate, row.certificate, certificates, "agw:Certificate")
        stated = policies.get(iri, ())
        found[row.upstream] = Sidecar(
            iri,
            reading.integer(iri, AGW.applicationPort, row.application_port, 0),
            reading.integer(iri, AGW.sidecarPort, row.sidecar_port, standard or defaults.port),
            row.bind_address or defaults.bind_address,
            certificate=certificate,
            spiffe_id=row.spiffe_id or _named(certificate),
            authorization=Authorization(iri, stated) if stated else None,
            calls=tuple(sorted(called.get(iri, ()))),
        )
        _refuse_unproved(found[row.upstream], reading)
    for row in foreign.values():
        _tell_unheard(row, called.get(row.sidecar, ()), policies.get(row.sidecar, ()), reading)
    return found


def _tell_unheard(
    row: SidecarRow, calls: Sequence[str], policies: Sequence[AuthorizationPolicy], reading: Reading
) -> None:
    """What is stated of a sidecar that a mesh runs: nobody hears of it, and who may call is not asked."""
    stated = {
        AGW.hasAuthorization: bool(policies),
        AGW.callsService: bool(calls),
        AGW.hasCertificate: row.certificate is not None,
        AGW.spiffeId: row.spiffe_id is not None,
    }
    for term, there in stated.items():
        if there:
            reading.note(
                "sidecar-of-a-mesh",
                f"{name_of(row.sidecar)} states no agw:applicationPort, so a mesh runs it, and agw:{name_of(term)} has "
                "no effect: nobody tells the mesh",
                row.sidecar,
                term,
                severity=Severity.WARNING,
                remedy="state agw:applicationPort, for an Envoy of agw's own; or say it in the mesh's own policies, "
                "and leave it out here",
            )


def _named(certificate: Certificate | None) -> str | None:
    """The SPIFFE ID that a certificate is issued for."""
    names = certificate.names if certificate is not None else ()
    return next((name for name in names if name.startswith("spiffe://")), None)


def asked_by(
    sidecar: Sidecar, mtls: MutualTls | None, mesh: ServiceMesh | None, reading: Reading
) -> tuple[Sidecar, MutualTls | None]:
    """A sidecar of agw's own with what it asks of callers, and how agw speaks to it. `mtls`: what the service states.

    Whoever says nothing about mutual TLS has it: a sidecar is there for nothing else.
    """
    stated = mtls or (mesh.mtls if mesh is not None else None)
    sidecar = replace(sidecar, mode=stated.mode if stated is not None else MtlsMode.STRICT)
    _refuse_nameless(sidecar, reading)
    if stated is None:
        return sidecar, MutualTls(sidecar.iri, MtlsMode.STRICT)
    if not stated.peers and sidecar.spiffe_id is not None:
        stated = replace(stated, peers=PeerNames((sidecar.spiffe_id,)))
    return sidecar, stated


def refuse_clashes(sidecar: Sidecar, endpoints: Iterable[Endpoint], reading: Reading) -> None:
    """Two of a sidecar's ports, or one and its service's, that cannot be open at once."""
    taken = [(sidecar.application_port, AGW.applicationPort), (sidecar.port, AGW.sidecarPort)]
    if sidecar.bind_address in ("0.0.0.0", "::", "127.0.0.1"):
        taken += [(endpoint.port, AGW.address) for endpoint in endpoints]
    seen: dict[int | None, str] = {}
    for port, term in taken:
        other = seen.setdefault(port, term)
        if other != term:
            reading.note(
                "sidecar-port-taken",
                f"{name_of(sidecar.iri)}: {port} is agw:{name_of(other)} and agw:{name_of(term)} at once",
                sidecar.iri,
                other,
                str(port),
                remedy="give each a port of its own: where the service is called (agw:address), where it calls others "
                "(agw:sidecarPort), where it listens itself (agw:applicationPort)",
            )


def _refuse_nameless(sidecar: Sidecar, reading: Reading) -> None:
    certificate, iri = sidecar.certificate, sidecar.iri
    if sidecar.mode is MtlsMode.DISABLE:
        return
    if certificate is None or not certificate.certificate_file or not certificate.trust_bundle_file:
        reading.note(
            "sidecar-without-certificate",
            f"{name_of(iri)} has mutual TLS to carry, and "
            + ("no certificate" if certificate is None else f"{name_of(certificate.iri)} is not all that it takes"),
            iri,
            AGW.hasCertificate,
            allowed="a certificate with its key, and the trust bundle that the other side is verified with",
            remedy="add it: agw:hasCertificate [ a agw:Certificate ; agw:issuedBy ex:ca ; agw:certificateName "
            '"spiffe://example.org/orders" ]; or state agw:mtlsMode "DISABLE"',
        )
    elif sidecar.spiffe_id is None:
        reading.note(
            "sidecar-without-identity",
            f"{name_of(iri)}: nobody knows who its service is, so callers could not tell it from any other",
            iri,
            AGW.spiffeId,
            remedy='state the SPIFFE ID of its certificate: agw:spiffeId "spiffe://example.org/orders"',
        )


def _refuse_unproved(sidecar: Sidecar, reading: Reading) -> None:
    """A sidecar knows callers by their certificates. A rule that asks for more would never hold."""
    for policy in sidecar.authorization.policies if sidecar.authorization is not None else ():
        for rule in policy.rules:
            other = next((text for text in rule.principals if text.startswith(("jwt:", "key:"))), None)
            if rule.asks_token or rule.key_owners or rule.scopes or other:
                reading.note(
                    "unproved-by-sidecar",
                    f"{name_of(rule.iri)} asks for a token or a key, and {name_of(sidecar.iri)} knows callers by their "
                    "certificates alone",
                    rule.iri,
                    allowed="agw:callerSpiffeId, agw:callerPrincipal of a certificate, agw:callerAddress, "
                    "agw:onMethod, agw:onPath",
                    remedy="state who may call by agw:callerSpiffeId; tokens belong to routes of the gateway",
                )
