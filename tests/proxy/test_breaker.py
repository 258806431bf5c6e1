"""Circuit breakers in front of real backends."""

from __future__ import annotations

from api_gateway_service_mesh.model import Breaker
from tests.support.backend import answer, backend, read_answer, says
from tests.support.gateway import endpoint, mesh_of, route, running, upstream


async def test_routes_that_name_the_same_breaker_share_it() -> None:
    breaker = Breaker("urn:breaker", failure_threshold=2, open_seconds=60)
    routes = (route("/one", "one", breaker=breaker), route("/two", "two", breaker=breaker))
    async with (
        backend(says(answer(status="500 Broken"))) as behind,
        running(mesh_of(routes, upstream(endpoint(behind.port)))) as gateway,
    ):
        reader, writer = await gateway.connect()
        for path, status in (("one", "500"), ("two", "500"), ("one", "503"), ("two", "503")):
            writer.write(f"GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            got = await read_answer(reader)
            assert got.line.split()[1] == status
        assert got.get("retry-after") == "60"
        assert b'"policy": "urn:breaker"' in got.body
        writer.close()
    assert len(behind.requests) == 2
