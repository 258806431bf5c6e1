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


DEFAULT_CONDITIONS = frozenset(
    {RetryCondition.CONNECT_FAILURE, RetryCondition.RESET, RetryCondition.GATEWAY_ERROR, RetryCondition.TIMEOUT}
)


@dataclass(frozen=True, slots=True)
class Retry:
    """``attempts`` further tries after the first (as Envoy's num_retries). The n-th retry waits a random time up to
    ``initial_delay_seconds * multiplier**(n-1)``, at most ``max_delay_seconds`` (full jitter).

    A method that is not idempotent (RFC 9110 §9.2.2) is tried again only when no byte of it left, unless
    ``retry_non_idempotent``."""

    iri: str
    attempts: int = 2
    initial_delay_seconds: float = 0.025
    multiplier: float = 2.0
    max_delay_seconds: float = 10.0
    conditions: frozenset[RetryCondition] = DEFAULT_CONDITIONS
    retry_non_idempotent: bool = False
