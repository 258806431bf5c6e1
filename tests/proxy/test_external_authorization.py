"""A service that is asked who may do what, on real sockets: it allows, refuses, is slow, is dead, is asked once."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace

import pytest

from api_gateway_service_mesh.model import AuthorizationFailureMode, ExternalAuthorization, Mesh
from api_gateway_service_mesh.proxy.external_authorization import OPEN_FLAG
from tests.support.asking import ask, deeds
from tests.support.backend import Backend, Conversation, Received, answer, backend, says
from tests.support.gateway import endpoint, mesh_of, route, running, upstream

CLOSED, OPEN = AuthorizationFailureMode.CLOSED, AuthorizationFailureMode.OPEN


def mesh(behind: Backend, port: int, mode: AuthorizationFailureMode = CLOSED, **more: object) -> Mesh:
    asked = replace(ExternalAuthorization("urn:ext", "urn:test:judge", mode, timeout_seconds=5.0), **more)  # type: ignore[arg-type]
    return mesh_of(
        route(external_authorization=asked),
        upstream(endpoint(behind.port)),
        upstream(endpoint(port, "judge"), name="judge"),
        access_log=True,
    )


async def judging(received: Received, conversation: Conversation) -> None:
    """Lets whoever shows the right token through, and says who it is."""
    if received.get("Authorization") == "Bearer good":
        await conversation.send(answer(b"", fields="X-User: alice\r\nX-Other: no\r\n"))
    else:
        text = b"go away"
        head = f'HTTP/1.1 401 Unauthorized\r\nContent-Type: text/x-said\r\nWWW-Authenticate: Bearer realm="j"\r\nX-Inner: no\r\nContent-Length: {len(text)}\r\n\r\n'
        await conversation.send(head.encode() + text)


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_it_allows_with_fields_for_the_backend_and_refuses(kind: str) -> None:
    async with backend(says(answer(b"ok"))) as behind, backend(judging) as judge:
        made = mesh(behind, judge.port, takes=("x-user",), sends=("authorization", "x-tenant"), path_prefix="/check")
        async with running(made, kind=kind) as gateway:
            shown = "Authorization: Bearer good\r\nX-Tenant: t\r\nX-User: mallory\r\nX_User: mallory\r\nCookie: a=b\r\n"
            let = await ask(gateway, "/a?b=c", shown, method="POST", body="hello")
            refused = await ask(gateway, "/a", "Authorization: Bearer bad\r\n")
            assert deeds(gateway, "urn:ext")[:4] == (1, 1, 0, 0)
    assert (let.line.split()[1], let.body) == ("200", b"ok")
    assert behind.requests[0].body == b"hello" and behind.requests[0].all("X-User") == ["alice"]
    assert behind.requests[0].all("X_User") == [] and behind.requests[0].all("X-Other") == []
    seen = judge.requests[0]
    assert seen.line.split()[:2] == ["POST", "/check/a?b=c"] and seen.body == b""
    assert (seen.get("X-Tenant"), seen.get("Host"), seen.get("Cookie")) == ("t", "a.example", None)
    assert seen.get("X-Forwarded-For") == "127.0.0.1" and seen.get("X-Forwarded-Proto") == "http"
    assert refused.line.split()[1] == "403" and len(behind.requests) == 1
    problem = json.loads(refused.body)
    assert (problem["type"], problem["policy"]) == ("urn:agw:problem:external-denied", "urn:ext")
    assert "answered 401" in gateway.log[1] and "UAEX" in gateway.log[1]


async def test_its_own_refusal_is_passed_where_that_is_asked_for() -> None:
    async with backend(says(answer(b"ok"))) as behind, backend(judging) as judge:
        async with running(mesh(behind, judge.port, passes_denial=True)) as gateway:
            refused = await ask(gateway)
            head = await ask(gateway, method="HEAD")
    assert refused.line.split()[1] == "401" and refused.body == b"go away"
    assert refused.get("Content-Type") == "text/x-said" and refused.get("WWW-Authenticate") == 'Bearer realm="j"'
    assert refused.get("X-Inner") is None and head.line.split()[1] == "401"
    assert behind.requests == []


async def slow(_: Received, conversation: Conversation) -> None:
    await asyncio.sleep(30)


async def broken(_: Received, conversation: Conversation) -> None:
    await conversation.send(answer(b"").replace(b"200 OK", b"503 No"))


async def cut(_: Received, conversation: Conversation) -> None:
    await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    conversation.reset()


@pytest.mark.parametrize("script", [slow, broken, cut, None], ids=["slow", "broken", "cut", "dead"])
async def test_silence_is_what_the_configuration_says(script: object) -> None:
    async with backend(says(answer(b"ok"))) as behind, backend(script or slow) as judge:  # type: ignore[arg-type]
        port = judge.port if script is not None else 1
        began = time.monotonic()
        async with running(mesh(behind, port, CLOSED, timeout_seconds=0.2)) as gateway:
            refused = await ask(gateway)
            assert deeds(gateway, "urn:ext")[:4] == (0, 0, 1, 0)
        assert refused.line.split()[1] == "503"
        assert json.loads(refused.body)["type"] == "urn:agw:problem:external-unavailable"
        assert behind.requests == []
        async with running(mesh(behind, port, OPEN, timeout_seconds=0.2, takes=("x-user",))) as gateway:
            assert (await ask(gateway, fields="X-User: mallory\r\n")).body == b"ok"
        assert OPEN_FLAG in gateway.log[0]
        assert behind.requests[0].get("X-User") is None
        assert time.monotonic() - began < 20


async def test_a_verdict_counts_for_its_time_and_for_nobody_else() -> None:
    async with backend(says(answer(b"ok"))) as behind, backend(judging) as judge:
        async with running(mesh(behind, judge.port, lifetime_seconds=60.0, takes=("x-user",))) as gateway:
            for _ in range(3):
                assert (await ask(gateway, fields="Authorization: Bearer good\r\n")).body == b"ok"
                assert (await ask(gateway, fields="Authorization: Bearer bad\r\n")).line.split()[1] == "403"
            assert (await ask(gateway, "/other", "Authorization: Bearer good\r\n")).body == b"ok"
            assert deeds(gateway, "urn:ext")[:4] == (4, 3, 0, 4)
    assert len(judge.requests) == 3
    assert [each.all("X-User") for each in behind.requests] == [["alice"]] * 4


async def test_a_client_that_leaves_while_it_is_asked_is_forgotten() -> None:
    async with backend(says(answer(b"ok"))) as behind, backend(slow) as judge:
        async with running(mesh(behind, judge.port, timeout_seconds=0.3)) as gateway:
            _, writer = await gateway.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await writer.drain()
            while not judge.requests:
                await asyncio.sleep(0.01)
            writer.close()
            await asyncio.sleep(0.5)
    assert behind.requests == []
