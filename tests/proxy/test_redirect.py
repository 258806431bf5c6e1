"""Redirects on real sockets."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.model import Redirect
from tests.support.asking import ask, deeds, one_route
from tests.support.backend import answer, backend, says
from tests.support.gateway import mesh_of, route, running


@pytest.mark.parametrize("kind", ["engine", "app"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_the_client_is_sent_on_and_the_query_stays(kind: str, status: int) -> None:
    made = route("/old", to=None, redirect=Redirect("urn:r", status, "https", "b.example", prefix="/new"))
    async with running(mesh_of(made, access_log=True), kind=kind) as gateway:
        got = await ask(gateway, "/old/x?a=b%20c")
        head = await ask(gateway, "/old/x", method="HEAD")
        assert deeds(gateway, "urn:r")[0] == 2
    assert got.line.split()[1] == str(status)
    assert got.get("location") == "https://b.example/new/x?a=b%20c"
    assert got.body == b"https://b.example/new/x?a=b%20c\n"
    assert head.get("location") == "https://b.example/new/x"
    assert '"refused_by":"urn:r"' in gateway.log[0]


async def test_nobody_is_sent_to_where_they_are() -> None:
    moved = Redirect("urn:r", host="a.example", port=None)
    async with backend(says(answer(b"x"))) as behind, running(one_route(behind, redirect=moved)) as gateway:
        assert (await ask(gateway)).body == b"x"
        assert deeds(gateway, "urn:r")[0] == 0


async def test_a_path_cannot_name_another_host() -> None:
    made = route("/go", to=None, redirect=Redirect("urn:r", prefix="/"))
    async with running(mesh_of(made)) as gateway:
        got = await ask(gateway, "/go//evil.example/x")
    assert got.line.split()[1] == "400" or got.get("location") == "/evil.example/x"
