"""What requests cost by what they and their answers say, on real sockets."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic, sleep

import pytest

from api_gateway_service_mesh.model import RateLimit
from api_gateway_service_mesh.policies import read_rate_limit
from api_gateway_service_mesh.policies.counters import RateLimitTotals
from api_gateway_service_mesh.proxy.request_cost import stated_cost
from api_gateway_service_mesh.proxy.wall import wall_clock
from tests.support.backend import Received, answer, backend, read_answer, says
from tests.support.gateway import endpoint, mesh_of, route, running, upstream

from .test_rate_limit import GET, asked, statuses


@pytest.fixture(params=["engine", "app"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_cost_is_digits_alone() -> None:
    assert [stated_cost(said) for said in (b"0", b"007", b"9" * 15)] == [0, 7, 10**15 - 1]
    for said in (b"", b"-1", b"+1", b"1.0", b"1e3", b"0x10", b"1 1", "٣".encode(), b"9" * 16):
        assert stated_cost(said) is None, said


def test_the_wall_shows_what_it_showed_then() -> None:
    then = monotonic()
    first = wall_clock(then)
    sleep(0.01)
    assert wall_clock(then) == pytest.approx(first, abs=15)
    assert wall_clock(then + 3600) - first == pytest.approx(3600, abs=15)


async def costing(
    limit: RateLimit, costs: Sequence[str], kind: str, **more: object
) -> tuple[list[Received], RateLimitTotals]:
    """What requests got whose answers say that, and what the limiter counted."""
    answers = [answer(b"x", fields=said) for said in costs]
    async with backend(says(*answers)) as behind:
        mesh = mesh_of(route(rate_limits=(limit,), **more), upstream(endpoint(behind.port)))
        async with running(mesh, kind=kind) as gateway:
            reader, writer = await gateway.connect()
            got = []
            for _ in range(len(costs) + 1):
                writer.write(GET)
                got.append(await read_answer(reader))
            writer.close()
            return got, read_rate_limit(gateway.store.view, gateway.layout.slots["rate_limit_count", limit.iri], 1)


async def test_an_answer_says_what_its_request_cost(kind: str) -> None:
    limit = RateLimit("urn:limit", 0.001, 10, answer_cost_field="x-cost")
    got, counted = await costing(limit, ["X-Cost: 7\r\n", "x-cost:1\r\n", "", "X-Cost: 99\r\n"], kind)
    assert statuses(got) == ["200"] * 3 + ["200", "429"], "7, 1, 1, and what is left and as much again on credit"
    assert all(one.get("x-cost") is None for one in got), "it is for the gateway alone"
    assert (counted.charged, counted.unreadable) == (6 + 9, 0)
    wait = int(str(got[-1].get("retry-after")))
    assert 9900 <= wait <= 10001, "nine are owed, and one is asked for"


@pytest.mark.parametrize("said", ["X-Cost: -5\r\n", "X-Cost: 1e9\r\n", "X-Cost: \r\n", "X-Cost: 9\r\nX-Cost: 9\r\n"])
async def test_a_cost_that_is_no_number_charges_nothing_and_is_counted(said: str) -> None:
    limit = RateLimit("urn:limit", 0.001, 3, answer_cost_field="x-cost")
    got, counted = await costing(limit, [said, said, said], "engine")
    assert statuses(got) == ["200"] * 3 + ["429"]
    assert (counted.charged, counted.unreadable) == (0, 3)


async def test_a_request_may_say_that_it_costs_more_but_not_less() -> None:
    limit = RateLimit("urn:limit", 0.001, 100, cost_field="x-batch", maximum_cost=60)
    heads = ["X-Batch: 30\r\n", "X-Batch: 0\r\n", "X-Batch: many\r\n", "X-Batch: 4000000000\r\n", "", "X-Batch: 2\r\n"]
    got, _ = await asked((limit,), heads, request_cost=2)
    assert statuses(got) == ["200", "200", "200", "200", "200", "200"], "30 + 2 + 2 + 60 + 2 + 2"
    got, _ = await asked((limit,), [*heads, "X-Batch: 3\r\n", ""], request_cost=2)
    assert statuses(got)[-2:] == ["429", "200"], "a cheap one is let in where a dear one was not"
