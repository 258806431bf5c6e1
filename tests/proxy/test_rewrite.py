"""Rewrites on real sockets."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.model import Rewrite
from tests.support.asking import ask, deeds, one_route
from tests.support.backend import answer, backend, says
from tests.support.gateway import running


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_the_backend_is_asked_for_something_else(kind: str) -> None:
    rewrite = Rewrite("urn:w", "internal.example", prefix="/v2")
    async with backend(says(answer(b"x"))) as behind:
        async with running(one_route(behind, "/api", rewrite=rewrite), kind=kind) as gateway:
            await ask(gateway, "/api/users?a=/api&b=%2F", method="POST", body="abc")
            assert deeds(gateway, "urn:w")[0] == 1
    (received,) = behind.requests
    assert received.line == "POST /v2/users?a=/api&b=%2F HTTP/1.1"
    assert (received.get("host"), received.get("x-forwarded-host")) == ("internal.example", "a.example")
    assert received.body == b"abc"


async def test_an_expression() -> None:
    rewrite = Rewrite("urn:w", pattern="^/u/([0-9]+)$", substitution=r"/users/\1/profile")
    async with backend(says(answer(b"x"))) as behind, running(one_route(behind, rewrite=rewrite)) as gateway:
        await ask(gateway, "/u/7")
        await ask(gateway, "/else")
    assert [request.line.split()[1] for request in behind.requests] == ["/users/7/profile", "/else"]
