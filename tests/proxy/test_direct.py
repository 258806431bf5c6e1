"""Direct responses on real sockets."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.model import DirectResponse
from tests.support.asking import ask, deeds
from tests.support.gateway import mesh_of, route, running


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_it_is_answered_here(kind: str) -> None:
    direct = DirectResponse("urn:d", 410, '{"gone":"ja, é"}', "application/json", ("Cache-Control: no-store", "X-A:b"))
    async with running(mesh_of(route(to=None, direct=direct)), kind=kind) as gateway:
        got = await ask(gateway, method="POST", body="abc")
        head = await ask(gateway, method="HEAD")
        assert deeds(gateway, "urn:d")[0] == 2
    assert got.line == "HTTP/1.1 410 Gone"
    assert got.body.decode() == '{"gone":"ja, é"}'
    wanted = ("application/json", "no-store", "b", "17")
    assert tuple(got.get(n) for n in ("content-type", "cache-control", "x-a", "content-length")) == wanted
    assert (head.line, head.get("content-length"), head.body) == ("HTTP/1.1 410 Gone", "17", b"")


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_no_content_has_none(kind: str) -> None:
    async with running(mesh_of(route(to=None, direct=DirectResponse("urn:d", 204, "x"))), kind=kind) as gateway:
        got = await ask(gateway)
    assert (got.line, got.body, got.get("content-type")) == ("HTTP/1.1 204 No Content", b"", None)
