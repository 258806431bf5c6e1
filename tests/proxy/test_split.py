"""Splits on real sockets: steering, callers that stay, canaries whose weight moves, what is counted."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from api_gateway_service_mesh.model import (
    Breaker,
    BreakerScope,
    Canary,
    CanaryStep,
    ConditionSource,
    KeyKind,
    RequestCondition,
    RequestKey,
    Retry,
    RetryCondition,
    Route,
    SplitTarget,
    ValueKind,
)
from api_gateway_service_mesh.policies import budget_key, read_budget, read_share, weight_cell
from tests.support.backend import Received, answer, backend, read_answer, says
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream

HEADER = RequestCondition("urn:h", ConditionSource.HEADER, "x-canary", ValueKind.EXACT, "always")
COOKIE = RequestCondition("urn:c", ConditionSource.COOKIE, "beta", ValueKind.PRESENT)


def target(name: str, weight: int, **more: object) -> SplitTarget:
    return SplitTarget(f"urn:split:{name}", f"urn:test:{name}", weight, **more)  # type: ignore[arg-type]


@pytest.fixture(params=["engine", "app"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextlib.asynccontextmanager
async def two(made: Route, kind: str = "engine") -> AsyncIterator[Running]:
    """`made` over the services ``old``, which says 200 and "old", and ``new``, which says 500 and "new"."""
    async with (
        backend(says(answer(b"old"))) as old,
        backend(says(answer(b"new", "500 Oops"))) as new,
    ):
        services = (
            upstream(endpoint(old.port, "old"), name="old"),
            upstream(endpoint(new.port, "new"), name="new"),
        )
        async with running(mesh_of(made, *services), kind=kind) as gateway:
            yield gateway


async def ask(gateway: Running, fields: str = "") -> Received:
    reader, writer = await gateway.connect()
    writer.write(f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
    got = await read_answer(reader)
    writer.close()
    return got


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ("", b"old"),
        ("X-Canary: always\r\n", b"new"),
        ("X-Canary: never\r\n", b"old"),
        ("Cookie: a=b; beta=1\r\n", b"old"),
    ],
)
async def test_a_header_steers(kind: str, fields: str, wanted: bytes) -> None:
    async with two(route(splits=(target("old", 100), target("new", 0, steered_by=(HEADER,)))), kind) as gateway:
        assert (await ask(gateway, fields)).body == wanted


async def test_all_conditions_of_a_target_must_hold() -> None:
    async with two(route(splits=(target("old", 100), target("new", 0, steered_by=(HEADER, COOKIE))))) as gateway:
        assert (await ask(gateway, "X-Canary: always\r\n")).body == b"old"
        assert (await ask(gateway, "X-Canary: always\r\nCookie: beta=\r\n")).body == b"new"


async def test_a_key_keeps_a_caller_on_one_side() -> None:
    made = route(splits=(target("old", 50), target("new", 50)), split_key=RequestKey(KeyKind.HEADER, "x-user"))
    async with two(made) as gateway:
        sides = {}
        for user in range(12):
            got = {(await ask(gateway, f"X-User: u{user}\r\n")).body for _ in range(3)}
            assert len(got) == 1
            sides[user] = got.pop()
    assert set(sides.values()) == {b"old", b"new"}


async def test_a_cookie_is_set_once_and_keeps_a_caller_on_one_side(kind: str) -> None:
    made = route(splits=(target("old", 50), target("new", 50)), split_cookie="side")
    async with two(made, kind) as gateway:
        for _ in range(6):
            first = await ask(gateway)
            pair, *attributes = str(first.get("set-cookie")).split("; ")
            assert attributes == ["Path=/", "HttpOnly", "SameSite=Lax"]
            for _ in range(3):
                again = await ask(gateway, f"Cookie: {pair}\r\n")
                assert (again.body, again.get("set-cookie")) == (first.body, None)
        assert (await ask(gateway, f"Cookie: side={'x' * 65}\r\n")).get("set-cookie") is not None


async def test_a_canary_takes_what_its_cell_says_and_both_sides_are_counted() -> None:
    plan = Canary("urn:split:new", (CanaryStep("urn:step", 10),))
    made = route(splits=(target("old", 100), target("new", 0, canary=plan)))
    async with two(made) as gateway:
        view, slots = gateway.store.view, gateway.layout.slots
        cell = weight_cell(slots["canary", "urn:split:new"])
        assert {(await ask(gateway)).body for _ in range(5)} == {b"old"}
        view[cell] = 100.0
        assert {(await ask(gateway)).body for _ in range(4)} == {b"new"}
        old = read_share(view, slots["share", "urn:split:old"], 1)
        new = read_share(view, slots["share", "urn:split:new"], 1)
    assert (old.requests, old.errors) == (5, 0)
    assert (new.requests, new.errors) == (4, 4)
    assert 0 < new.latency(95) < 5


async def test_a_switch_and_a_switch_back_take_one_table_each() -> None:
    blue, green = target("old", 100, active=True), target("new", 0, active=False)
    made = route(splits=(blue, green))
    async with two(made) as gateway:
        mesh = gateway.engine.core().generation.mesh  # type: ignore[union-attr]
        switched = (replace(blue, weight=0, active=False), replace(green, weight=100, active=True))
        for splits, wanted in ((made.splits, b"old"), (switched, b"new"), (made.splits, b"old")):
            gateway.install(replace(mesh, routes=(replace(made, splits=splits),)))
            assert {(await ask(gateway)).body for _ in range(4)} == {wanted}


async def test_a_target_that_is_not_there_is_503_and_an_error_of_its_share() -> None:
    made = route(splits=(target("gone", 100),))
    async with two(made) as gateway:
        got = await ask(gateway)
        counted = read_share(gateway.store.view, gateway.layout.slots["share", "urn:split:gone"], 1)
    assert json.loads(got.body)["type"] == "urn:agw:problem:no-upstream"
    assert (counted.requests, counted.errors) == (1, 1)


@pytest.mark.parametrize("scope", [BreakerScope.SERVICE, BreakerScope.INSTANCE])
async def test_the_breaker_of_a_bad_version_leaves_the_other_alone(scope: BreakerScope) -> None:
    breaker = Breaker("urn:breaker", failure_threshold=2, open_seconds=60, scope=scope)
    made = route(splits=(target("old", 100), target("new", 0, steered_by=(HEADER,))), breaker=breaker)
    async with two(made) as gateway:
        seen = [(await ask(gateway, "X-Canary: always\r\n")).line.split()[1] for _ in range(4)]
        assert seen == ["500", "500", "503", "503"]
        assert {(await ask(gateway)).body for _ in range(5)} == {b"old"}


async def test_each_version_has_a_retry_budget_of_its_own() -> None:
    retry = Retry(
        "urn:retry",
        attempts=3,
        initial_delay_seconds=0.001,
        conditions=frozenset({RetryCondition.SERVER_ERROR}),
        budget_percent=0.0,
        budget_minimum=1,
    )
    made = route(splits=(target("old", 100), target("new", 0, steered_by=(HEADER,))), retry=retry)
    async with two(made) as gateway:
        for _ in range(5):
            assert (await ask(gateway, "X-Canary: always\r\n")).line.split()[1] == "500"
        budgets = {
            name: read_budget(gateway.store.view, gateway.layout.slots[budget_key("urn:retry", f"urn:test:{name}")], 1)
            for name in ("old", "new")
        }
    assert (budgets["new"].granted, budgets["new"].refused) == (10, 2)
    assert (budgets["old"].granted, budgets["old"].refused) == (0, 0)
