"""Load balancers (``agw:LoadBalancer``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api_gateway_service_mesh.model import Algorithm, Balancer, HashAlgorithm, SameSite, StickyCookie
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading
from .secret import secret_reference

__all__ = ["BalancerRow", "balancers"]


@dataclass(frozen=True, slots=True)
class BalancerRow:
    """``balancer.rq``."""

    balancer: str
    algorithm: str | None
    hash_key: str | None
    hash_algorithm: str | None
    latency_decay: str | None
    slow_start: str | None
    slow_start_aggression: str | None
    panic_threshold: str | None
    overprovisioning: str | None
    sticky_cookie: str | None
    sticky_lifetime: str | None
    sticky_path: str | None
    sticky_same_site: str | None
    sticky_key_ref: str | None


def balancers(rows: Iterable[BalancerRow], reading: Reading) -> dict[str, Balancer]:
    """Balancers by IRI."""
    found: dict[str, Balancer] = {}
    for row in rows:
        if row.balancer not in found:
            found[row.balancer] = _balancer(row, reading)
    return found


def _balancer(row: BalancerRow, reading: Reading) -> Balancer:
    iri, usual = row.balancer, Balancer(row.balancer)
    return Balancer(
        iri,
        reading.choice(iri, AGW.balancingAlgorithm, row.algorithm, Algorithm, usual.algorithm),
        reading.key(iri, AGW.hashKey, row.hash_key),
        reading.choice(iri, AGW.hashAlgorithm, row.hash_algorithm, HashAlgorithm, usual.hash_algorithm),
        reading.seconds(iri, AGW.latencyDecay, row.latency_decay, usual.latency_decay_seconds),
        reading.seconds(iri, AGW.slowStartWindow, row.slow_start, usual.slow_start_seconds),
        reading.number(iri, AGW.slowStartAggression, row.slow_start_aggression, usual.slow_start_aggression),
        reading.integer(iri, AGW.panicThreshold, row.panic_threshold, usual.panic_threshold),
        reading.number(iri, AGW.overprovisioningFactor, row.overprovisioning, usual.overprovisioning),
        _sticky(row, reading) if row.sticky_cookie is not None else None,
    )


def _sticky(row: BalancerRow, reading: Reading) -> StickyCookie:
    iri, usual = row.balancer, StickyCookie(row.sticky_cookie or "")
    return StickyCookie(
        usual.name,
        reading.seconds(iri, AGW.stickyCookieLifetime, row.sticky_lifetime, usual.ttl_seconds),
        row.sticky_path or usual.path,
        reading.choice(iri, AGW.stickyCookieSameSite, row.sticky_same_site, SameSite, usual.same_site),
        secret_reference(iri, AGW.stickyCookieKeyRef, row.sticky_key_ref, reading, noun="key"),
    )
