"""A retry policy (``agw:RetryPolicy``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Retry", "RetryCondition"]


class RetryCondition(StrEnum):
    """``agw:retryOn``: which failures are tried again."""

    CONNECT_FAILURE = "connect-failure"
    RESET = "reset"
    GATEWAY_ERROR = "gateway-error"  # 502, 503, 504
    SERVER_ERROR = "5xx"
    TIMEOUT = "timeout"  # a per-attempt timeout
    REFUSED_STREAM = "refused-stream"  # HTTP/2 (RFC 9113 §8.7)
    # gRPC: an answer that is nothing but this status, to whatever call
    GRPC_CANCELLED = "grpc-cancelled"
    GRPC_DEADLINE_EXCEEDED = "grpc-deadline-exceeded"
    GRPC_RESOURCE_EXHAUSTED = "grpc-resource-exhausted"
    GRPC_ABORTED = "grpc-aborted"
    GRPC_INTERNAL = "grpc-internal"
    GRPC_UNAVAILABLE = "grpc-unavailable"


DEFAULT_CONDITIONS = frozenset(
    {RetryCondition.CONNECT_FAILURE, RetryCondition.RESET, RetryCondition.GATEWAY_ERROR, RetryCondition.TIMEOUT}
)


@dataclass(frozen=True, slots=True)
class Retry:
    """``attempts`` further tries after the first (as Envoy's num_retries). The n-th retry waits a random time up to
    ``initial_delay_seconds * multiplier**(n-1)``, at most ``max_delay_seconds`` (full jitter).

    A method that is not idempotent (RFC 9110 §9.2.2) is tried again only when no byte of it left, unless
    ``retry_non_idempotent``, or ``retry_idempotency_key`` and it carries an Idempotency-Key.

    ``statuses`` are tried again beside what ``conditions`` name. ``honour_retry_after``: not before the time that the
    backend gives. Towards one upstream there are at most ``budget_percent`` per cent as many retries as requests, or
    ``budget_minimum`` a second where that is more. Bodies are kept up to ``max_replay_bytes``."""

    iri: str
    attempts: int = 2
    initial_delay_seconds: float = 0.025
    multiplier: float = 2.0
    max_delay_seconds: float = 10.0
    conditions: frozenset[RetryCondition] = DEFAULT_CONDITIONS
    retry_non_idempotent: bool = False
    statuses: tuple[int, ...] = ()
    honour_retry_after: bool = True
    budget_percent: float = 20.0
    budget_minimum: int = 3
    retry_idempotency_key: bool = False
    max_replay_bytes: int = 65536
