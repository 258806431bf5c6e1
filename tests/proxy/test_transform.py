"""Transformations on real sockets: what a backend and a client get to see."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator

import aiohttp
import pytest

from api_gateway_service_mesh.model import ApiKey, Authentication, RequestTransformation, ResponseTransformation, Retry
from tests.support.asking import ask, deeds, one_route
from tests.support.backend import answer, backend, says
from tests.support.gateway import running
from tests.support.http2 import Client, fields_for

ASKED = RequestTransformation(
    "urn:in", sets=(("X-Shop", "north"),), adds=(("X-Hop", "agw"),), removes=("x-debug", "authorization"),
    copies=(("x-tenant", "X-Id"),), sets_parameters=(("limit", "10"),), adds_parameters=(("by", "a&b"),),
    removes_parameters=("debug",),
)  # fmt: skip
TOLD = ResponseTransformation("urn:out", (("X-Shop", "north"),), (("Vary", "X-Shop"),), ("x-internal",))
SENT = "X-Shop: south\r\nX-Hop: me\r\nX-Debug: 1\r\nAuthorization: Bearer x\r\nX-Tenant: 7\r\nX-Id: 1\r\n"


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_what_a_backend_gets_to_see(kind: str) -> None:
    async with backend(says(answer(b"x"))) as behind:
        async with running(one_route(behind, request_transformation=ASKED), kind=kind) as gateway:
            await ask(gateway, "/a/b?limit=500&x=%2F&debug&debug=2", SENT, method="POST", body="hello")
            await ask(gateway, "/a")
            assert deeds(gateway, "urn:in")[0] == 2
    got, plain = behind.requests
    assert got.line == "POST /a/b?x=%2F&limit=10&by=a%26b HTTP/1.1"
    assert plain.line == "GET /a?limit=10&by=a%26b HTTP/1.1"
    assert got.body == b"hello"
    assert (got.all("x-shop"), got.all("x-hop"), got.all("x-id")) == (["north"], ["me", "agw"], ["7"])
    assert (got.get("x-debug"), got.get("authorization"), got.get("x-tenant")) == (None, None, "7")
    assert (plain.get("x-id"), plain.get("x-shop"), plain.get("host")) == (None, "north", "a.example")


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_what_a_client_gets_to_see(kind: str) -> None:
    own = "X-Shop: south\r\nX-Internal: host-7\r\nVary: Origin\r\n"
    async with backend(says(answer(b"x", fields=own))) as behind:
        async with running(one_route(behind, response_transformation=TOLD), kind=kind) as gateway:
            got = await ask(gateway)
            assert deeds(gateway, "urn:out")[0] == 1
    assert (got.body, got.all("x-shop"), got.get("x-internal")) == (b"x", ["north"], None)
    assert got.all("vary") == ["Origin", "X-Shop"]


async def test_fields_may_be_removed_alone() -> None:
    async def stream(_: object, conversation: object) -> None:
        await conversation.send(
            b"HTTP/1.1 200 OK\r\nX-Internal: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
        )  # type: ignore[attr-defined]

    told = ResponseTransformation("urn:out", removes=("x-internal",))
    async with backend(says(answer(b"x", fields="X-Internal: 1\r\n"))) as whole, backend(stream) as pieces:
        for behind in (whole, pieces):
            async with running(one_route(behind, response_transformation=told)) as gateway:
                got = await ask(gateway)
            assert (got.body, got.get("x-internal")) == (b"x", None)


async def test_what_the_gateway_answers_before_is_not_changed() -> None:
    keys = Authentication("urn:test:route", api_keys=(ApiKey("urn:k", ("0" * 64,)),))
    async with backend(says(answer(b"x"))) as behind:
        async with running(one_route(behind, response_transformation=TOLD, authentication=keys)) as gateway:
            refused = await ask(gateway)
    assert (refused.line.split()[1], refused.get("x-shop")) == ("401", None)


async def test_http2_and_aiohttp() -> None:
    async with backend(says(answer(b"x", fields="X-Internal: 1\r\n"))) as behind:
        mesh = one_route(behind, request_transformation=ASKED, response_transformation=TOLD)
        async with running(mesh) as gateway:
            client = await Client.connect(gateway.port)
            got = await client.fetch([*fields_for("/h?debug=1"), ("x-tenant", "8")])
            client.close()
            async with aiohttp.ClientSession() as session:
                async with session.get(
                    f"http://127.0.0.1:{gateway.port}/i?limit=1", headers={"X-Tenant": "9"}
                ) as other:
                    assert "X-Internal" not in other.headers
    assert (got.status, got.get("x-shop"), got.get("x-internal")) == (200, "north", None)
    assert [one.line.split()[1] for one in behind.requests] == ["/h?limit=10&by=a%26b", "/i?limit=10&by=a%26b"]
    assert [one.get("x-id") for one in behind.requests] == ["8", "9"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
async def test_curl() -> None:
    async with backend(says(answer(b"hello", fields="X-Internal: 1\r\n"))) as behind:
        async with running(one_route(behind, response_transformation=TOLD)) as gateway:
            process = await asyncio.create_subprocess_exec(
                "curl", "-sSi", "-m", "20", f"http://127.0.0.1:{gateway.port}/", stdout=asyncio.subprocess.PIPE
            )
            out, _ = await process.communicate()
    assert b"X-Shop: north" in out
    assert b"X-Internal" not in out


MEMBERS = RequestTransformation(
    "urn:in", removes_members=("/secret",), renames_members=(("/mail", "email"),), sets_members=(("/channel", '"web"'),)
)
CHANGED = b'{"email":"a","channel":"web"}'


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_bodies_of_requests_are_changed(kind: str) -> None:
    said = '{"mail": "a", "secret": 1}'
    fields = "Content-Type: application/json; charset=utf-8\r\nContent-Digest: sha-256=:AAAA:\r\n"
    async with backend(says(answer(b"x"))) as behind:
        async with running(one_route(behind, request_transformation=MEMBERS), kind=kind) as gateway:
            await ask(gateway, "/", fields, method="POST", body=said)
            async with aiohttp.ClientSession() as session:

                async def pieces() -> AsyncIterator[bytes]:
                    yield said[:9].encode()
                    await asyncio.sleep(0.01)
                    yield said[9:].encode()

                kinds = {"Content-Type": "application/vnd.shop+json"}
                async with session.post(f"http://127.0.0.1:{gateway.port}/", data=pieces(), headers=kinds) as got:
                    assert got.status == 200
            await ask(gateway, "/", "Content-Type: text/plain\r\n", method="POST", body=said)
            await ask(gateway, "/", "Content-Type: application/json\r\n", method="POST", body=" [1 ]")
            await ask(gateway)
    whole, streamed, text, array, none = behind.requests
    assert (whole.body, whole.all("content-length"), whole.get("content-digest")) == (
        CHANGED,
        [str(len(CHANGED))],
        None,
    )
    assert (streamed.body, streamed.get("content-length")) == (CHANGED, None)
    assert (text.body, array.body, none.body) == (said.encode(), b" [1 ]", b"")


@pytest.mark.parametrize(
    ("status", "fields", "body"),
    [
        ("400", "", '{"secret":1,"secret":2}'),
        ("400", "", "{"),
        ("415", "Content-Encoding: gzip\r\n", "{}"),
        ("413", "", '"' + "x" * (1 << 20) + '"'),
    ],
)
async def test_bodies_that_cannot_be_changed_are_not_let_through(status: str, fields: str, body: str) -> None:
    async with backend(says(answer(b"x"))) as behind:
        async with running(one_route(behind, request_transformation=MEMBERS)) as gateway:
            got = await ask(gateway, "/", "Content-Type: application/json\r\n" + fields, method="POST", body=body)
    assert got.line.split()[1] == status and b"urn:in" in got.body
    assert behind.requests == []


async def test_a_changed_body_is_tried_again_as_it_was_changed() -> None:
    async with backend(says(answer(b"", "503 X"), answer(b"ok"))) as behind:
        retry = Retry("urn:r", 1, 0.01, statuses=(503,), retry_non_idempotent=True)
        async with running(one_route(behind, request_transformation=MEMBERS, retry=retry)) as gateway:
            got = await ask(gateway, "/", "Content-Type: application/json\r\n", method="POST", body='{"mail":"a"}')
    assert got.line.split()[1] == "200"
    assert [request.body for request in behind.requests] == [CHANGED, CHANGED]
