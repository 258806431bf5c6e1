"""Further attempts: Envoy's retry policy, and which requests get which.

Envoy asks of a failure what may be tried again, and never of the request whether it may be sent twice. Where agw does
(`proxy.retry`), the requests part before: those that may be repeated, and the others, which are tried again only when
nothing of them left.
"""

from __future__ import annotations

from typing import Final

from api_gateway_service_mesh.manifests.gap import differs
from api_gateway_service_mesh.manifests.retrying import ENVOY_RETRY_ON
from api_gateway_service_mesh.model import Retry, RetryCondition, Route
from api_gateway_service_mesh.vocabulary import AGW

from .condition import is_in, regex_predicate
from .context import Context
from .typed import EXTENSION, Json, extension, seconds

__all__ = ["retry_flavours"]

IDEMPOTENT: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PROPFIND", "PUT", "QUERY", "REPORT", "SEARCH", "TRACE")

_UNSENT: Final = frozenset({RetryCondition.CONNECT_FAILURE, RetryCondition.REFUSED_STREAM})


def retry_flavours(context: Context, route: Route) -> list[tuple[list[Json], Json | None]]:
    """What of a route's requests gets which retry policy: predicates, and the policy (None: no further attempts)."""
    retry = route.retry
    if retry is None or not retry.attempts:
        return [([], None)]
    _report(context, route, retry)
    unsent = retry.conditions & _UNSENT
    full = _policy(route, retry, retry.conditions, retry.statuses)
    methods = route.match.methods
    if retry.retry_non_idempotent or (retry.conditions == unsent and not retry.statuses):
        return [([], full)]
    if methods and set(methods) <= set(IDEMPOTENT):
        return [([], full)]
    rest: tuple[list[Json], Json | None] = ([], _policy(route, retry, unsent, ()) if unsent else None)
    safe = is_in(":method", IDEMPOTENT)
    if retry.retry_idempotency_key:
        keyed = regex_predicate("idempotency-key", ".+")
        return [([{"or_matcher": {"predicate": [safe, keyed]}}], full), rest]
    if methods and not set(methods) & set(IDEMPOTENT):
        return [rest]
    return [([safe], full), rest]


def _policy(route: Route, retry: Retry, conditions: frozenset[RetryCondition], statuses: tuple[int, ...]) -> Json:
    wanted = sorted({ENVOY_RETRY_ON[condition] for condition in conditions})
    if statuses:
        wanted.append("retriable-status-codes")
    longest = max(retry.max_delay_seconds, retry.initial_delay_seconds, 0.001)
    made: Json = {
        "retry_on": ",".join(wanted),
        "num_retries": retry.attempts,
        "retry_back_off": {
            "base_interval": seconds(max(retry.initial_delay_seconds, 0.001)),
            "max_interval": seconds(longest),
        },
        "retry_host_predicate": [
            extension(
                "envoy.retry_host_predicates.previous_hosts",
                f"{EXTENSION}.retry.host.previous_hosts.v3.PreviousHostsPredicate",
            )
        ],
        "host_selection_retry_max_attempts": 5,
    }
    if statuses:
        made["retriable_status_codes"] = list(statuses)
    if retry.honour_retry_after:
        made["rate_limited_retry_back_off"] = {
            "reset_headers": [{"name": "Retry-After", "format": "SECONDS"}],
            "max_interval": seconds(longest),
        }
    timeout = route.timeout
    if timeout is not None and timeout.per_attempt_seconds is not None:
        made["per_try_timeout"] = seconds(timeout.per_attempt_seconds)
    return made


def _report(context: Context, route: Route, retry: Retry) -> None:
    if retry.multiplier != 2.0:
        message = f"{route.name}: Envoy's backoff always doubles; the multiplier {retry.multiplier:g} is not heeded"
        context.say(differs(retry.iri, AGW.backoffMultiplier, message))
    timed = RetryCondition.TIMEOUT in retry.conditions
    if timed and RetryCondition.RESET not in retry.conditions:
        message = f"{route.name}: Envoy tries again after a try's timeout only together with resets"
        context.say(differs(retry.iri, AGW.retryOn, message))
    message = f"{route.name}: Envoy's retry budget is a share of the requests under way, agw's of the last ten seconds"
    context.say(differs(retry.iri, AGW.retryBudgetPercent, message))
