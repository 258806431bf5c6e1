"""How one endpoint among several is chosen (``agw:LoadBalancer``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .key import RequestKey

__all__ = ["Algorithm", "Balancer", "HashAlgorithm", "SameSite", "StickyCookie"]


class Algorithm(StrEnum):
    """``agw:balancingAlgorithm``."""

    ROUND_ROBIN = "ROUND_ROBIN"
    WEIGHTED = "WEIGHTED"
    LEAST_CONNECTIONS = "LEAST_CONNECTIONS"
    POWER_OF_TWO = "POWER_OF_TWO"
    EWMA = "EWMA"
    RANDOM = "RANDOM"
    CONSISTENT_HASH = "CONSISTENT_HASH"


class HashAlgorithm(StrEnum):
    """``agw:hashAlgorithm``."""

    RING = "RING"
    MAGLEV = "MAGLEV"


class SameSite(StrEnum):
    """``agw:stickyCookieSameSite`` (RFC 6265bis §4.1.2.7)."""

    LAX = "Lax"
    STRICT = "Strict"
    NONE = "None"


@dataclass(frozen=True, slots=True)
class StickyCookie:
    """The cookie that keeps a client at its endpoint. ``ttl_seconds`` None: until the browser ends its session.
    ``key_ref`` (``env:NAME`` or ``file:PATH``) says where the key of its value is; None: each gateway draws one."""

    name: str
    ttl_seconds: float | None = None
    path: str = "/"
    same_site: SameSite = SameSite.LAX
    key_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Balancer:
    """A load balancer.

    ``hash_key`` (default: client address) and ``hash_algorithm`` count only for CONSISTENT_HASH,
    ``latency_decay_seconds`` only for EWMA. ``slow_start_seconds`` 0: none. ``panic_threshold`` and
    ``overprovisioning`` as in `policies.roster`.
    """

    iri: str
    algorithm: Algorithm = Algorithm.ROUND_ROBIN
    hash_key: RequestKey | None = None
    hash_algorithm: HashAlgorithm = HashAlgorithm.RING
    latency_decay_seconds: float = 10.0
    slow_start_seconds: float = 0.0
    slow_start_aggression: float = 1.0
    panic_threshold: int = 50
    overprovisioning: float = 1.4
    sticky: StickyCookie | None = None
