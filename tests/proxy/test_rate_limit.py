"""Rate limits on real sockets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from api_gateway_service_mesh.model import CalendarUnit, KeyKind, LimitAlgorithm, RateLimit, RequestKey
from api_gateway_service_mesh.policies import read_rate_limit
from tests.support.backend import Received, answer, backend, read_answer, says
from tests.support.gateway import endpoint, mesh_of, route, running, upstream

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(params=["engine", "app"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_rate_limit(kind: str) -> None:
    limit = RateLimit("urn:limit", requests_per_second=0.5, burst=2)
    async with backend(says(answer(b"x"))) as behind:
        async with running(mesh_of(route(rate_limits=(limit,)), upstream(endpoint(behind.port))), kind=kind) as gateway:
            reader, writer = await gateway.connect()
            lines = []
            for _ in range(4):
                writer.write(GET)
                got = await read_answer(reader)
                lines.append(got.line)
            writer.close()
            counted = read_rate_limit(gateway.store.view, gateway.layout.slots["rate_limit_count", limit.iri], 1)
    assert lines == ["HTTP/1.1 200 OK"] * 2 + ["HTTP/1.1 429 Too Many Requests"] * 2
    assert json.loads(got.body)["type"] == "urn:agw:problem:rate-limited"
    assert json.loads(got.body)["policy"] == limit.iri
    assert 1 <= int(str(got.get("retry-after"))) <= 2
    assert got.get("ratelimit-policy") == '"default";q=2;w=4'
    assert str(got.get("ratelimit")).startswith('"default";r=0;t=')
    assert (counted.admitted, counted.rejected) == (2, 2)
    assert len(behind.requests) == 2


async def asked(limits: Sequence[RateLimit], heads: Sequence[str], **more: object) -> tuple[list[Received], list[str]]:
    """What each request got, and the log."""
    async with backend(says(answer(b"x"))) as behind:
        mesh = mesh_of(route(rate_limits=tuple(limits), **more), upstream(endpoint(behind.port)), access_log=True)
        async with running(mesh) as gateway:
            reader, writer = await gateway.connect()
            got = []
            for head in heads:
                writer.write(f"GET / HTTP/1.1\r\nHost: a\r\n{head}\r\n".encode())
                got.append(await read_answer(reader))
            writer.close()
            return got, list(gateway.log)


def statuses(got: Sequence[Received]) -> list[str]:
    return [one.line.split()[1] for one in got]


async def test_every_limit_must_admit_and_the_tightest_is_told() -> None:
    wide = RateLimit("urn:wide", 100 / 60, 100, (), LimitAlgorithm.SLIDING_WINDOW, 60.0, "wide", True, fields=True)
    tight = RateLimit("urn:tight", 3 / 3600, 3, (), LimitAlgorithm.FIXED_WINDOW, 3600.0, "tight", True, fields=True)
    got, _ = await asked((wide, tight), [""] * 4)
    assert statuses(got) == ["200"] * 3 + ["429"]
    assert [str(one.get("ratelimit")).split(";t=")[0] for one in got] == [f'"tight";r={left}' for left in (2, 1, 0, 0)]
    assert got[0].get("ratelimit-policy") == '"wide";q=100;w=60, "tight";q=3;w=3600'
    document = json.loads(got[3].body)
    assert document["type"] == "urn:agw:problem:quota-exceeded"
    assert document["policy"] == "urn:tight"
    assert document["detail"] == "over the quota of 3 in 1 hour"
    assert 3590 <= int(str(got[3].get("retry-after"))) <= 3600


async def test_without_being_asked_to_an_admitted_request_is_told_nothing() -> None:
    got, _ = await asked((RateLimit("urn:limit", 0.01, 2),), [""])
    assert got[0].get("ratelimit") is None
    assert got[0].get("ratelimit-policy") is None


async def test_a_limit_in_shadow_mode_counts_and_lets_through() -> None:
    got, log = await asked((RateLimit("urn:limit", 0.01, 1, shadow=True),), [""] * 3)
    assert statuses(got) == ["200"] * 3
    assert [json.loads(line).get("flags") for line in log] == [None, ["rate-limit-shadow"], ["rate-limit-shadow"]]


async def test_what_a_request_costs() -> None:
    got, _ = await asked((RateLimit("urn:limit", 0.01, 10),), [""] * 3, request_cost=4)
    assert statuses(got) == ["200", "200", "429"]


async def test_two_keys_make_one_of_their_combination() -> None:
    keys = (RequestKey(KeyKind.HEADER, "x-a"), RequestKey(KeyKind.HEADER, "x-b"))
    pairs = [("1", "1"), ("1", "2"), ("2", "1"), ("1", "1"), ("11", ""), ("1", "1")]
    heads = [f"X-A: {one}\r\nX-B: {other}\r\n" for one, other in pairs]
    got, _ = await asked((RateLimit("urn:limit", 0.01, 1, keys),), heads)
    assert statuses(got) == ["200", "200", "200", "429", "200", "429"]


async def test_two_routes_by_route() -> None:
    limit = RateLimit("urn:limit", 0.01, 1, (RequestKey(KeyKind.ROUTE), RequestKey(KeyKind.CLIENT_ADDRESS)))
    assert limit.by_address
    routes = tuple(route(f"/{name}", name, rate_limits=(limit,)) for name in "ab")
    async with backend(says(answer(b"x"))) as behind:
        async with running(mesh_of(routes, upstream(endpoint(behind.port)))) as gateway:
            reader, writer = await gateway.connect()
            got = []
            for name in "aabb":
                writer.write(f"GET /{name} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                got.append(await read_answer(reader))
            writer.close()
    assert statuses(got) == ["200", "429", "200", "429"]


async def test_a_quota_of_the_calendar_tells_when_it_ends() -> None:
    limit = RateLimit(
        "urn:plan", 3 / 2592000, 3, (), LimitAlgorithm.FIXED_WINDOW, 2592000.0, "plan", True, fields=True,
        calendar=CalendarUnit.MONTH, zone="Asia/Kolkata",
    )  # fmt: skip
    zone = ZoneInfo("Asia/Kolkata")
    before = datetime.now(zone)
    got, _ = await asked((limit,), [""] * 4)
    if datetime.now(zone).month != before.month:
        pytest.skip("the month ended meanwhile")
    following = (before.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    left = following.timestamp() - before.timestamp()
    assert statuses(got) == ["200"] * 3 + ["429"]
    name, remaining, reset = str(got[0].get("ratelimit")).split(";")
    assert (name, remaining) == ('"plan"', "r=2")
    assert left - 60 <= int(reset.removeprefix("t=")) <= left + 1
    assert got[0].get("ratelimit-policy") == '"plan";q=3', "no month is as long as the next"
    assert left - 60 <= int(str(got[3].get("retry-after"))) <= left + 1
    assert json.loads(got[3].body)["detail"] == "over the quota of 3 in a month of the calendar (Asia/Kolkata)"
