"""How one endpoint among several is chosen (``agw:LoadBalancer``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .key import RequestKey

__all__ = ["Algorithm", "Balancer"]


class Algorithm(StrEnum):
    """``agw:balancingAlgorithm``."""

    ROUND_ROBIN = "ROUND_ROBIN"
    WEIGHTED = "WEIGHTED"
    LEAST_CONNECTIONS = "LEAST_CONNECTIONS"
    RANDOM = "RANDOM"
    CONSISTENT_HASH = "CONSISTENT_HASH"


@dataclass(frozen=True, slots=True)
class Balancer:
    """A load balancer. ``hash_key`` counts only for CONSISTENT_HASH (default: client address)."""

    iri: str
    algorithm: Algorithm = Algorithm.ROUND_ROBIN
    hash_key: RequestKey | None = None
