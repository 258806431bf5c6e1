from __future__ import annotations

from api_gateway_service_mesh.model import Retry, RetryCondition
from tests.support.configuration import EX, assembled, mesh_of, only_finding

ROUTE = 'ex:s a agw:BackendService ; agw:address "s:80" . ex:r a agw:Route ; agw:routePath "/" ; agw:hasBackendService ex:s ; agw:hasRetryPolicy ex:y . '


def test_defaults() -> None:
    (route,) = mesh_of(ROUTE + "ex:y a agw:RetryPolicy .").routes
    assert route.retry == Retry(EX + "y")


def test_everything_stated() -> None:
    (route,) = mesh_of(
        ROUTE
        + """ex:y a agw:RetryPolicy ; agw:retryAttempts 3 ; agw:backoffMultiplier 1.5 ;
        agw:initialDelayMs 100 ; agw:maximumDelayMs 2000 ; agw:retryOn "5xx", "timeout" ; agw:retryNonIdempotent true ."""
    ).routes
    conditions = frozenset({RetryCondition.SERVER_ERROR, RetryCondition.TIMEOUT})
    assert route.retry == Retry(EX + "y", 3, 0.1, 1.5, 2.0, conditions, True)


def test_an_unknown_condition_is_refused() -> None:
    finding = only_finding(assembled(ROUTE + 'ex:y a agw:RetryPolicy ; agw:retryOn "gateway-eror" .'))
    assert finding.suggestion == "gateway-error"


def test_budget_statuses_and_bounds() -> None:
    (route,) = mesh_of(
        ROUTE
        + """ex:y a agw:RetryPolicy ; agw:retryStatus 429 , 409 ; agw:honourRetryAfter false ;
        agw:retryBudgetPercent 12.5 ; agw:retryBudgetMinimum 1 ; agw:retryIdempotencyKey true ;
        agw:maximumReplayBytes 0 ; agw:retryOn "refused-stream" ."""
    ).routes
    assert route.retry == Retry(
        EX + "y",
        conditions=frozenset({RetryCondition.REFUSED_STREAM}),
        statuses=(409, 429),
        honour_retry_after=False,
        budget_percent=12.5,
        budget_minimum=1,
        retry_idempotency_key=True,
        max_replay_bytes=0,
    )
