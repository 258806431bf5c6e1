"""Retries: whether a failed attempt is tried again, and after how long.

Rules, in this order:

1. At most `attempts` tries after the first, and no more than the budget allows (`policies.budget`).
2. Nothing of an answer reached the client, and the request can be sent again: its body was kept whole, or none of it
   left.
3. The failure is one the policy names. ``gateway-error`` and ``5xx`` take in every failure without an answer, because
   the client would get a 502, 503 or 504 for it (Envoy reads its ``retry_on`` so too). Statuses that are listed count
   beside the conditions.
4. A method that is not idempotent (RFC 9110 §9.2.2) goes out a second time only when no byte of the first reached the
   upstream, or when the policy says so, for all or for those with an Idempotency-Key.
5. It can begin before the deadline, and, where the backend said when to come back (Retry-After), not before; a backend
   that wants to be left alone for longer than the longest delay is not asked again.

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
    REFUSED = "refused"
    """The backend took nothing of the request (HTTP/2 REFUSED_STREAM)."""
    STATUS = "status"
    """An answer came, of a status that may be tried again."""


_WITHOUT_ANSWER = frozenset({RetryCondition.GATEWAY_ERROR, RetryCondition.SERVER_ERROR})
_NAMED_BY = {
    Failure.CONNECT: _WITHOUT_ANSWER | {RetryCondition.CONNECT_FAILURE},
    Failure.RESET: _WITHOUT_ANSWER | {RetryCondition.RESET},
    Failure.TIMEOUT: _WITHOUT_ANSWER | {RetryCondition.TIMEOUT},
    Failure.REFUSED: _WITHOUT_ANSWER | {RetryCondition.REFUSED_STREAM},
}
_GATEWAY_STATUS = frozenset({502, 503, 504})
GRPC_STATUS = 1000
"""Added to a status of gRPC, where a status of HTTP could stand."""
_GRPC = {
    RetryCondition.GRPC_CANCELLED: 1,
    RetryCondition.GRPC_DEADLINE_EXCEEDED: 4,
    RetryCondition.GRPC_RESOURCE_EXHAUSTED: 8,
    RetryCondition.GRPC_ABORTED: 10,
    RetryCondition.GRPC_INTERNAL: 13,
    RetryCondition.GRPC_UNAVAILABLE: 14,
}


class RetryPolicy:
    """The pure decisions of one ``agw:RetryPolicy``."""

    __slots__ = ("_keyed", "_non_idempotent", "_retried", "_statuses", "attempts", "config", "grpc_statuses")

    def __init__(self, config: Retry) -> None:
        self.config = config
        self.attempts = config.attempts
        self._non_idempotent = config.retry_non_idempotent
        self._keyed = config.retry_idempotency_key
        self._statuses = frozenset(config.statuses)
        self.grpc_statuses = frozenset(code for kind, code in _GRPC.items() if kind in config.conditions)
        """Statuses of gRPC that are tried again."""
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
        idempotency_key: bool = False,
    ) -> bool:
        """Whether to try again.

        Args:
            attempt: which attempt failed; the first is 1.
            status: of the answer, for `Failure.STATUS`; `GRPC_STATUS` and more: of gRPC.
            bytes_sent: bytes of this attempt (head and body) that were given to the upstream's connection.
            replayable: the request can be sent again from its beginning.
            answered: something of an answer went to the client already.
            idempotency_key: the request carries one.
        """
        if attempt > self.attempts or answered or not replayable:
            return False
        if failure is Failure.STATUS:
            if status >= GRPC_STATUS:  # whoever names one means calls, which are all POST
                return status - GRPC_STATUS in self.grpc_statuses
            if not self._retries_status(status):
                return False
        elif failure not in self._retried:
            return False
        if self.repeatable(method, idempotency_key) or failure is Failure.REFUSED:
            return True
        return not bytes_sent and failure is not Failure.STATUS

    def repeatable(self, method: str, idempotency_key: bool) -> bool:
        """Whether the policy lets such a request reach a backend twice."""
        return method in IDEMPOTENT_METHODS or self._non_idempotent or (self._keyed and idempotency_key)

    def delay_seconds(self, attempt: int, rand: float) -> float:
        """How long to wait after the `attempt`-th attempt (the first is 1) failed; `rand` in [0, 1)."""
        return rand * self.bound_seconds(attempt)

    def wait_seconds(self, attempt: int, rand: float, left: float | None, retry_after: float | None) -> float | None:
        """`delay_seconds`, but None when the retry must not be (rule 5).

        Args:
            left: seconds until the request's deadline, None without one.
            retry_after: seconds that the backend asked to wait, None when it did not.
        """
        delay = self.delay_seconds(attempt, rand)
        if retry_after is not None and self.config.honour_retry_after:
            if retry_after > self.config.max_delay_seconds:
                return None
            delay = max(delay, retry_after)
        return None if left is not None and delay >= left else delay

    def bound_seconds(self, attempt: int) -> float:
        """The most that `delay_seconds` can be."""
        config = self.config
        try:
            bound = config.initial_delay_seconds * config.multiplier ** (attempt - 1)
        except OverflowError:
            return config.max_delay_seconds
        return min(bound, config.max_delay_seconds)

    def _retries_status(self, status: int) -> bool:
        if status in self._statuses:
            return True
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
