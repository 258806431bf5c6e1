"""Rate limits on real sockets."""

from __future__ import annotations

import json

import pytest

from api_gateway_service_mesh.model import RateLimit
from api_gateway_service_mesh.policies import read_rate_limit
from tests.support.backend import answer, backend, read_answer, says
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
