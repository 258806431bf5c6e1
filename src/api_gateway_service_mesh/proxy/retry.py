"""Retries: the policy is asked when an attempt failed; its budget counts every request of the route once."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import Route
from api_gateway_service_mesh.policies import Failure, RetryBudget, RetryPolicy, budget_key, budgeting

from .answer import AnswerHead
from .bulkhead import wait_for_places
from .problem import Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler
    from .target import Target

__all__ = ["carries_idempotency_key", "retry_delay", "retry_gates", "watch_retries"]


def retry_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """A gate that refuses nothing: it counts the request in the budget of its upstream."""
    if handler.retry is None and handler.route.hedging is None:
        return []
    wait_for_places(handler)

    def count(exchange: Exchange) -> Refusal | None:
        target = exchange.target or handler.target
        if target is not None and target.budget is not None:
            target.budget.request(monotonic())
        return None

    return [count]


def watch_retries(target: Target, route: Route, generation: Generation, core: Core) -> None:
    """Give `target` the budget of `route`'s retries to it."""
    retry = budgeting(route)
    if retry is None or not (retry.attempts or route.hedging is not None):
        return
    base = generation.slots.get(budget_key(retry.iri, target.upstream.iri))
    if base is not None:
        target.budget = RetryBudget(
            retry.budget_percent,
            retry.budget_minimum,
            core.cells.view,
            base,
            workers=core.workers,
            worker=core.worker,
            lock=core.lock,
        )


def retry_delay(
    exchange: Exchange, policy: RetryPolicy, failure: Failure, status: int, answer: AnswerHead | None
) -> float | None:
    """How long to wait until the next attempt; None when there is none. What it grants is taken off the budget."""
    if not policy.should_retry(
        exchange.attempt,
        failure,
        exchange.method,
        status=status,
        bytes_sent=exchange.sent,
        replayable=exchange.replay is not None or not exchange.sent,
        answered=exchange.committed,
        idempotency_key=policy.config.retry_idempotency_key and carries_idempotency_key(exchange),
    ):
        return None
    now = monotonic()
    left = None if exchange.deadline is None else exchange.deadline - now
    after = None if answer is None else _retry_after(answer.block)
    delay = policy.wait_seconds(exchange.attempt, exchange.core.random(), left, after)
    handler = exchange.handler
    if delay is None or handler is None:
        return None
    target = exchange.target or handler.target
    if target is None:
        return delay
    bulkhead = target.bulkhead
    if bulkhead is not None and bulkhead.max_retries is not None and exchange.entered_retry is None:
        if not bulkhead.enter_retry():
            return None
        exchange.entered_retry = bulkhead
    if target.budget is not None and not target.budget.take(now):
        return None  # a place that was taken is given back when the request ends, now
    return delay


def carries_idempotency_key(exchange: Exchange) -> bool:
    """Whether the client gave the request a name that the backend recognises it by."""
    return bool(exchange.block.header("idempotency-key"))


def _retry_after(block: bytes) -> float | None:
    """The seconds that an answer's Retry-After asks for (RFC 9110 §10.2.3); None without one, or a malformed one."""
    for line in block.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"retry-after":
            text = value.strip(b" \t").decode("latin-1")
            if text.isascii() and text.isdigit():
                return float(text[:9])
            try:
                moment = parsedate_to_datetime(text)
            except ValueError:
                return None
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    return None
