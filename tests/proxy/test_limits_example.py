"""The story of ``examples/limits``, on real sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.graph import SourceGraph
from tests.support.backend import Received, answer, backend, read_answer, says
from tests.support.gateway import Running, running


@asynccontextmanager
async def served(fields: str = "") -> AsyncIterator[Running]:
    """The example in front of a backend of ours."""
    made = build(SourceGraph.load([resources.examples() / "limits" / "gateway.ttl"])).mesh
    async with backend(says(answer(b"x", fields=fields))) as behind:
        (service,) = made.upstreams
        here = tuple(replace(one, port=behind.port) for one in service.endpoints)
        mesh = replace(made, upstreams=(replace(service, endpoints=here),), access_log=True, listeners=())
        async with running(mesh) as gateway:
            yield gateway


async def ask(gateway: Running, times: int, line: str, customer: str = "acme") -> list[Received]:
    reader, writer = await gateway.connect()
    got = []
    for _ in range(times):
        writer.write(f"{line} HTTP/1.1\r\nHost: a\r\nX-Customer: {customer}\r\n\r\n".encode())
        got.append(await read_answer(reader))
    writer.close()
    return got


def statuses(got: list[Received]) -> list[str]:
    return [one.line.split()[1] for one in got]


async def test_an_export_costs_ten_of_the_plan() -> None:
    async with served() as gateway:
        (first,) = await ask(gateway, 1, "GET /search")
        assert str(first.get("ratelimit")).startswith('"plan";r=999;t=864')
        assert first.get("ratelimit-policy") == '"plan";q=1000;w=86400'
        (export,) = await ask(gateway, 1, "GET /export")
        assert str(export.get("ratelimit")).startswith('"plan";r=989;')
        (other,) = await ask(gateway, 1, "GET /search", "umbrella")
        assert str(other.get("ratelimit")).startswith('"plan";r=999;')


async def test_five_reports_a_minute() -> None:
    async with served() as gateway:
        assert statuses(await ask(gateway, 6, "GET /report")) == ["200"] * 5 + ["429"]
        (refused,) = await ask(gateway, 1, "GET /report")
        document = json.loads(refused.body)
        assert document["policy"] == "https://limits.example/fewReports"
        assert document["type"] == "urn:agw:problem:quota-exceeded"
        assert statuses(await ask(gateway, 1, "GET /report", "umbrella")) == ["200"]


async def test_what_is_only_tried_out_refuses_nobody() -> None:
    async with served() as gateway:
        assert statuses(await ask(gateway, 6, "POST /checkout")) == ["200"] * 6
        flags = [json.loads(line).get("flags") for line in gateway.log]
        assert flags[:2] == [None, None]
        assert ["rate-limit-shadow"] in flags[2:]


async def test_a_host_has_its_burst() -> None:
    async with served() as gateway:
        got = statuses(await ask(gateway, 60, "GET /search"))
        assert got[:40] == ["200"] * 40
        assert "429" in got[40:]


async def test_a_question_costs_what_its_answer_says() -> None:
    async with served("X-Tokens-Used: 31000\r\n") as gateway:
        got = await ask(gateway, 8, "POST /ask")
        assert statuses(got) == ["200"] * 7 + ["429"]
        left = [str(one.get("ratelimit")).split(";t=")[0] for one in got]
        assert left == [f'"tokens";r={200000 - 31000 * asked - 1}' for asked in range(7)] + ['"tokens";r=0']
        assert got[0].get("x-tokens-used") is None
