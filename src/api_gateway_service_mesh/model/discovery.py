"""Where a service's instances are learned from while the gateway runs (``agw:ServiceDiscovery``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Discovery", "RecordType", "Registry", "RegistryType"]


class RegistryType(StrEnum):
    """What a registry is spoken to as (``agw:registryType``)."""

    DNS = "dns"
    CONSUL = "consul"
    EUREKA = "eureka"
    KUBERNETES = "kubernetes"


class RecordType(StrEnum):
    """Which records of the DNS name the instances (``agw:recordType``)."""

    A = "A"
    AAAA = "AAAA"
    SRV = "SRV"


@dataclass(frozen=True, slots=True)
class Registry:
    """A directory of running instances (``agw:ServiceRegistry``). ``address``: ``host:port`` of a name server (None:
    those of the system), or the URL of a registry's HTTP interface. ``token_ref`` is a reference, never the token. What
    cannot be waited on (Eureka, prepared queries of Consul) is asked every ``interval_seconds``. ``trust_file`` holds
    the authorities (PEM) that its certificate must come from; None: the system's. Kubernetes without an address is the
    cluster that agw runs in."""

    iri: str
    type: RegistryType
    address: str | None = None
    token_ref: str | None = None
    datacenter: str | None = None
    interval_seconds: float = 5.0
    trust_file: str | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a service looks up, and where. ``port`` stands for records that tell none (A, AAAA). ``tags``: an instance
    must have them all. Answers of the DNS hold for their time to live, within ``min_ttl_seconds`` and
    ``max_ttl_seconds``. A registry that tells of no instance any more is believed after ``empty_after_seconds``.
    ``namespace`` and ``port_name`` are Kubernetes'; None: the namespace of agw itself, and the only port. ``prepared``:
    ``name`` is a prepared query of Consul, no service."""

    iri: str
    registry: Registry
    name: str
    record: RecordType = RecordType.A
    port: int | None = None
    tags: tuple[str, ...] = ()
    min_ttl_seconds: float = 1.0
    max_ttl_seconds: float = 60.0
    empty_after_seconds: float = 30.0
    namespace: str | None = None
    port_name: str | None = None
    prepared: bool = False
