"""What of a request its limits are keyed by."""

from __future__ import annotations

from api_gateway_service_mesh.model import KeyKind, RateLimit, RequestKey
from tests.support.backend import answer, backend, read_answer, says
from tests.support.gateway import endpoint, mesh_of, route, running, upstream


async def test_rate_limit_by_header() -> None:
    limit = RateLimit("urn:limit", 0.01, 1, RequestKey(KeyKind.HEADER, "x-tenant"))
    async with backend(says(answer(b"x"))) as behind:
        async with running(mesh_of(route(rate_limits=(limit,)), upstream(endpoint(behind.port)))) as gateway:
            reader, writer = await gateway.connect()
            lines = []
            for tenant in (b"a", b"b", b"a", b"c", b"b"):
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Tenant: %b\r\n\r\n" % tenant)
                lines.append((await read_answer(reader)).line.split()[1])
            writer.close()
    assert lines == ["200", "200", "429", "200", "429"]
