"""Where services' instances are learned from (``agw:ServiceDiscovery``, ``agw:ServiceRegistry``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from api_gateway_service_mesh.model import Discovery, RecordType, Registry, RegistryType
from api_gateway_service_mesh.vocabulary import AGW

from .file import named_file
from .reading import Reading, name_of
from .secret import secret_reference

__all__ = ["DiscoveryRegistryRow", "DiscoveryRow", "DiscoveryTagRow", "discoveries", "registries"]

_DEFAULTS = Discovery("", Registry("", RegistryType.DNS), "")
_USUAL = {RegistryType.CONSUL: "http://127.0.0.1:8500", RegistryType.EUREKA: "http://127.0.0.1:8761/eureka"}


@dataclass(frozen=True, slots=True)
class DiscoveryRow:
    """``discovery.rq``."""

    discovery: str
    registry: str | None
    name: str | None
    record: str | None
    port: str | None
    min_ttl: str | None
    max_ttl: str | None
    empty_after: str | None
    namespace: str | None
    port_name: str | None
    prepared: str | None


@dataclass(frozen=True, slots=True)
class DiscoveryTagRow:
    """``discovery_tag.rq``."""

    discovery: str
    tag: str


@dataclass(frozen=True, slots=True)
class DiscoveryRegistryRow:
    """``discovery_registry.rq``."""

    registry: str
    kind: str | None
    address: str | None
    token_ref: str | None
    datacenter: str | None
    interval: str | None
    trust_file: str | None


def registries(rows: Iterable[DiscoveryRegistryRow], reading: Reading) -> dict[str, Registry]:
    """Registries by IRI; one that does not say what it is, is none."""
    found: dict[str, Registry] = {}
    for row in rows:
        if row.registry in found or row.kind is None:
            continue
        iri = row.registry
        found[iri] = Registry(
            iri,
            reading.choice(iri, AGW.registryType, row.kind, RegistryType, RegistryType.DNS),
            row.address,
            secret_reference(iri, AGW.registryTokenRef, row.token_ref, reading, noun="token"),
            row.datacenter,
            reading.seconds(iri, AGW.fetchInterval, row.interval, _DEFAULTS.registry.interval_seconds),
            named_file(iri, AGW.registryTrustFile, row.trust_file, reading, code="certificate-file")
            if row.trust_file is not None
            else None,
        )
    return found


def discoveries(
    rows: Iterable[DiscoveryRow],
    tags: Iterable[DiscoveryTagRow],
    registered: Mapping[str, Registry],
    reading: Reading,
) -> dict[str, Discovery]:
    """Discoveries by IRI; one without a name to look up is none."""
    wanted: dict[str, list[str]] = defaultdict(list)
    for tag in tags:
        wanted[tag.discovery].append(tag.tag)
    found: dict[str, Discovery] = {}
    for row in rows:
        iri = row.discovery
        registry = reading.known(iri, AGW.hasServiceRegistry, row.registry, registered, "agw:ServiceRegistry")
        if iri in found or row.name is None or registry is None:
            continue
        made = Discovery(
            iri,
            registry,
            row.name,
            reading.choice(iri, AGW.recordType, row.record, RecordType, _DEFAULTS.record),
            None if row.port is None else reading.integer(iri, AGW.instancePort, row.port, 0),
            tuple(sorted(set(wanted[iri]))),
            reading.seconds(iri, AGW.minimumTtl, row.min_ttl, _DEFAULTS.min_ttl_seconds),
            reading.seconds(iri, AGW.maximumTtl, row.max_ttl, _DEFAULTS.max_ttl_seconds),
            reading.seconds(iri, AGW.emptyAfter, row.empty_after, _DEFAULTS.empty_after_seconds),
            row.namespace,
            row.port_name,
            reading.boolean(iri, AGW.preparedQuery, row.prepared),
        )
        _check(made, reading)
        found[iri] = made
    return found


def _check(made: Discovery, reading: Reading) -> None:
    """What the registry's type asks of it."""
    iri, kind = made.iri, made.registry.type
    if made.prepared and kind is not RegistryType.CONSUL:
        reading.note(
            "prepared-query",
            f"{name_of(iri)}: {name_of(made.registry.iri)} is no Consul, and knows no prepared queries",
            iri,
            AGW.preparedQuery,
            remedy='remove it, or look it up in an agw:ServiceRegistry of agw:registryType "consul"',
        )
    if kind is RegistryType.DNS:
        if made.record is not RecordType.SRV and made.port is None:
            reading.note(
                "discovery-port",
                f"{name_of(iri)}: {made.record} records tell no port",
                iri,
                AGW.recordType,
                remedy='add agw:instancePort 8080, or look up SRV records: agw:recordType "SRV"',
            )
        if find_spec("dns") is None:
            reading.note(
                "dns-client-missing",
                f"{name_of(iri)}: agw needs the Python package dnspython to look up records, and it is not installed",
                iri,
                AGW.hasServiceRegistry,
                remedy="pip install 'api-gateway-service-mesh[dns]', or state the host name as agw:address",
            )
    elif made.registry.address is None and kind is not RegistryType.KUBERNETES:
        reading.note(
            "registry-address",
            f"{name_of(made.registry.iri)} does not say where it is",
            made.registry.iri,
            AGW.registryType,
            remedy=f'add agw:registryAddress "{_USUAL[kind]}"',
        )
