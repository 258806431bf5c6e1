"""Cases of backends that fail."""

from __future__ import annotations

import asyncio
import time

from .backend import Backend, Call, nobody
from .case import Ask, Case, Facts, Json
from .client import Answer, Client

__all__ = ["FAILURES"]

RETRY = """agw:hasRetryPolicy [ a agw:RetryPolicy ; agw:retryAttempts 2 ; agw:retryBudgetMinimum 1000 ; agw:maximumDelayMs 1000 ;
    agw:retryOn "connect-failure" , "reset" , "gateway-error" , "timeout" ] ;
    agw:hasTimeout [ a agw:Timeout ; agw:timeoutSeconds 8 ; agw:perAttemptTimeout "PT0.3S"^^xsd:dayTimeDuration ] ;"""
RETRIED: Json = {
    "timeout": "8s",
    "retry_policy": {"retry_on": "connect-failure,reset,gateway-error", "num_retries": 2, "per_try_timeout": "0.3s"},
}
PLAIN_RETRY = """agw:hasRetryPolicy [ a agw:RetryPolicy ; agw:retryAttempts 2 ; agw:retryBudgetMinimum 1000 ;
    agw:retryOn "connect-failure" , "reset" , "gateway-error" ] ;"""
PLAIN_RETRIED: Json = {"retry_policy": {"retry_on": "connect-failure,reset,gateway-error", "num_retries": 2}}


async def ok(_: Backend, call: Call) -> None:
    call.answer()


async def flapping(_: Backend, call: Call) -> None:
    call.answer(503 if call.number == 1 else 200)


async def unavailable(_: Backend, call: Call) -> None:
    call.answer(503)


async def broken(_: Backend, call: Call) -> None:
    call.answer(500)


async def teapot(_: Backend, call: Call) -> None:
    call.answer(418)


async def resetting(_: Backend, call: Call) -> None:
    call.cut()


async def slow(_: Backend, call: Call) -> None:
    await asyncio.sleep(3.0)
    call.answer()


async def half_body(_: Backend, call: Call) -> None:
    call.answer(body=b"hello", length=10)


async def half_chunks(_: Backend, call: Call) -> None:
    call.writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")


async def garbage(_: Backend, call: Call) -> None:
    call.writer.write(b"no such protocol\r\n\r\n")


async def later(_: Backend, call: Call) -> None:
    call.answer(503, fields="Retry-After: 60\r\n")


async def limited(_: Backend, call: Call) -> None:
    call.answer(429, fields="Retry-After: 60\r\n")


async def leaves(_: Backend, call: Call) -> None:
    """Keeps its connection, and breaks it off when it is used again."""
    if call.turn > 1:
        call.cut()
    else:
        call.answer(keep=True)


async def waits(here: Backend, call: Call) -> None:
    await here.gate.wait()
    call.answer()


async def every_other(_: Backend, call: Call) -> None:
    call.answer(503 if call.number % 2 else 200, keep=True)


async def once(client: Client, backends: list[Backend], name: str) -> Facts:
    """What one request sees."""
    answer = await client.ask(f"/{name}/x")
    facts: Facts = {"status": answer.status, "attempts": sum(len(each.calls) for each in backends)}
    if "retry-after" in answer.fields:
        facts["retry-after"] = answer.fields["retry-after"]
    return facts


def _once(name: str) -> Ask:
    async def ask(client: Client, backends: list[Backend]) -> Facts:
        return await once(client, backends, name)

    return ask


async def cut_off(client: Client, backends: list[Backend], name: str) -> Facts:
    answer = await client.ask(f"/{name}/x")
    return {
        "status": answer.status,
        "whole": answer.whole,
        "attempts": len(backends[0].calls),
        "body": b"hello".startswith(answer.body),
    }


async def half(client: Client, backends: list[Backend]) -> Facts:
    return await cut_off(client, backends, "half-body")


async def chunks(client: Client, backends: list[Backend]) -> Facts:
    return await cut_off(client, backends, "half-chunks")


def kept(name: str, method: str) -> Ask:
    """A second request, on the connection that the first has left open and that the backend breaks off."""

    async def ask(client: Client, backends: list[Backend]) -> Facts:
        first = await client.ask(f"/{name}/x")
        again = await client.ask(f"/{name}/x", method=method, body=b"once" if method == "POST" else b"")
        return {"first": first.status, "again": again.status, "asked again": len(backends[0].calls) - 1}

    return ask


async def posted(client: Client, backends: list[Backend]) -> Facts:
    answer = await client.ask("/post/x", method="POST", body=b"order")
    return {"status": answer.status, "attempts": len(backends[0].calls)}


async def in_a_row(client: Client, path: str, status: int, times: int) -> bool:
    """Asked until so many answers one after the other have that status. Envoy judges a backend in its main thread, so a few
    more requests pass after the one that was too many: how many depends on the machine alone."""
    seen, end = 0, time.monotonic() + 20
    while seen < times and time.monotonic() < end:
        answer = await client.ask(path)
        seen = seen + 1 if answer.status == status else 0
        await asyncio.sleep(0.01)
    return seen == times


async def ejected(client: Client, backends: list[Backend]) -> Facts:
    statuses = await client.statuses(6, "/ejected/x")
    settles = await in_a_row(client, "/ejected/x", 200, 6)
    bad, good = len(backends[1].calls), len(backends[0].calls)
    after = await client.statuses(12, "/ejected/x")
    return {
        "errors": statuses.count(500),
        "good": statuses.count(200),
        "settles": settles,
        "after": after,
        "asked the bad one after it": len(backends[1].calls) - bad,
        "asked the good one after it": len(backends[0].calls) - good,
    }


async def opened(client: Client, backends: list[Backend]) -> Facts:
    statuses = await client.statuses(3, "/breaker/x")
    settles = await in_a_row(client, "/breaker/x", 503, 1)
    asked = len(backends[0].calls)
    after = await client.statuses(6, "/breaker/x")
    return {"statuses": statuses, "settles": settles, "after": after, "asked after it": len(backends[0].calls) - asked}


async def pool(client: Client, backends: list[Backend]) -> Facts:
    first = asyncio.create_task(client.ask("/pool/x"))
    await backends[0].asked(1)
    others = {asyncio.create_task(client.ask("/pool/x")) for _ in range(3)}
    refused: set[asyncio.Task[Answer]] = set()
    async with asyncio.timeout(20):
        while len(refused) < 2:
            done, _ = await asyncio.wait(others - refused, return_when=asyncio.FIRST_COMPLETED)
            refused |= done
    backends[0].gate.set()
    statuses = [(await task).status for task in (first, *others)]
    return {"good": statuses.count(200), "refused": statuses.count(503), "attempts": len(backends[0].calls)}


async def elsewhere(client: Client, backends: list[Backend]) -> Facts:
    statuses = [(await client.ask("/elsewhere/x", f"X-Number: {number}\r\n")).status for number in range(12)]
    bad = [call.fields["x-number"] for call in backends[0].calls]
    return {
        "all good": statuses == [200] * 12,
        "the bad one was asked": bool(bad),
        "asked it twice for one": len(bad) != len(set(bad)),
        "asked the good one": len(backends[1].calls),
    }


async def budget(client: Client, backends: list[Backend]) -> Facts:
    statuses = await client.statuses(300, "/budget/x")
    return {
        "requests": len(statuses),
        "load below 1.25": len(backends[0].calls) < 375,
        "failures seen": statuses.count(503) > 50,
    }


OUTLIER: Json = {
    "outlier_detection": {
        "consecutive_5xx": 3,
        "base_ejection_time": "300s",
        "max_ejection_percent": 100,
        "interval": "60s",
    }
}

FAILURES: tuple[Case, ...] = (
    *(
        Case(script.__name__, _once(script.__name__), (script,), PLAIN_RETRY, action=PLAIN_RETRIED)
        for script in (ok, flapping, unavailable, teapot, broken, resetting, later, limited)
    ),
    Case("slow", _once("slow"), (slow,), RETRY, action=RETRIED),
    Case(
        "refused",
        _once("refused"),
        (nobody,),
        PLAIN_RETRY,
        action=PLAIN_RETRIED,
    ),
    Case(
        "garbage",
        _once("garbage"),
        (garbage,),
    ),
    Case("half-body", half, (half_body,), PLAIN_RETRY, action=PLAIN_RETRIED),
    Case("half-chunks", chunks, (half_chunks,), PLAIN_RETRY, action=PLAIN_RETRIED),
    Case("leaves", kept("leaves", "GET"), (leaves,)),
    Case("leaves-post", kept("leaves-post", "POST"), (leaves,)),
    Case("leaves-retried", kept("leaves-retried", "GET"), (leaves,), PLAIN_RETRY, action=PLAIN_RETRIED),
    Case("leaves-post-retried", kept("leaves-post-retried", "POST"), (leaves,), PLAIN_RETRY, action=PLAIN_RETRIED),
    Case("post", posted, (unavailable,), PLAIN_RETRY, action=PLAIN_RETRIED),
    Case(
        "ejected",
        ejected,
        (ok, broken),
        service="""agw:hasOutlierDetection [ a agw:OutlierDetection ; agw:consecutiveErrors 3 ;
            agw:baseEjectionTime "PT300S"^^xsd:dayTimeDuration ] ;""",
        cluster=OUTLIER,
    ),
    Case(
        "breaker",
        opened,
        (broken,),
        """agw:hasCircuitBreaker [ a agw:CircuitBreaker ; agw:failureThreshold 3 ;
            agw:openDuration "PT300S"^^xsd:dayTimeDuration ] ;""",
        cluster={**OUTLIER, "common_lb_config": {"healthy_panic_threshold": {"value": 0}}},
    ),
    Case(
        "pool",
        pool,
        (waits,),
        service="agw:hasConnectionPool [ a agw:ConnectionPool ; agw:maxConnections 1 ; agw:maxPendingRequests 1 ] ;",
        cluster={"circuit_breakers": {"thresholds": [{"max_connections": 1, "max_pending_requests": 1}]}},
    ),
    Case(
        "elsewhere",
        elsewhere,
        (unavailable, ok),
        PLAIN_RETRY,
        action={
            "retry_policy": {
                **PLAIN_RETRIED["retry_policy"],
                "retry_host_predicate": [
                    {
                        "name": "envoy.retry_host_predicates.previous_hosts",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                        },
                    }
                ],
                "host_selection_retry_max_attempts": 5,
            }
        },
    ),
    Case(
        "budget",
        budget,
        (every_other,),
        """agw:hasRetryPolicy [ a agw:RetryPolicy ; agw:retryAttempts 2 ; agw:retryOn "gateway-error" ; agw:initialDelayMs 1 ;
            agw:retryBudgetPercent 20 ; agw:retryBudgetMinimum 0 ] ;""",
        action={
            "retry_policy": {
                "retry_on": "gateway-error",
                "num_retries": 2,
                "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.001s"},
            }
        },
        cluster={
            "circuit_breakers": {
                "thresholds": [{"retry_budget": {"budget_percent": {"value": 20}, "min_retry_concurrency": 1}}]
            }
        },
    ),
)
