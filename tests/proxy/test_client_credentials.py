"""The stage that shows backends a token: waits for the first, replaces what clients sent, refuses without one."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from api_gateway_service_mesh.model import ApiKey, Authentication, ClientCredentials, Mirror, OAuthClient
from api_gateway_service_mesh.policies.refusal import read_refusals
from api_gateway_service_mesh.proxy import client_credentials
from api_gateway_service_mesh.proxy.refusals import NUMBERS
from tests.support.backend import Conversation, Received, answer, backend, says
from tests.support.gateway import endpoint, mesh_of, raw, route, running, upstream

CARRIED = ClientCredentials("urn:as", "http://127.0.0.1:1/token", OAuthClient("shop"))
GET = b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer mine\r\nConnection: close\r\n\r\n"


async def test_the_first_request_waits_and_gets_the_token_in_the_place_of_the_client_s() -> None:
    async with backend(says(answer(b"ok"))) as behind, backend(says(answer(b"ok"))) as copies:
        mirrored = route(client_credentials=CARRIED, mirrors=(Mirror("urn:m", "urn:test:copies"),))
        mesh = mesh_of(mirrored, upstream(endpoint(behind.port)), upstream(endpoint(copies.port, "c"), name="copies"))
        async with running(mesh) as gateway:
            tokens = gateway.engine.core().backend_tokens
            first = asyncio.create_task(raw(gateway.port, GET, seconds=30))
            async with asyncio.timeout(20):
                while not tokens._waiting:
                    await asyncio.sleep(0.005)
            assert not behind.requests
            tokens.told({"urn:other": ("no", time.time() + 60)})  # not what it waits for
            tokens.told({"urn:as": ("abc", time.time() + 60)})
            assert (await first).startswith(b"HTTP/1.1 200")
            body = GET.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\nhi")
            assert (await raw(gateway.port, body)).startswith(b"HTTP/1.1 200")
            assert [request.all("authorization") for request in behind.requests] == [["Bearer abc"]] * 2
            async with asyncio.timeout(20):
                while len(copies.requests) < 2:
                    await asyncio.sleep(0.005)
            assert [request.all("authorization") for request in copies.requests] == [["Bearer mine"]] * 2


async def test_without_a_token_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_credentials, "FIRST_SECONDS", 0.1)
    async with backend(says(answer(b"ok"))) as behind:
        mesh = mesh_of(route(client_credentials=CARRIED), upstream(endpoint(behind.port)), access_log=True)
        async with running(mesh) as gateway:
            tokens = gateway.engine.core().backend_tokens
            for told in (None, {"urn:as": None}, {"urn:as": ("abc", time.time() - 1)}):
                if told is not None:
                    tokens.told(told)
                text = (await raw(gateway.port, GET, seconds=30)).decode()
                assert text.startswith("HTTP/1.1 503 ")
                assert "Retry-After: 5\r\n" in text
                problem = json.loads(text.partition("\r\n\r\n")[2])
                assert (problem["type"], problem["policy"]) == ("urn:agw:problem:backend-token-unavailable", "urn:as")
                assert json.loads(gateway.log[-1])["flags"] == ["NT"]
            counts = read_refusals(gateway.store.view, gateway.layout.slots["refusal", mesh.iri], 1)
            assert counts[NUMBERS["backend-token-unavailable"]] == 3
            assert not behind.requests


async def test_a_token_that_a_backend_refuses_is_told_once_whoever_asks() -> None:
    good = "new"

    async def judges(received: Received, conversation: Conversation) -> None:
        known = received.get("authorization") == f"Bearer {good}"
        await conversation.send(answer(b"ok") if known else b"HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n")

    async with backend(judges) as behind:
        with_key = route(
            "/keyed",
            "keyed",
            client_credentials=CARRIED,
            authentication=Authentication("urn:key", api_keys=(ApiKey("urn:k", ("0" * 64,)),)),
        )
        mesh = mesh_of((route(client_credentials=CARRIED), with_key), upstream(endpoint(behind.port)))
        async with running(mesh) as gateway:
            tokens = gateway.engine.core().backend_tokens
            ends = time.time() + 60
            tokens.told({"urn:as": ("old", ends)})
            said = await asyncio.gather(*(raw(gateway.port, GET, seconds=30) for _ in range(20)))
            assert {each[9:12] for each in said} == {b"401"}, "the client is given what the backend says"
            assert tokens.take_refused() == [("urn:as", ends)]
            assert tokens.take_refused() == []
            tokens.told({"urn:as": ("new", ends + 1)})
            assert (await raw(gateway.port, GET, seconds=30)).startswith(b"HTTP/1.1 200")
            refused = await raw(gateway.port, GET.replace(b"GET /", b"GET /keyed"), seconds=30)
            assert refused.startswith(b"HTTP/1.1 401"), "by the gateway: this says nothing of its token"
            assert tokens.take_refused() == []


async def test_what_is_refused_late_says_nothing_of_the_token_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_credentials, "_TOLD_SECONDS", 0.0)
    reached, go = asyncio.Event(), asyncio.Event()

    async def slow(_: Received, conversation: Conversation) -> None:
        reached.set()
        await go.wait()
        await conversation.send(b"HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n")

    async with backend(slow) as behind:
        async with running(mesh_of(route(client_credentials=CARRIED), upstream(endpoint(behind.port)))) as gateway:
            tokens = gateway.engine.core().backend_tokens
            ends = time.time() + 60
            tokens.told({"urn:as": ("old", ends)})
            asked = asyncio.create_task(raw(gateway.port, GET, seconds=30))
            await reached.wait()
            tokens.told({"urn:as": ("new", ends + 1)})
            go.set()
            assert (await asked).startswith(b"HTTP/1.1 401")
            assert tokens.take_refused() == []
            assert (await raw(gateway.port, GET, seconds=30)).startswith(b"HTTP/1.1 401")
            assert tokens.take_refused() == [("urn:as", ends + 1)]
