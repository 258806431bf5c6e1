"""Where the gateway itself is to be found (``agw:Registration``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import Registration, Registry, RegistryType
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["RegistrationRow", "RegistrationTagRow", "registrations"]

_SHORTEST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RegistrationRow:
    """``registration.rq``."""

    gateway: str
    registration: str
    registry: str | None
    name: str | None
    address: str | None
    port: str | None
    interval: str | None


@dataclass(frozen=True, slots=True)
class RegistrationTagRow:
    """``registration_tag.rq``."""

    registration: str
    tag: str


def registrations(
    rows: Iterable[RegistrationRow],
    tags: Iterable[RegistrationTagRow],
    registered: Mapping[str, Registry],
    gateway: str,
    reading: Reading,
) -> tuple[Registration, ...]:
    """The entries of `gateway`, sorted by IRI; one without a name or a registry is none."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for tag in tags:
        wanted[tag.registration].add(tag.tag)
    found: dict[str, Registration] = {}
    for row in rows:
        iri = row.registration
        if row.gateway != gateway or iri in found or row.name is None:
            continue
        registry = reading.known(iri, AGW.registeredIn, row.registry, registered, "agw:ServiceRegistry")
        if registry is None:
            continue
        if registry.type not in (RegistryType.CONSUL, RegistryType.EUREKA):
            reading.note(
                "registry-takes-no-entries",
                f"{name_of(iri)}: {name_of(registry.iri)} is of type {registry.type}, which takes no entries",
                iri,
                AGW.registeredIn,
                allowed='a registry of type "consul" or "eureka"',
                remedy="in Kubernetes the gateway's Service is its entry, in the DNS its records are",
            )
        elif registry.address is None:
            reading.note(
                "registry-address",
                f"{name_of(registry.iri)} does not say where it is",
                registry.iri,
                AGW.registryType,
                remedy='add agw:registryAddress "http://127.0.0.1:8500"',
            )
        interval = reading.seconds(iri, AGW.heartbeatInterval, row.interval, 10.0)
        found[iri] = Registration(
            iri,
            registry,
            row.name,
            row.address,
            None if row.port is None else reading.integer(iri, AGW.advertisedPort, row.port, 0),
            tuple(sorted(wanted[iri])),
            max(_SHORTEST_SECONDS, interval),
        )
    return tuple(found[iri] for iri in sorted(found))
