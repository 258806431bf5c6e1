"""Templates on real sockets: what their places get, and that a client cannot break out of them."""

from __future__ import annotations

import json

import pytest

from api_gateway_service_mesh.model import (
    Cache,
    DirectResponse,
    PathKind,
    PathMatch,
    RequestTransformation,
    ResponseTransformation,
    Rewrite,
    RouteMatch,
)
from api_gateway_service_mesh.proxy.template_values import path_places
from tests.support.asking import ask, one_route
from tests.support.backend import answer, backend, says
from tests.support.gateway import endpoint, mesh_of, route, running, upstream
from tests.support.http2 import Client, fields_for

JSON = "Content-Type: application/json\r\n"
OWN = '{"user": "${path.id}", "page": "${query.page}", "who": "${header.X-Who}", "sub": "${claim.sub}", "host": "${request.host}", '
OWN += '"said": "${request.method} ${request.path}", "id": "${request.id}"}'


def named(path: str) -> RouteMatch:
    return RouteMatch(PathMatch(PathKind.TEMPLATE, path))


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_an_answer_of_the_gateways_own(kind: str) -> None:
    direct = DirectResponse("urn:d", 200, OWN, "application/json", is_template=True)
    mesh = mesh_of(route(match=named("/users/{id}"), to=None, direct=direct))
    async with running(mesh, kind=kind) as gateway:
        hostile = "/users/%22%7D,%7B%22a%22:%221?page=%22%5D%0d%0a&page=2"
        got = await ask(gateway, hostile, 'X-Who: "}, {"\\\r\n')
        head = await ask(gateway, "/users/7", method="HEAD")
    made = json.loads(got.body)
    told = ("a.example", 'GET /users/"},{"a":"1', got.get("x-request-id"))
    assert made == {
        "user": '"},{"a":"1', "page": '"]\r\n', "who": '"}, {"\\', "sub": None,
        "host": told[0], "said": told[1], "id": told[2],
    }  # fmt: skip
    assert int(head.get("content-length") or 0) > 0


async def test_plain_text_over_http2() -> None:
    direct = DirectResponse("urn:d", 404, "no ${query.a}\nhere", is_template=True)
    async with running(mesh_of(route(to=None, direct=direct))) as gateway:
        client = await Client.connect(gateway.port)
        got = await client.fetch(fields_for("/?a=x%0d%0ay%C3%B6"))
        client.close()
    assert (got.status, got.body) == (404, "no x  yö\nhere".encode())


async def test_more_than_an_answer_may_repeat() -> None:
    body = json.dumps(["${header.x-a}"] * 1000)
    direct = DirectResponse("urn:d", 200, body, "application/json", is_template=True)
    async with running(mesh_of(route(to=None, direct=direct))) as gateway:
        got = await ask(gateway, fields=f"X-A: {'a' * 4000}\r\n")
    assert got.line.split()[1] == "431" and len(got.body) < 1000


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_bodies_on_the_way(kind: str) -> None:
    asked = RequestTransformation(
        "urn:in", template='{"order": "${body/id}", "for": "${header.X-Who}", "in": "${path.id}"}'
    )
    told = ResponseTransformation(
        "urn:out", template='{"data": "${body}", "status": "${status}", "page": "${query.p}"}'
    )
    said = (answer(b'{"a":[1]}', "201 Made", JSON + 'ETag: "v1"\r\n'), answer(b'{"error":1}', "404 No", JSON))
    async with backend(says(*said)) as behind:
        mesh = mesh_of(
            route(
                match=named("/shops/{id}"), request_transformation=asked, response_transformation=told,
                rewrite=Rewrite("urn:w", full_path="/else"),
            ),
            upstream(endpoint(behind.port)),
        )  # fmt: skip
        async with running(mesh, kind=kind) as gateway:
            body = '{"id": "\\"}", "more": 1}'
            got = await ask(gateway, "/shops/n?p=2", JSON + 'X-Who: "a\r\n', method="POST", body=body)
            failure = await ask(gateway, "/shops/n")
    assert behind.requests[0].line == "POST /else?p=2 HTTP/1.1"
    assert json.loads(behind.requests[0].body) == {"order": '"}', "for": '"a', "in": "n"}
    assert json.loads(got.body) == {"data": {"a": [1]}, "status": 201, "page": "2"}
    assert failure.body == b'{"error":1}'


async def test_a_cache_keeps_what_a_template_made() -> None:
    told = ResponseTransformation("urn:out", template='["${query.p}", "${body/a}"]')
    own = JSON + "Cache-Control: max-age=60\r\n"
    async with backend(says(answer(b'{"a":1}', fields=own))) as behind:
        async with running(one_route(behind, response_transformation=told, cache=Cache("urn:c"))) as gateway:
            got = [(await ask(gateway, f"/?p={page}")).body for page in (1, 1, 2)]
    assert got == [b'["1",1]', b'["1",1]', b'["2",1]'] and len(behind.requests) == 2


def test_only_templates_of_paths_have_names() -> None:
    assert path_places(route(match=named("/a/{b}/{c}"))) == {"b": 2, "c": 3}
    assert path_places(route("/a/{b}")) == {}
