"""What a route does with the requests it takes: the parts of a decision, each with the triples that carry it.

A triple is cited only when the decision would differ without it: a value that equals the ontology's default is not
cited, because taking its triple away changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from api_gateway_service_mesh.model import (
    ApiKey,
    Breaker,
    BreakerScope,
    ConnectionPool,
    DeadlineTrust,
    Hedging,
    JwtAuthentication,
    Mesh,
    Retry,
    Route,
    Timeout,
    Upstream,
)

from .access_log import access_log_part
from .authorization import authorization_parts, external_authorization_parts
from .balance import balancer_part, health_parts, subset_part
from .cache import cache_part
from .client_credentials import client_credentials_part
from .compression import compression_part
from .concurrency import concurrency_parts, overload_parts
from .cors import cors_part
from .decision import ExplainRequest
from .oauth2 import introspection_part, login_part
from .part import Citation, Part, number
from .part import cite as _cite
from .part import unless_default as _unless_default
from .rate_limit import rate_limit_part
from .redirect import redirect_part
from .rewrite import rewrite_part
from .security_headers import security_headers_part
from .split import split_part
from .tracing import tracing_part
from .traffic import client_certificate_part, direct_part, fault_part, maintenance_part, mirror_part
from .transform import request_transformation_part, response_transformation_part
from .validation import validation_part
from .version import deprecation_part, version_part
from .websocket import websocket_part

__all__ = ["Citation", "Part", "effects", "number"]


def effects(
    mesh: Mesh, route: Route, weights: Mapping[str, float] | None = None, request: ExplainRequest | None = None
) -> tuple[Part, ...]:
    """The policies and targets of a route, in the order in which a request meets them. `weights`: the shares of splits
    of now, where they are known; with a `request`, what becomes of its path."""
    upstreams = {upstream.iri: upstream for upstream in mesh.upstreams}
    parts = [*_watching(mesh, route), *_wrapping(route, request), *_admitting(route, upstreams)]
    if route.validation is not None:
        parts.append(validation_part(route, route.validation, request))
    if route.redirect is not None:
        host, path = ("", None) if request is None else (request.host, request.path)
        parts.append(redirect_part(route, route.redirect, host, path))
    if route.direct is not None:
        return (*parts, direct_part(route, route.direct))
    if route.redirect is not None and route.upstream is None and not route.splits:
        return tuple(parts)
    return (*parts, *_changing(route, upstreams, request), *_guarding(route), *_sending(route, upstreams, weights))


def _watching(mesh: Mesh, route: Route) -> Iterator[Part]:
    """What sees every request, before anything is decided on it."""
    if route.tracing is not None:
        yield tracing_part(route, route.tracing)
    if route.access_log is not None:
        yield access_log_part(route, route.access_log)
    yield from overload_parts(mesh, route)


def _wrapping(route: Route, request: ExplainRequest | None) -> Iterator[Part]:
    """What is done to every answer, whoever gives it."""
    if route.security_headers is not None:
        yield security_headers_part(route, route.security_headers)
    if route.cors is not None:
        yield cors_part(route, route.cors, request)
    if route.compression is not None:
        yield compression_part(route, route.compression, request)
    if route.version is not None:
        yield version_part(route, route.version, request)
    if route.deprecation is not None:
        yield deprecation_part(route, route.deprecation, request)
    if route.maintenance is not None:
        yield maintenance_part(route.maintenance)


def _admitting(route: Route, upstreams: dict[str, Upstream]) -> Iterator[Part]:
    """Whether a request is let in: limits by address come before anybody is asked who they are."""
    yield from (rate_limit_part(route, limit) for limit in route.rate_limits if limit.by_address)
    if route.client_certificate is not None:
        yield client_certificate_part(route.client_certificate)
    yield from _authentication(route)
    yield from authorization_parts(route)
    yield from external_authorization_parts(route, upstreams)
    yield from (rate_limit_part(route, limit) for limit in route.rate_limits if not limit.by_address)
    yield from concurrency_parts(route)
    if route.websocket is not None:
        yield websocket_part(route, route.websocket)
    yield from (fault_part(route, fault) for fault in route.faults)


def _changing(route: Route, upstreams: dict[str, Upstream], request: ExplainRequest | None) -> Iterator[Part]:
    """What becomes of the message, or answers in the backend's place."""
    if route.response_transformation is not None:
        yield response_transformation_part(route, route.response_transformation)
    if route.cache is not None and route.redirect is None:
        yield cache_part(route, route.cache, request)
    if route.rewrite is not None:
        yield rewrite_part(route, route.rewrite, request.path if request is not None else None)
    if route.request_transformation is not None:
        yield request_transformation_part(route, route.request_transformation)
    yield from (mirror_part(route, mirror, _name(upstreams, mirror.upstream)) for mirror in route.mirrors)
    if route.client_credentials is not None:
        yield client_credentials_part(route, route.client_credentials)


def _guarding(route: Route) -> Iterator[Part]:
    """What is done when a backend fails or is late."""
    if route.breaker is not None:
        yield _breaker(route, route.breaker)
    if route.timeout is not None:
        yield _timeout(route, route.timeout)
    if route.retry is not None:
        yield _retry(route, route.retry)
    if route.hedging is not None:
        yield _hedging(route, route.hedging)


def _sending(route: Route, upstreams: dict[str, Upstream], weights: Mapping[str, float] | None) -> Iterator[Part]:
    """Where it goes."""
    for split in route.splits:
        now = weights.get(split.iri) if weights is not None else None
        yield split_part(route, split, _name(upstreams, split.upstream), now)
        yield from _upstream(upstreams.get(split.upstream), split.upstream, ())
    if not route.splits and route.upstream is not None:
        link = (_cite(route.iri, "hasBackendService", route.upstream),)
        yield from _upstream(upstreams.get(route.upstream), route.upstream, link)
    elif not route.splits:
        yield Part("upstream", route.iri, "none: answers 503")
    for selector, labels in [(route.iri, route.subset), *((split.iri, split.subset) for split in route.splits)]:
        if labels:
            yield subset_part(selector, labels)
    if route.balancer is not None and _endpoints(upstreams, route) > 1:
        yield balancer_part(route, route.balancer)


def _authentication(route: Route) -> list[Part]:
    demand = route.authentication
    if demand is None:
        return []
    parts = [_jwt(demand.stated_by, jwt) for jwt in demand.jwt]
    parts += [introspection_part(demand.stated_by, asked) for asked in demand.introspections]
    parts += [login_part(demand.stated_by, login) for login in demand.logins]
    parts += [_api_key(demand.stated_by, key) for key in demand.api_keys]
    return parts or [Part("authentication", demand.stated_by, "nobody is let in")]


def _jwt(demander: str, jwt: JwtAuthentication) -> Part:
    standard = JwtAuthentication("", "", (), "")
    cited = [
        _cite(demander, "hasAuthentication", jwt.iri),
        _cite(jwt.iri, "issuer", jwt.issuer),
        *(_cite(jwt.iri, "audience", audience) for audience in jwt.audiences),
    ]
    if not jwt.jwks_uri.startswith("file:"):  # which the model has as an absolute path, not as it was written
        cited.append(_cite(jwt.iri, "jwksUri", jwt.jwks_uri))
    if jwt.algorithms != standard.algorithms:
        cited += [_cite(jwt.iri, "signingAlgorithm", algorithm.value) for algorithm in jwt.algorithms]
    cited += [_cite(jwt.iri, "requiredScope", scope) for scope in jwt.required_scopes]
    cited += [_cite(jwt.iri, "requiredClaim", claim) for claim in jwt.required_claims]
    cited += [_cite(jwt.iri, "forwardClaim", claim) for claim in jwt.forwarded_claims]
    text = f"a token of {jwt.issuer} for {' or '.join(jwt.audiences)}"
    if jwt.required_scopes:
        text += f", scope {' '.join(jwt.required_scopes)}"
    if jwt.required_claims:
        text += f", claims {', '.join(jwt.required_claims)}"
    return Part("authentication", jwt.iri, text, tuple(cited))


def _api_key(demander: str, key: ApiKey) -> Part:
    """Its hashes are neither shown nor cited."""
    standard = ApiKey("", ())
    cited = [_cite(demander, "hasAuthentication", key.iri)]
    if key.query_parameter is not None:
        cited.append(_cite(key.iri, "keyQueryParameter", key.query_parameter))
    if key.owner is not None:
        cited.append(_cite(key.iri, "keyOwner", key.owner))
    cited += [_cite(key.iri, "keyScope", scope) for scope in key.scopes]
    header = "X-API-Key" if key.header == standard.header else key.header
    owner = f" of {key.owner}" if key.owner is not None else ""
    return Part("authentication", key.iri, f"the key{owner} in {header}", tuple(cited))


def _breaker(route: Route, breaker: Breaker) -> Part:
    standard = Breaker("")
    cited = [_cite(route.iri, "hasCircuitBreaker", breaker.iri)]
    cited += _unless_default(
        breaker.iri,
        [
            ("failureThreshold", breaker.failure_threshold, standard.failure_threshold),
            ("timeoutSeconds", breaker.open_seconds, standard.open_seconds),
            ("halfOpenRequests", breaker.half_open_requests, standard.half_open_requests),
            ("failureRateThreshold", breaker.failure_rate, None),
            ("slowCallDuration", breaker.slow_seconds, None),
            ("slowCallRateThreshold", breaker.slow_rate, standard.slow_rate),
            ("openDurationMultiplier", breaker.open_multiplier, standard.open_multiplier),
        ],
    )
    if breaker.windowed:
        cited += _unless_default(
            breaker.iri,
            [
                ("breakerWindow", breaker.window_seconds, standard.window_seconds),
                ("minimumRequests", breaker.minimum_requests, standard.minimum_requests),
            ],
        )
    if breaker.open_multiplier != 1.0:
        cited += _unless_default(
            breaker.iri, [("maximumOpenDuration", breaker.max_open_seconds, standard.max_open_seconds)]
        )
    cited += [_cite(breaker.iri, "failureStatus", str(status)) for status in breaker.failure_statuses]
    if breaker.scope is not standard.scope:
        cited.append(_cite(breaker.iri, "breakerScope", breaker.scope.value))
    causes = [f"{breaker.failure_threshold} failures in a row"]
    if breaker.failure_rate is not None:
        causes.append(f"{number(breaker.failure_rate)} % failures")
    if breaker.slow_seconds is not None:
        causes.append(f"{number(breaker.slow_rate)} % slower than {number(breaker.slow_seconds)} s")
    text = f"opens after {' or '.join(causes)}"
    if breaker.windowed:
        text += f" of {breaker.minimum_requests} requests or more in {number(breaker.window_seconds)} s"
    if breaker.failure_statuses:
        text += f", of status {', '.join(map(str, breaker.failure_statuses))}"
    text += f", for {number(breaker.open_seconds)} s"
    if breaker.open_multiplier != 1.0:
        longest = max(breaker.open_seconds, breaker.max_open_seconds)
        text += f" and each time {number(breaker.open_multiplier)} times as long up to {number(longest)} s"
    text += f", then {breaker.half_open_requests} probe{'s' if breaker.half_open_requests != 1 else ''}"
    if breaker.scope is not BreakerScope.ROUTE:
        text += f"; one state for each {breaker.scope.value}"
    return Part("circuit breaker", breaker.iri, text, tuple(cited))


def _timeout(route: Route, timeout: Timeout) -> Part:
    cited = [_cite(route.iri, "hasTimeout", timeout.iri)]
    cited += _unless_default(
        timeout.iri,
        [
            ("timeoutSeconds", timeout.total_seconds, None),
            ("perAttemptTimeout", timeout.per_attempt_seconds, None),
            ("streamIdleTimeout", timeout.idle_seconds, None),
        ],
    )
    bounds = [
        f"{number(seconds)} s {what}"
        for seconds, what in (
            (timeout.total_seconds, "in all"),
            (timeout.per_attempt_seconds, "each attempt"),
            (timeout.idle_seconds, "without a byte"),
        )
        if seconds is not None
    ]
    if timeout.deadline_header is not None:
        cited.append(_cite(timeout.iri, "deadlineHeader", timeout.deadline_header))
        if timeout.deadline_trust is DeadlineTrust.ANYONE:
            cited.append(_cite(timeout.iri, "deadlineTrust", timeout.deadline_trust.value))
        whose = "trusted proxies" if timeout.deadline_trust is DeadlineTrust.TRUSTED_PROXIES else "anyone"
        bounds.append(f"what {timeout.deadline_header} of {whose} says")
    return Part("timeout", timeout.iri, ", ".join(bounds) or "no bound", tuple(cited))


def _retry(route: Route, retry: Retry) -> Part:
    standard = Retry("")
    cited = [_cite(route.iri, "hasRetryPolicy", retry.iri)]
    cited += _unless_default(
        retry.iri,
        [
            ("retryAttempts", retry.attempts, standard.attempts),
            ("initialDelayMs", retry.initial_delay_seconds * 1000, standard.initial_delay_seconds * 1000),
            ("backoffMultiplier", retry.multiplier, standard.multiplier),
            ("maximumDelayMs", retry.max_delay_seconds * 1000, standard.max_delay_seconds * 1000),
        ],
    )
    cited += _unless_default(
        retry.iri,
        [
            ("retryBudgetPercent", retry.budget_percent, standard.budget_percent),
            ("retryBudgetMinimum", retry.budget_minimum, standard.budget_minimum),
            ("maximumReplayBytes", retry.max_replay_bytes, standard.max_replay_bytes),
        ],
    )
    cited += [_cite(retry.iri, "retryStatus", str(status)) for status in retry.statuses]
    if not retry.honour_retry_after:
        cited.append(_cite(retry.iri, "honourRetryAfter", "false"))
    if retry.retry_idempotency_key:
        cited.append(_cite(retry.iri, "retryIdempotencyKey", "true"))
    if retry.conditions != standard.conditions:
        cited += [_cite(retry.iri, "retryOn", condition.value) for condition in sorted(retry.conditions)]
    if retry.retry_non_idempotent:
        cited.append(_cite(retry.iri, "retryNonIdempotent", "true"))
    on = ", ".join([*sorted(condition.value for condition in retry.conditions), *map(str, retry.statuses)])
    budget = f"at most {number(retry.budget_percent)} % of the requests or {retry.budget_minimum}/s"
    return Part("retry", retry.iri, f"up to {retry.attempts} more, on {on}; {budget}", tuple(cited))


def _hedging(route: Route, hedging: Hedging) -> Part:
    cited = [
        _cite(route.iri, "hasHedging", hedging.iri),
        _cite(hedging.iri, "hedgeDelay", number(hedging.delay_seconds)),
    ]
    if hedging.non_idempotent:
        cited.append(_cite(hedging.iri, "hedgeNonIdempotent", "true"))
    return Part("hedging", hedging.iri, f"a second attempt after {number(hedging.delay_seconds)} s", tuple(cited))


def _upstream(upstream: Upstream | None, iri: str, cited: tuple[Citation, ...]) -> list[Part]:
    if upstream is None or not upstream.endpoints:
        return [Part("upstream", iri, f"{upstream.name if upstream else iri}: no endpoint, answers 503", cited)]
    parts = [Part("upstream", iri, upstream.name, cited), *_pool(upstream), *health_parts(upstream)]
    if upstream.plaintext_forbidden:
        return [Part("upstream", iri, f"{upstream.name}: mTLS is STRICT and nothing can carry it, answers 503", cited)]
    for endpoint in upstream.endpoints:
        scheme = "https" if endpoint.tls else "http"
        weight = f", weight {endpoint.weight}" if endpoint.weight != 1 else ""
        stated = [_cite(endpoint.iri, "address", endpoint.authority)]
        if endpoint.iri != iri:
            stated.insert(0, _cite(iri, "hasInstance", endpoint.iri))
        stated += _unless_default(
            endpoint.iri, [("instanceWeight", endpoint.weight, 1), ("failoverPriority", endpoint.priority, 0)]
        )
        place = f", priority {endpoint.priority}" if endpoint.priority else ""
        place += f", zone {endpoint.zone}" if endpoint.zone else ""
        parts.append(Part("endpoint", endpoint.iri, f"{scheme}://{endpoint.authority}{weight}{place}", tuple(stated)))
    return parts


def _pool(upstream: Upstream) -> list[Part]:
    """The bounds that are stated; a service without a pool has the defaults."""
    pool, standard = upstream.pool, ConnectionPool()
    if not pool.iri:
        return []
    bounds: list[tuple[str, float | None, float | None, str]] = [
        ("maxConnections", pool.max_connections, standard.max_connections, "connections"),
        ("maxPendingRequests", pool.max_pending_requests, standard.max_pending_requests, "waiting"),
        ("queueTimeout", pool.queue_timeout_seconds, None, "s in the queue"),
        ("maxRequests", pool.max_requests, None, "requests"),
        ("maxConcurrentRetries", pool.max_concurrent_retries, None, "retries"),
        ("maxRequestsPerConnection", pool.max_requests_per_connection, None, "requests a connection"),
    ]
    text = ", ".join(f"{number(value)} {what}" for _, value, _, what in bounds if value is not None)
    cited = [_cite(upstream.iri, "hasConnectionPool", pool.iri)]
    cited += _unless_default(pool.iri, [(term, value, default) for term, value, default, _ in bounds])
    return [Part("connection pool", pool.iri, f"at most {text}", tuple(cited))]


def _name(upstreams: dict[str, Upstream], iri: str) -> str:
    return upstreams[iri].name if iri in upstreams else iri


def _endpoints(upstreams: dict[str, Upstream], route: Route) -> int:
    return max((len(upstreams[iri].endpoints) for iri in route.upstreams if iri in upstreams), default=0)
