"""Which requests of a route may be tried again, where a target's retries know no methods: two places in its list then,
as bytes of a request that is not idempotent must not leave twice."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from api_gateway_service_mesh.model import Retry, RetryCondition

from .order import Item

__all__ = ["ENVOY_RETRY_ON", "IDEMPOTENT", "Tries", "only_unsent", "variants"]

#: RFC 9110 §9.2.2, without CONNECT, which is no route's business.
IDEMPOTENT: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE")
#: Envoy's names, and so Istio's; its "reset" covers an upstream that does not answer in the time of one try.
ENVOY_RETRY_ON: Final = {
    RetryCondition.CONNECT_FAILURE: "connect-failure",
    RetryCondition.RESET: "reset",
    RetryCondition.GATEWAY_ERROR: "gateway-error",
    RetryCondition.SERVER_ERROR: "5xx",
    RetryCondition.TIMEOUT: "reset",
    RetryCondition.REFUSED_STREAM: "refused-stream",
    RetryCondition.GRPC_CANCELLED: "cancelled",
    RetryCondition.GRPC_DEADLINE_EXCEEDED: "deadline-exceeded",
    RetryCondition.GRPC_RESOURCE_EXHAUSTED: "resource-exhausted",
    RetryCondition.GRPC_ABORTED: "aborted",
    RetryCondition.GRPC_INTERNAL: "internal",
    RetryCondition.GRPC_UNAVAILABLE: "unavailable",
}


class Tries(Enum):
    """After what a request is tried again: nothing, what sent no byte of it, or all that the policy names."""

    NONE = auto()
    UNSENT = auto()
    ALL = auto()


def only_unsent(retry: Retry) -> bool:
    """Whether a policy names only failures before a byte was sent."""
    return retry.conditions <= {RetryCondition.CONNECT_FAILURE, RetryCondition.REFUSED_STREAM} and not retry.statuses


def variants(item: Item) -> list[tuple[Item, Tries]]:
    """The places of `item` in a list: two when only its idempotent methods may be tried again after bytes were sent."""
    entry, methods = item
    retry = entry.route.retry
    if retry is None or retry.attempts == 0:
        return [(item, Tries.NONE)]
    if only_unsent(retry):
        return [(item, Tries.UNSENT if retry.conditions else Tries.NONE)]
    if retry.retry_non_idempotent:
        return [(item, Tries.ALL)]
    safe = tuple(method for method in methods or IDEMPOTENT if method in IDEMPOTENT)
    if safe == methods:
        return [(item, Tries.ALL)]
    rest = tuple(method for method in methods if method not in IDEMPOTENT)
    last = ((entry, rest), Tries.UNSENT if RetryCondition.CONNECT_FAILURE in retry.conditions else Tries.NONE)
    return [((entry, safe), Tries.ALL), last] if safe else [last]
