"""Conditions of policies on a request's headers and cookies, compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import ConditionSource, RequestCondition
from api_gateway_service_mesh.routing import ValueTest

from .key import cookie

if TYPE_CHECKING:
    from .exchange import Exchange

__all__ = ["Holds", "condition_test"]

#: Whether something holds for a request.
Holds = Callable[["Exchange"], bool]


def condition_test(conditions: Sequence[RequestCondition]) -> Holds:
    """Whether all of `conditions` hold; there must be one at least, because "always" is never what is asked."""
    tests = [
        (condition.source is ConditionSource.COOKIE, condition.name, ValueTest(condition)) for condition in conditions
    ]
    if not tests:
        raise ValueError("no condition to hold")

    def holds(exchange: Exchange) -> bool:
        block = exchange.block
        for is_cookie, name, test in tests:
            if not test.holds(cookie(block, name) if is_cookie else block.header(name)):
                return False
        return True

    return holds
