"""``local_ratelimit`` of a connection manager: one bucket for all its routes."""

from __future__ import annotations

from api_gateway_service_mesh.importers.draft import Draft
from api_gateway_service_mesh.importers.kubernetes import seconds
from api_gateway_service_mesh.importers.part import Part
from api_gateway_service_mesh.importers.turtle import Ref, Seconds, Stated, Subject
from api_gateway_service_mesh.vocabulary import AGW

from .match import share

__all__ = ["local_limit"]


def local_limit(draft: Draft, part: Part) -> list[Stated]:
    """The limiter; nothing where Envoy only counts, or is not asked to."""
    part.ignore("@type", "stat_prefix", "status")
    bucket = part.part("token_bucket")
    on = [share(_value(part, key)) for key in ("filter_enabled", "filter_enforced")]
    if bucket is None or on != [100, 100]:
        part.drop()
        if bucket is not None:
            bucket.drop()
        if any(on):
            draft.findings.lost(
                part.place, f"{part.name}: agw limits all requests, not a share", "state agw:shadowMode"
            )
        return []
    most, fill = bucket.integer("max_tokens") or 1, bucket.integer("tokens_per_fill") or 1
    every = seconds(bucket, "fill_interval") or 1.0
    made = Subject("RateLimiter", draft.iri("local-limit"), "local_ratelimit", part.place)
    if (fill / every).is_integer():
        made.say(AGW.requestsPerSecond, int(fill / every)).say(AGW.burstSize, most)
    else:
        made.say(AGW.quota, fill).say(AGW.quotaPeriod, Seconds(every)).say(AGW.limitAlgorithm, "TOKEN_BUCKET")
        made.say(AGW.burstSize, most)
    draft.others.append(made)
    return [(AGW.hasRateLimiter, Ref(str(made.iri)))]


def _value(part: Part, key: str) -> Part | None:
    stated = part.part(key)
    if stated is not None:
        stated.ignore("runtime_key")
    return stated.part("default_value") if stated is not None else None
