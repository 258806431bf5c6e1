"""Retry policies (``agw:RetryPolicy``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from api_gateway_service_mesh.model import Retry, RetryCondition
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["RetryConditionRow", "RetryRow", "retries"]


@dataclass(frozen=True, slots=True)
class RetryRow:
    """``retry.rq``."""

    retry: str
    attempts: str | None
    multiplier: str | None
    initial_delay_ms: str | None
    maximum_delay_ms: str | None
    retry_non_idempotent: str | None


@dataclass(frozen=True, slots=True)
class RetryConditionRow:
    """``retry_condition.rq``."""

    retry: str
    condition: str


def retries(
    rows: Iterable[RetryRow], condition_rows: Iterable[RetryConditionRow], reading: Reading
) -> dict[str, Retry]:
    """Retry policies by IRI."""
    stated: dict[str, set[RetryCondition]] = defaultdict(set)
    for condition in condition_rows:
        kind = reading.choice(
            condition.retry, AGW.retryOn, condition.condition, RetryCondition, RetryCondition.CONNECT_FAILURE
        )
        stated[condition.retry].add(kind)
    found: dict[str, Retry] = {}
    for row in rows:
        if row.retry not in found:
            found[row.retry] = _retry(row, stated.get(row.retry), reading)
    return found


def _retry(row: RetryRow, conditions: set[RetryCondition] | None, reading: Reading) -> Retry:
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
    )
