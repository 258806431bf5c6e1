"""Tokens towards backends under ``agw serve``: a real provider, two workers, one token for both."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from tests.support.backend import Backend, Conversation, Received, answer, backend, says
from tests.support.openid import CLIENT_ID, CLIENT_SECRET, NEEDS_PROVIDER, Provider, openid_provider
from tests.support.serving import Serving, turtle

SECONDS = 3


def shop(behind: Backend, copies: Backend, endpoint: str, scope: str = "orders:read") -> str:
    return turtle(
        f"""
        ex:g a agw:ApiGateway ; agw:hasRoute ex:orders , ex:plain ; agw:accessLogEnabled true .
        ex:Api <http://www.w3.org/2000/01/rdf-schema#subClassOf> agw:Route ; agw:hasClientCredentials ex:asShop .
        ex:orders a ex:Api ; agw:routePath "/orders" ; agw:hasBackendService ex:s ;
            agw:hasTrafficMirroring [ a agw:TrafficMirroring ; agw:targetService ex:copies ; agw:mirrorPercent 100 ] .
        ex:plain a agw:Route ; agw:routePath "/plain" ; agw:hasBackendService ex:s .
        ex:s a agw:BackendService ; agw:address "127.0.0.1:{behind.port}" .
        ex:copies a agw:BackendService ; agw:address "127.0.0.1:{copies.port}" .
        ex:asShop a agw:ClientCredentials ; agw:tokenEndpoint "{endpoint}" ; agw:clientId "{CLIENT_ID}" ;
            agw:clientSecretRef "env:AGW_TEST_SECRET" ; agw:clientAuthentication "client_secret_post" ;
            agw:requestedScope "{scope}" ."""
    )


@contextlib.asynccontextmanager
async def served(file: Path) -> AsyncIterator[Serving]:
    gateway = Serving(
        str(file), "--host", "127.0.0.1", "--port", "0", "--admin-port", "0", "--workers", "2",
        environment={"AGW_TEST_SECRET": CLIENT_SECRET},
    )  # fmt: skip
    try:
        await asyncio.to_thread(gateway.ready)
        yield gateway
    finally:
        await asyncio.to_thread(gateway.end)


async def ask(gateway: Serving, path: str = "/orders", **more: str) -> tuple[int, dict[str, object]]:
    """On a connection of its own, which any worker may take."""
    async with aiohttp.ClientSession(headers=more) as session, session.get(gateway.url + path) as said:
        return said.status, await said.json() if "json" in said.content_type else {}


async def graph(gateway: Serving) -> dict[str, str]:
    query = "SELECT ?p ?o WHERE { <http://example.org/asShop> ?p ?o }"
    accept = {"Accept": "application/sparql-results+json"}
    async with aiohttp.ClientSession(headers=accept) as session, asyncio.timeout(30):
        while True:
            async with session.get(gateway.admin + "/sparql", params={"query": query}) as said:
                if said.status == 200:
                    rows = (await said.json(content_type=None))["results"]["bindings"]
                    break
            await asyncio.sleep(0.2)  # its query processes are busy: the machine is
    return {row["p"]["value"].rpartition("#")[2]: row["o"]["value"] for row in rows}


async def says_in_time(gateway: Serving, state: str) -> dict[str, str]:
    async with asyncio.timeout(30):
        while (found := await graph(gateway)).get("tokenState") != state:
            await asyncio.sleep(0.1)
    return found


def shown(behind: Backend) -> list[str]:
    return [request.get("authorization") or "" for request in behind.requests]


@NEEDS_PROVIDER
async def test_backends_see_one_token_of_the_gateway_s_own(tmp_path: Path) -> None:
    good = answer(b"ok")
    async with backend(says(good)) as behind, backend(says(good)) as copies:
        async with openid_provider(tmp_path, seconds={"client": SECONDS}) as provider:
            file = tmp_path / "gateway.ttl"
            file.write_text(shop(behind, copies, f"{provider.issuer}/token"))
            async with served(file) as gateway:
                await exercise(gateway, behind, copies, provider)


async def exercise(gateway: Serving, behind: Backend, copies: Backend, provider: Provider) -> None:
    answers = await asyncio.gather(*(ask(gateway, Authorization="Bearer mine") for _ in range(16)))
    assert {status for status, _ in answers} == {200}
    (first,) = set(shown(behind))
    assert first.startswith("Bearer ")
    assert first != "Bearer mine"
    async with asyncio.timeout(20):
        while len(copies.requests) < 16:
            await asyncio.sleep(0.02)
    assert set(shown(copies)) == {"Bearer mine"}, "copies carry what the client sent"
    await ask(gateway, "/plain", Authorization="Bearer mine")
    assert shown(behind)[-1] == "Bearer mine"
    found = await says_in_time(gateway, "HELD")
    assert "tokenExpiry" in found
    async with asyncio.timeout(30):  # renewed before its end, without a request that fails
        while len(set(shown(behind))) < 4:
            assert (await ask(gateway))[0] == 200
            await asyncio.sleep(0.05)
    fetched = int((await graph(gateway))["tokenFetchedTotal"])
    assert fetched < 2 * len(set(shown(behind))), "one process fetches, for both workers"
    before = gateway.workers
    os.kill(before[0], signal.SIGKILL)  # the one that takes its place is told as well
    async with asyncio.timeout(30):
        while len(gateway.workers) < 2 or before[0] in gateway.workers:
            await asyncio.sleep(0.05)
    assert {status for status, _ in await asyncio.gather(*(ask(gateway) for _ in range(16)))} == {200}
    async with aiohttp.ClientSession() as session, session.get(gateway.admin + "/metrics") as said:
        metrics = await said.text()
    assert 'agw_backend_token_refusals_total{credentials="http://example.org/asShop"}' in metrics
    assert 'agw_backend_token_fetches_total{credentials="http://example.org/asShop",result="fetched"}' in metrics
    told = "\n".join([*gateway.lines, *gateway.output, metrics, str(await graph(gateway))])
    assert not [token for token in set(shown(behind)) if token.removeprefix("Bearer ") in told]
    assert CLIENT_SECRET not in told


@NEEDS_PROVIDER
async def test_without_a_token_it_is_refused_and_the_last_one_lasts_to_its_end(tmp_path: Path) -> None:
    good = answer(b"ok")
    async with backend(says(good)) as behind, backend(says(good)) as copies, contextlib.AsyncExitStack() as stack:
        async with openid_provider(tmp_path, seconds={"client": 3 * SECONDS}) as provider:
            file = tmp_path / "gateway.ttl"
            file.write_text(shop(behind, copies, f"{provider.issuer}/token"))
            gateway = await stack.enter_async_context(served(file))
            assert (await ask(gateway))[0] == 200
        assert (await ask(gateway))[0] == 200  # the provider is gone
        found = await says_in_time(gateway, "LOST")
        assert found["tokenFault"].startswith("it cannot be asked")
        async with asyncio.timeout(20):
            while (said := await ask(gateway))[0] == 200:
                await asyncio.sleep(0.05)
        status, problem = said
        assert (status, problem["type"]) == (503, "urn:agw:problem:backend-token-unavailable")
        assert problem["policy"] == "http://example.org/asShop"
        assert (await ask(gateway, "/plain"))[0] == 200
        async with asyncio.timeout(20):
            while not any('"flags":["NT"]' in line for line in gateway.output):
                await asyncio.sleep(0.05)


async def test_a_token_that_the_backend_knows_no_more_is_fetched_anew(tmp_path: Path) -> None:
    """Whichever worker meets the 401: one process fetches, and tells both."""
    given = 0

    async def gives(_: Received, conversation: Conversation) -> None:
        nonlocal given
        given += 1
        body = f'{{"access_token":"t{given}","token_type":"Bearer","expires_in":3600}}'.encode()
        await conversation.send(answer(body, fields="Content-Type: application/json\r\n"))

    async def judges(received: Received, conversation: Conversation) -> None:
        known = received.get("authorization") == "Bearer t2"
        await conversation.send(answer(b"ok", "200 OK" if known else "401 Unauthorized"))

    async with backend(gives) as tokens, backend(judges) as behind, backend(says(answer(b"ok"))) as copies:
        file = tmp_path / "gateway.ttl"
        file.write_text(shop(behind, copies, f"http://127.0.0.1:{tokens.port}/token"))
        async with served(file) as gateway:
            first = await asyncio.gather(*(ask(gateway) for _ in range(16)))
            assert {status for status, _ in first} <= {200, 401}
            async with asyncio.timeout(30):
                while set(await asyncio.gather(*(asking(gateway) for _ in range(8)))) != {200}:
                    await asyncio.sleep(0.05)
            found = await graph(gateway)
            assert (found["tokenRefusedTotal"], found["tokenFetchedTotal"], given) == ("1", "2", 2)


async def asking(gateway: Serving) -> int:
    return (await ask(gateway))[0]
