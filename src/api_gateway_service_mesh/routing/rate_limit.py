"""What a route's rate limits come to, in words."""

from __future__ import annotations

from api_gateway_service_mesh.model import FailureMode, LimitAlgorithm, RateLimit, Route

from .part import Part, cite, number, unless_default

__all__ = ["limit_text", "rate_limit_part"]

_CAPACITY = {False: 8192, True: 65536}
_MODES = {
    FailureMode.LOCAL: "alone while it is away",
    FailureMode.OPEN: "letting all in while it is away",
    FailureMode.CLOSED: "letting none in while it is away",
}


def rate_limit_part(route: Route, limit: RateLimit) -> Part:
    """One limiter of a route, with the triples it follows from."""
    iri = limit.iri
    cited = [cite(route.iri, "hasRateLimiter", iri)]
    if limit.quota:
        cited.append(cite(iri, "quota", str(limit.burst)))
        if limit.calendar is not None:
            cited.append(cite(iri, "quotaCalendar", limit.calendar.value))
            if limit.zone != "UTC":
                cited.append(cite(iri, "quotaZone", limit.zone))
        else:
            cited.append(cite(iri, "quotaPeriod", _duration(limit.period_seconds)))
        standard = LimitAlgorithm.FIXED_WINDOW
    else:
        cited.append(cite(iri, "requestsPerSecond", number(limit.requests_per_second)))
        if not limit.windowed:
            cited += unless_default(iri, [("burstSize", limit.burst, limit.requests_per_second)])
        standard = LimitAlgorithm.TOKEN_BUCKET
    if limit.algorithm is not standard:
        cited.append(cite(iri, "limitAlgorithm", limit.algorithm.value))
    cited += [cite(iri, "limitKey", str(key)) for key in limit.keys]
    cited += unless_default(
        iri,
        [
            ("keyCapacity", limit.key_capacity, _CAPACITY[limit.quota]),
            ("ipv6PrefixLength", limit.ipv6_prefix_length, 64),
        ],
    )
    cited += [
        cite(iri, term, "true")
        for term, stated in (("shadowMode", limit.shadow), ("rateLimitFields", limit.fields))
        if stated
    ]
    cited += unless_default(route.iri, [("requestCost", route.request_cost, 1)])
    for term, field in (("requestCostHeader", limit.cost_field), ("responseCostHeader", limit.answer_cost_field)):
        if field is not None:
            cited.append(cite(iri, term, field))
    cited += unless_default(iri, [("maximumCost", limit.maximum_cost, None)])
    text = limit_text(limit) + _cost_text(route, limit)
    if limit.store is not None:
        cited.append(cite(iri, "sharedThrough", limit.store.iri))
        if limit.failure_mode is not FailureMode.LOCAL:
            cited.append(cite(iri, "failureMode", limit.failure_mode.value))
        text += f", counted in {limit.store.host}:{limit.store.port}, {_MODES[limit.failure_mode]}"
    return Part("quota" if limit.quota else "rate limit", iri, text, tuple(cited))


def _cost_text(route: Route, limit: RateLimit) -> str:
    text = f", each request costs {route.request_cost}" if route.request_cost != 1 else ""
    told = [
        f"{field} of the {whose} says"
        for field, whose in ((limit.cost_field, "request"), (limit.answer_cost_field, "answer"))
        if field is not None
    ]
    if told:
        text += f", or the more that {' or '.join(told)}, at most {limit.highest_cost}"
    return text


def limit_text(limit: RateLimit) -> str:
    """The limit as people say it."""
    if limit.quota:
        if limit.calendar is not None:
            text = f"{limit.burst} requests in each {limit.calendar.value.lower()} of the calendar ({limit.zone})"
        else:
            text = f"{limit.burst} requests in {number(limit.period_seconds)} s"
    else:
        text = f"{number(limit.requests_per_second)} requests/s"
        text += "" if limit.windowed else f", burst {limit.burst}"
    if limit.algorithm is LimitAlgorithm.SLIDING_WINDOW:
        text += ", sliding window"
    elif limit.windowed and not limit.quota:
        text += ", fixed window"
    elif limit.quota and not limit.windowed:
        text += ", token bucket"
    if limit.keys:
        text += f", each {' and '.join(map(str, limit.keys))}"
    return text + (", only counted" if limit.shadow else "")


def _duration(seconds: float) -> str:
    """The shortest text of a duration; a citation finds its triple under other spellings too."""
    return f"PT{number(seconds)}S"
