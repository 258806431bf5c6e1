"""Retry policies (``agw:RetryPolicy``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from api_gateway_service_mesh.model import Retry, RetryCondition
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["RetryConditionRow", "RetryRow", "RetryStatusRow", "retries"]


@dataclass(frozen=True, slots=True)
class RetryRow:
    """``retry.rq``."""

    retry: str
    attempts: str | None
    multiplier: str | None
    initial_delay_ms: str | None
    maximum_delay_ms: str | None
    retry_non_idempotent: str | None
    honour_retry_after: str | None
    budget_percent: str | None
    budget_minimum: str | None
    idempotency_key: str | None
    max_replay_bytes: str | None


@dataclass(frozen=True, slots=True)
class RetryConditionRow:
    """``retry_condition.rq``."""

    retry: str
    condition: str


@dataclass(frozen=True, slots=True)
class RetryStatusRow:
    """``retry_status.rq``."""

    retry: str
    status: str


def retries(
    rows: Iterable[RetryRow],
    condition_rows: Iterable[RetryConditionRow],
    status_rows: Iterable[RetryStatusRow],
    reading: Reading,
) -> dict[str, Retry]:
    """Retry policies by IRI."""
    statuses: dict[str, set[int]] = defaultdict(set)
    for listed in status_rows:
        statuses[listed.retry].add(reading.integer(listed.retry, AGW.retryStatus, listed.status, 503))
    stated: dict[str, set[RetryCondition]] = defaultdict(set)
    for condition in condition_rows:
        kind = reading.choice(
            condition.retry, AGW.retryOn, condition.condition, RetryCondition, RetryCondition.CONNECT_FAILURE
        )
        stated[condition.retry].add(kind)
    found: dict[str, Retry] = {}
    for row in rows:
        if row.retry not in found:
            found[row.retry] = _retry(row, stated.get(row.retry), statuses.get(row.retry, set()), reading)
    return found


def _retry(row: RetryRow, conditions: set[RetryCondition] | None, statuses: set[int], reading: Reading) -> Retry:
    iri, defaults = row.retry, Retry(row.retry)
    initial = reading.number(iri, AGW.initialDelayMs, row.initial_delay_ms, defaults.initial_delay_seconds * 1000)
    longest = reading.number(iri, AGW.maximumDelayMs, row.maximum_delay_ms, defaults.max_delay_seconds * 1000)
    return Retry(
        iri,
        attempts=reading.integer(iri, AGW.retryAttempts, row.attempts, defaults.attempts),
        initial_delay_seconds=initial / 1000,
        multiplier=reading.number(iri, AGW.backoffMultiplier, row.multiplier, defaults.multiplier),
        max_delay_seconds=longest / 1000,
        conditions=frozenset(conditions) if conditions else defaults.conditions,
        retry_non_idempotent=reading.boolean(iri, AGW.retryNonIdempotent, row.retry_non_idempotent),
        statuses=tuple(sorted(statuses)),
        honour_retry_after=reading.boolean(iri, AGW.honourRetryAfter, row.honour_retry_after, default=True),
        budget_percent=reading.number(iri, AGW.retryBudgetPercent, row.budget_percent, defaults.budget_percent),
        budget_minimum=reading.integer(iri, AGW.retryBudgetMinimum, row.budget_minimum, defaults.budget_minimum),
        retry_idempotency_key=reading.boolean(iri, AGW.retryIdempotencyKey, row.idempotency_key),
        max_replay_bytes=reading.integer(iri, AGW.maximumReplayBytes, row.max_replay_bytes, defaults.max_replay_bytes),
    )
