"""CORS on real sockets."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from api_gateway_service_mesh.model import ApiKey, Authentication, Cors, Maintenance
from tests.support.asking import ask, deeds, one_route
from tests.support.backend import answer, backend, says
from tests.support.gateway import endpoint, mesh_of, route, running, upstream

CORS = Cors("urn:c", ("https://*.a.example", "https://b.example"), ("PUT",), ("x-a",), ("etag",), True, 600)
KEYS = Authentication("urn:test:route", api_keys=(ApiKey("urn:k", ("0" * 64,)),))
PREFLIGHT = "Origin: https://b.example\r\nAccess-Control-Request-Method: PUT\r\n"
OWN = "Access-Control-Allow-Origin: https://other.example\r\naccess-control-allow-credentials: true\r\nVary: Accept\r\n"


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_a_preflight_is_answered_before_anything_asks_who_calls(kind: str) -> None:
    async with backend(says(answer(b"x"))) as behind:
        mesh = one_route(behind, cors=CORS, authentication=KEYS, maintenance=Maintenance("urn:m", "urn:test:route"))
        async with running(mesh, kind=kind) as gateway:
            got = await ask(gateway, "/x", PREFLIGHT + "Access-Control-Request-Headers: x-a\r\n", method="OPTIONS")
            refused = await ask(gateway, "/x", PREFLIGHT.replace("PUT", "DELETE"), method="OPTIONS")
            assert deeds(gateway, "urn:c")[:3] == (1, 1, 0)
        assert behind.heads == []
    assert got.line.split()[1] == "204"
    assert got.get("access-control-allow-origin") == "https://b.example"
    assert got.get("access-control-allow-credentials") == "true"
    assert got.get("access-control-allow-methods") == "PUT"
    assert got.get("access-control-allow-headers") == "x-a"
    assert got.get("access-control-max-age") == "600"
    assert got.get("vary") == "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
    problem = json.loads(refused.body)
    assert (problem["type"], problem["policy"]) == ("urn:agw:problem:cors-refused", "urn:c")
    assert problem["detail"] == "pages may call this with PUT, not with DELETE"
    assert refused.get("access-control-allow-origin") is None


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_the_policy_takes_the_place_of_the_backends_word(kind: str) -> None:
    async with backend(says(answer(b"x", fields=OWN))) as behind:
        async with running(one_route(behind, cors=CORS), kind=kind) as gateway:
            got = await ask(gateway, fields="Origin: https://x.a.example\r\n")
            foreign = await ask(gateway, fields="Origin: https://evil.example\r\n")
            plain = await ask(gateway)
            assert deeds(gateway, "urn:c")[:3] == (0, 0, 1)
    assert got.get("access-control-allow-origin") == "https://x.a.example"
    assert got.get("access-control-allow-credentials") == "true"
    assert got.get("access-control-expose-headers") == "etag"
    assert sum(name.lower() == "access-control-allow-credentials" for name, _ in got.fields) == 1
    for each in (got, foreign, plain):
        assert each.body == b"x"
        assert [value for name, value in each.fields if name.lower() == "vary"] == ["Accept", "Origin"]
    for each in (foreign, plain):
        assert not [name for name, _ in each.fields if name.lower().startswith("access-control-")]


async def test_anybody() -> None:
    anybody = Cors("urn:c", ("*",), exposed=("*",))
    async with backend(says(answer(b"x"))) as behind, running(one_route(behind, cors=anybody)) as gateway:
        got = await ask(gateway, fields="Origin: null\r\n")
    assert got.get("access-control-allow-origin") == "*"
    assert got.get("access-control-expose-headers") == "*"
    assert got.get("access-control-allow-credentials") is None
    assert got.get("vary") is None


async def test_pages_may_read_why_they_are_refused() -> None:
    async with backend(says(answer(b"x"))) as behind:
        async with running(one_route(behind, cors=CORS, authentication=KEYS)) as gateway:
            got = await ask(gateway, fields="Origin: https://b.example\r\n")
    assert got.line.split()[1] == "401"
    assert got.get("access-control-allow-origin") == "https://b.example"


async def test_a_route_that_takes_no_options_has_preflights_all_the_same() -> None:
    put = route("/x=", "put", cors=CORS)
    put = replace(put, match=replace(put.match, methods=("PUT",)))
    other = route("", "other")
    async with backend(says(answer(b"other"))) as behind:
        mesh = mesh_of((put, other), upstream(endpoint(behind.port)))
        async with running(mesh) as gateway:
            got = await ask(gateway, "/x", PREFLIGHT, method="OPTIONS")
            no_preflight = await ask(gateway, "/x", "Origin: https://b.example\r\n", method="OPTIONS")
    assert got.line.split()[1] == "204"
    assert no_preflight.body == b"other"
