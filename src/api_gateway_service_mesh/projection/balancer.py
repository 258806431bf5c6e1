"""Load balancers (``agw:LoadBalancer``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api_gateway_service_mesh.model import Algorithm, Balancer
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["BalancerRow", "balancers"]


@dataclass(frozen=True, slots=True)
class BalancerRow:
    """``balancer.rq``."""

    balancer: str
    algorithm: str | None
    hash_key: str | None


def balancers(rows: Iterable[BalancerRow], reading: Reading) -> dict[str, Balancer]:
    """Balancers by IRI."""
    found: dict[str, Balancer] = {}
    for row in rows:
        if row.balancer not in found:
            iri = row.balancer
            found[iri] = Balancer(
                iri,
                reading.choice(iri, AGW.balancingAlgorithm, row.algorithm, Algorithm, Algorithm.ROUND_ROBIN),
                reading.key(iri, AGW.hashKey, row.hash_key),
            )
    return found
