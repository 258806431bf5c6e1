"""Retries: whether a failed attempt is tried again, and after how long.

Rules, in this order:

1. At most `attempts` tries after the first.
2. Nothing of an answer reached the client, and the request can be sent again: its body was kept whole, or none of it
   left.
3. The failure is one the policy names. ``gateway-error`` and ``5xx`` take in every failure without an answer, because
   the client would get a 502, 503 or 504 for it (Envoy reads its ``retry_on`` so too).
4. A method that is not idempotent (RFC 9110 §9.2.2) goes out a second time only when no byte of the first reached the
   upstream, or when the policy says so.

The delay is drawn evenly from 0 to the back-off's bound ("full jitter"), which grows by `multiplier` with each retry.
"""

from __future__ import annotations

from enum import StrEnum

from api_gateway_service_mesh.model import Retry, RetryCondition

__all__ = ["IDEMPOTENT_METHODS", "Failure", "RetryPolicy"]

IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""RFC 9110 §9.2.2: the safe methods, PUT and DELETE."""


class Failure(StrEnum):
    """How an attempt failed."""

    CONNECT = "connect"
    """No connection: refused, unreachable, TLS handshake, or not in time."""
    RESET = "reset"
    """The connection broke before the answer's head was there, or the answer was malformed."""
    TIMEOUT = "timeout"
    """No answer within the time for one attempt."""
    STATUS = "status"
    """An answer came, of class 5xx."""


_WITHOUT_ANSWER = frozenset({RetryCondition.GATEWAY_ERROR, RetryCondition.SERVER_ERROR})
_NAMED_BY = {
    Failure.CONNECT: _WITHOUT_ANSWER | {RetryCondition.CONNECT_FAILURE},
    Failure.RESET: _WITHOUT_ANSWER | {RetryCondition.RESET},
    Failure.TIMEOUT: _WITHOUT_ANSWER | {RetryCondition.TIMEOUT},
}
_GATEWAY_STATUS = frozenset({502, 503, 504})


class RetryPolicy:
    """The pure decisions of one ``agw:RetryPolicy``."""

    __slots__ = ("_non_idempotent", "_retried", "attempts", "config")

    def __init__(self, config: Retry) -> None:
        self.config = config
        self.attempts = config.attempts
        self._non_idempotent = config.retry_non_idempotent
        self._retried = frozenset(failure for failure, named_by in _NAMED_BY.items() if named_by & config.conditions)

    def should_retry(
        self,
        attempt: int,
        failure: Failure,
        method: str,
        *,
        status: int = 0,
        bytes_sent: int = 0,
        replayable: bool = True,
        answered: bool = False,
    ) -> bool:
        """Whether to try again.

        Args:
            attempt: which attempt failed; the first is 1.
            status: of the answer, for `Failure.STATUS`.
            bytes_sent: bytes of this attempt (head and body) that were given to the upstream's connection.
            replayable: the request can be sent again from its beginning.
            answered: something of an answer went to the client already.
        """
        if attempt > self.attempts or answered or not replayable:
            return False
        if failure is Failure.STATUS:
            if not self._retries_status(status):
                return False
        elif failure not in self._retried:
            return False
        return (
            method in IDEMPOTENT_METHODS or self._non_idempotent or (not bytes_sent and failure is not Failure.STATUS)
        )

    def delay_seconds(self, attempt: int, rand: float) -> float:
        """How long to wait after the `attempt`-th attempt (the first is 1) failed; `rand` in [0, 1)."""
        return rand * self.bound_seconds(attempt)

    def bound_seconds(self, attempt: int) -> float:
        """The most that `delay_seconds` can be."""
        config = self.config
        try:
            bound = config.initial_delay_seconds * config.multiplier ** (attempt - 1)
        except OverflowError:
            return config.max_delay_seconds
        return min(bound, config.max_delay_seconds)

    def _retries_status(self, status: int) -> bool:
        conditions = self.config.conditions
        if RetryCondition.SERVER_ERROR in conditions:
            return 500 <= status <= 599
        return RetryCondition.GATEWAY_ERROR in conditions and status in _GATEWAY_STATUS

    def __repr__(self) -> str:
        config = self.config
        on = ",".join(sorted(config.conditions))
        return (
            f"<RetryPolicy {config.iri} attempts={config.attempts} on={on} "
            f"delay={config.initial_delay_seconds:g}s*{config.multiplier:g} max={config.max_delay_seconds:g}s>"
        )
