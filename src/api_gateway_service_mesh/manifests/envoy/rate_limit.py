"""Rate limits: buckets in Envoy itself, one set for all routes.

In agw a limiter is a thing with a state of its own, which several routes may ask. So the filter holds a bucket for each
limiter, known by the limiter's IRI, and each route says which of them it asks and with which key. How many limiters
there are costs a request nothing.
"""

from __future__ import annotations

import math
from typing import Any, Final

from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.model import KeyKind, LimitAlgorithm, RateLimit, RequestKey, Route
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context
from .typed import FILTER, Json, extension, seconds, typed

__all__ = ["ADDRESS_STAGE", "STAGE", "limit_actions", "limit_filter", "lone_limits"]

#: Limits by address are asked before authentication, all others behind it (`proxy.pipeline`).
ADDRESS_STAGE: Final = 1
STAGE: Final = 2

_NAME: Final = "limit"
_MOST_REPEATS: Final = 100
_SHORTEST: Final = 0.05  # Envoy refuses to fill more often
_ALWAYS: Final = {"default_value": {"numerator": 100}}
_METADATA: Final = "envoy.filters.http.jwt_authn"


def limit_actions(context: Context, route: Route) -> list[Json]:
    """``rate_limits`` of a route action: the limiters that a route asks."""
    made: list[Json] = []
    for limit in route.rate_limits:
        if limit.store is not None:
            message = f"{route.name}: {limit.iri} is counted in {limit.store.host}; Envoy would need a service for that"
            context.say(
                lost(limit.iri, AGW.sharedThrough, message, "leave agw:sharedThrough out, or keep agw in front")
            )
            continue
        keys = _keys(context, route, limit)
        if keys is None:
            continue
        _report(context, limit)
        context.limits[limit.iri] = limit
        stage = ADDRESS_STAGE if limit.by_address else STAGE
        first = {"generic_key": {"descriptor_key": _NAME, "descriptor_value": limit.iri}}
        # The legacy place knows no hits_addend: a request that costs ten says ten times what it asks.
        for actions in keys:
            made += [{"stage": stage, "actions": [first, *actions]}] * min(route.request_cost, _MOST_REPEATS)
    return made


def _keys(context: Context, route: Route, limit: RateLimit) -> list[list[Json]] | None:
    """The ways in which a request has the limit's key, one of which holds; None when Envoy cannot know it."""
    ways: list[list[Json]] = [[]]
    for key in limit.keys:
        found = _key(route, limit, key)
        if found is None:
            message = f"{route.name}: Envoy does not count by {key}; the limit {limit.iri} is left out"
            context.say(lost(limit.iri, AGW.limitKey, message, "count by a header, a claim or the client's address"))
            return None
        ways = [[*way, one] for way in ways for one in found]
    return ways


def _key(route: Route, limit: RateLimit, key: RequestKey) -> list[Json] | None:
    name = str(key)
    match key.kind:
        case KeyKind.CLIENT_ADDRESS:
            bits = {"v4_prefix_mask_len": 32, "v6_prefix_mask_len": limit.ipv6_prefix_length}
            return [{"masked_remote_address": bits}]
        case KeyKind.HEADER:
            shown = {"request_headers": {"header_name": key.name, "descriptor_key": name}}
            absent = [{"name": key.name, "present_match": True}]
            nothing = {"descriptor_key": name, "descriptor_value": "-", "expect_match": False, "headers": absent}
            return [shown, {"header_value_match": nothing}]
        case KeyKind.ROUTE:
            return [{"generic_key": {"descriptor_key": name, "descriptor_value": route.iri}}]
        case KeyKind.CLAIM if route.authentication is not None and len(route.authentication.jwt) == 1:
            path = [{"key": route.authentication.jwt[0].iri}, {"key": key.name}]
            where = {"key": _METADATA, "path": path}
            return [{"metadata": {"descriptor_key": name, "metadata_key": where, "default_value": "-"}}]
        case KeyKind.API_KEY:
            where = {"key": "agw", "path": [{"key": "api-key"}]}
            return [{"metadata": {"descriptor_key": name, "metadata_key": where, "default_value": "-"}}]
        case _:
            return None


def limit_filter(context: Context, stage: int) -> Json | None:
    """The filter of one stage, with a bucket for each limiter; None when there is none."""
    mine = [limit for _, limit in sorted(context.limits.items()) if limit.by_address == (stage == ADDRESS_STAGE)]
    if not mine:
        return None
    fields: Json = {
        "stat_prefix": _prefix(stage),
        "stage": stage,
        "filter_enabled": _ALWAYS,
        "filter_enforced": _ALWAYS,
        "always_consume_default_token_bucket": False,
        "max_dynamic_descriptors": max([limit.key_capacity for limit in mine if limit.keys], default=1),
        "descriptors": [_descriptor(limit) for limit in mine],
    }
    if any(limit.fields for limit in mine):
        fields["enable_x_ratelimit_headers"] = "DRAFT_VERSION_03"
    return extension(filter_name(stage), f"{FILTER}.local_ratelimit.v3.LocalRateLimit", **fields)


def _prefix(stage: int) -> str:
    return "agw_address_limit" if stage == ADDRESS_STAGE else "agw_limit"


def filter_name(stage: int) -> str:
    """What the filter of a stage is called."""
    return "agw.limits.by-address" if stage == ADDRESS_STAGE else "agw.limits"


def _descriptor(limit: RateLimit) -> Json:
    entries: list[Json] = [{"key": _NAME, "value": limit.iri}]
    entries += [{"key": _entry(key)} for key in limit.keys]
    made: Json = {"entries": entries, "token_bucket": _bucket(limit)}
    if limit.shadow:
        made["shadow_mode"] = True
    return made


def _entry(key: RequestKey) -> str:
    return "masked_remote_address" if key.kind is KeyKind.CLIENT_ADDRESS else str(key)


def _bucket(limit: RateLimit) -> Json:
    if limit.windowed or limit.quota:
        filled, period = limit.burst, limit.period_seconds
    else:
        filled = max(1, math.ceil(limit.requests_per_second * _SHORTEST))
        period = filled / limit.requests_per_second
    return {"max_tokens": limit.burst, "tokens_per_fill": filled, "fill_interval": seconds(period)}


def lone_limits(context: Context, route: Route) -> dict[str, Any]:
    """The same for a route that Envoy answers by itself: such have no action to state limits in, so the one limit
    without a key stands in the route's own configuration of the filter."""
    found: dict[str, Any] = {}
    for limit in route.rate_limits:
        stage = ADDRESS_STAGE if limit.by_address else STAGE
        if limit.keys or limit.store is not None or filter_name(stage) in found:
            message = (
                f"{route.name}: where it answers by itself Envoy has one limit without a key; {limit.iri} is left out"
            )
            context.say(lost(limit.iri, AGW.hasRateLimiter, message))
            continue
        _report(context, limit)
        context.limits[limit.iri] = limit
        found[filter_name(stage)] = typed(
            f"{FILTER}.local_ratelimit.v3.LocalRateLimit",
            stat_prefix=_prefix(stage),
            token_bucket=_bucket(limit),
            filter_enabled=_ALWAYS,
            filter_enforced={"default_value": {"numerator": 0 if limit.shadow else 100}},
        )
    return found


def _report(context: Context, limit: RateLimit) -> None:
    if limit.calendar is not None:
        unit = limit.calendar.value.lower()
        message = f"{limit.iri}: Envoy fills its buckets bit by bit; it knows no {unit} of the calendar"
        context.say(lost(limit.iri, AGW.quotaCalendar, message, "state agw:quotaPeriod, or keep agw in front"))
    elif limit.algorithm is not LimitAlgorithm.TOKEN_BUCKET:
        message = f"{limit.iri}: Envoy has token buckets alone; what the window allows comes back bit by bit"
        context.say(differs(limit.iri, AGW.limitAlgorithm, message))
    for term, field in ((AGW.requestCostHeader, limit.cost_field), (AGW.responseCostHeader, limit.answer_cost_field)):
        if field is not None:
            message = f"{limit.iri}: Envoy's own buckets do not ask {field} what a request costs"
            context.say(lost(limit.iri, term, message, "state agw:requestCost at the route, or keep agw in front"))
    if limit.fields:
        message = f"{limit.iri}: Envoy writes X-RateLimit fields (an older draft) where agw writes RateLimit"
        context.say(differs(limit.iri, AGW.rateLimitFields, message))
