"""What routes ask of client certificates (``agw:ClientCertificatePolicy``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from api_gateway_service_mesh.model import (
    CertificateDetail,
    CertificateForwarding,
    ClientCertificate,
    IntentionFailureMode,
    Intentions,
    Listener,
    MtlsMode,
    PeerNames,
    Registry,
    RegistryType,
    Route,
)
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["ClientCertificateRow", "asking", "client_certificates"]


@dataclass(frozen=True, slots=True)
class ClientCertificateRow:
    """``client_certificate.rq``."""

    route: str
    policy: str
    mode: str | None
    forwarding: str | None
    detail: str | None
    registry: str | None
    service: str | None
    failure_mode: str | None


def client_certificates(
    rows: Iterable[ClientCertificateRow],
    peers: Mapping[str, PeerNames],
    directories: Mapping[str, Registry],
    reading: Reading,
) -> Mapping[str, ClientCertificate]:
    """The rule of each route, by route IRI."""
    found: dict[str, ClientCertificate] = {}
    details: dict[str, dict[CertificateDetail, None]] = {}
    for row in rows:
        iri, standard = row.policy, ClientCertificate(row.policy, row.route)
        made = found.setdefault(
            row.route,
            ClientCertificate(
                iri,
                row.route,
                reading.choice(iri, AGW.clientCertificateMode, row.mode, MtlsMode, standard.mode),
                peers.get(iri, PeerNames()),
                reading.choice(
                    iri, AGW.forwardClientCertificate, row.forwarding, CertificateForwarding, standard.forwarding
                ),
                intentions=_intentions(row, directories, reading),
            ),
        )
        if row.detail is not None and made.iri == iri:
            detail = reading.choice(
                iri, AGW.clientCertificateDetail, row.detail, CertificateDetail, CertificateDetail.URI
            )
            details.setdefault(row.route, {})[detail] = None
    return {
        route: replace(policy, details=tuple(details[route])) if route in details else policy
        for route, policy in found.items()
    }


def _intentions(row: ClientCertificateRow, directories: Mapping[str, Registry], reading: Reading) -> Intentions | None:
    """Who says which services may call; None where only certificates count."""
    iri = row.policy
    if row.registry is None or row.service is None:
        return None
    registry = reading.known(iri, AGW.intentionRegistry, row.registry, directories, "agw:ServiceRegistry")
    if registry is None:
        return None
    if registry.type is not RegistryType.CONSUL:
        reading.note(
            "intention-registry",
            f"{name_of(iri)}: {name_of(registry.iri)} is no Consul, and has no intentions",
            iri,
            AGW.intentionRegistry,
            remedy='name an agw:ServiceRegistry of agw:registryType "consul"',
        )
    mode = reading.choice(
        iri, AGW.intentionFailureMode, row.failure_mode, IntentionFailureMode, IntentionFailureMode.CLOSED
    )
    return Intentions(registry, row.service, mode)


def asking(listeners: tuple[Listener, ...], routes: tuple[Route, ...], reading: Reading) -> tuple[Listener, ...]:
    """`listeners`, which ask clients for certificates where a route looks at them; a warning where none can."""
    looking = [route for route in routes if route.looks_at_certificates]
    if not looking:
        return listeners
    named = all(route.match.hosts for route in looking)
    hosts = tuple(sorted({host for route in looking for host in route.match.hosts})) if named else ()
    asked = tuple(replace(listener, asks_clients=True, asked_hosts=hosts) for listener in listeners)
    if not any(
        listener.mtls_mode is not MtlsMode.DISABLE
        and listener.certificate is not None
        and listener.trust is not None
        and listener.trust.trust_bundle_file is not None
        for listener in asked
    ):
        policies = (route.client_certificate for route in looking)
        for iri in dict.fromkeys(policy.iri for policy in policies if policy and policy.mode is MtlsMode.STRICT):
            reading.warn(
                "no-client-certificates",
                f"{name_of(iri)} demands a client certificate, and no listener can verify one: all callers are refused",
                iri,
                remedy='give a listener a certificate with agw:trustBundleFile, and no agw:mtlsMode "DISABLE"',
            )
    return asked
