"""Caches as the control process and its admin port have them: what is kept over two workers, and what is purged."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner

from api_gateway_service_mesh.cli import agw
from tests.support.backend import Conversation, Received, answer, backend
from tests.support.redis_server import redis_server
from tests.support.serving import Serving, turtle

TEXT = """ex:gateway a agw:ApiGateway ; agw:hasRoute ex:r .
ex:r a agw:Route ; agw:routePath "/*" ; agw:hasBackendService ex:s ; agw:hasCache ex:c .
ex:c a agw:Cache .
ex:s a agw:BackendService ; agw:address "127.0.0.1:@port@" .
"""
SHARED = (
    TEXT.replace("a agw:Cache .", "a agw:Cache ; agw:sharedThrough ex:redis .")
    + """
ex:redis a agw:RedisStore ; agw:storeAddress "127.0.0.1:@redis@" ; agw:storeTimeout "PT10S"^^<http://www.w3.org/2001/XMLSchema#dayTimeDuration> .
"""
)
FIELDS = "Cache-Control: max-age=600\r\nSurrogate-Key: one two\r\n"
UPDATE = """PREFIX agw: <https://ggen.ai/ontology/api-gateway#> PREFIX ex: <http://example.org/>
INSERT { ex:c agw:hasPurge ex:p . ex:p a agw:CachePurge ; agw:purgedBefore ?now } WHERE { BIND (NOW() AS ?now) }"""


async def test_purges_hold_in_all_workers_at_once(tmp_path: Path) -> None:
    generation = 0

    async def script(received: Received, conversation: Conversation) -> None:
        await conversation.send(answer(b"generation %d" % generation, fields=FIELDS))

    async with backend(script) as behind, aiohttp.ClientSession() as session:
        file = tmp_path / "gateway.ttl"
        file.write_text(turtle(TEXT.replace("@port@", str(behind.port))))
        served = Serving(
            *(str(file), "--host", "127.0.0.1", "--port", "0", "--admin-port", "0", "--workers", "2", "--writable"),
        )
        try:
            await asyncio.to_thread(served.ready)

            async def bodies() -> set[str]:
                """Of requests on many connections, so that both workers are asked."""
                found = set()
                for _ in range(12):
                    async with aiohttp.ClientSession() as one:
                        async with one.get(f"http://127.0.0.1:{served.port}/x?y=z") as got:
                            found.add(await got.text())
                return found

            def command(*words: str) -> tuple[int, str]:
                done = CliRunner().invoke(agw, ["cache", *words, "--live", served.admin], catch_exceptions=False)
                return done.exit_code, done.output

            assert await bodies() == {"generation 0"}
            ways = (
                ("--url", f"http://127.0.0.1:{served.port}/x?y=%7A"),
                ("--tag", "two"),
                ("--all",),
                ("--all", "--cache", "http://example.org/c"),
            )
            for way in ways:
                generation += 1
                assert await bodies() == {f"generation {generation - 1}"}
                code, said = await asyncio.to_thread(command, "purge", *way)
                assert (code, said) == (0, "purged: <http://example.org/c>\n")
                assert await bodies() == {f"generation {generation}"}
            generation += 1
            async with session.post(
                served.admin + "/sparql", data=UPDATE, headers={"Content-Type": "application/sparql-update"}
            ) as got:
                assert got.status in (200, 204), await got.text()
            assert await bodies() == {f"generation {generation}"}
            code, said = await asyncio.to_thread(command, "show", "--format", "json")
            (told,) = json.loads(said)
            assert (told["iri"], told["entries"] in (1, 2), told["bytes"] > 500) == ("http://example.org/c", True, True)
            assert told["hits"] > 0
            assert (await asyncio.to_thread(command, "show"))[1].startswith("<http://example.org/c>: ")
            async with session.get(served.admin + "/metrics") as got:
                metrics = await got.text()
            assert 'agw_cache_entries{cache="http://example.org/c"}' in metrics
            assert 'agw_traffic_policy_total{policy="http://example.org/c",deed="cache-hit"}' in metrics
            for body, wanted in (
                ({}, "nothing to purge"),
                ({"urls": ["/x"]}, "no whole URL"),
                ({"tags": "one"}, "lists"),
                ({"tag": "one"}, "an object of"),
                ({"everything": True, "cache": "urn:none"}, "no cache is"),
            ):
                async with session.post(served.admin + "/cache/purge", json=body) as got:
                    assert got.status == 400
                    assert wanted in await got.text()
        finally:
            await asyncio.to_thread(served.end)


async def test_two_gateways_keep_the_same_and_purge_the_same(tmp_path: Path) -> None:
    """As they are deployed: two processes with two workers each, one Redis; one fetch, and one purge for all."""
    count = 0

    async def script(received: Received, conversation: Conversation) -> None:
        nonlocal count
        count += 1
        await conversation.send(answer(b"generation %d" % count, fields=FIELDS))

    with redis_server(tmp_path) as redis:
        async with backend(script) as behind:
            file = tmp_path / "gateway.ttl"
            file.write_text(turtle(SHARED.replace("@port@", str(behind.port)).replace("@redis@", str(redis.port))))
            words = (str(file), "--host", "127.0.0.1", "--port", "0", "--admin-port", "0", "--workers", "2")
            one, other = Serving(*words), Serving(*words)
            try:
                for served in (one, other):
                    await asyncio.to_thread(served.ready)

                async def bodies(path: str) -> list[str]:
                    found = []
                    for served in (one, other) * 6:
                        async with aiohttp.ClientSession() as session:
                            async with session.get(f"{served.url}{path}", headers={"Host": "shop.example"}) as got:
                                found.append(await got.text())
                    return found

                def command(*words: str) -> str:
                    return CliRunner().invoke(agw, ["cache", *words], catch_exceptions=False).output

                # A first answer is written behind the one that waits for it: then it is there for everyone.
                end = time.monotonic() + 20
                path = "/x"
                while len(set(await bodies(path))) > 1:
                    assert time.monotonic() < end
                    path += "x"
                before, fetched = set(await bodies(path)), count
                assert (len(before), count) == (1, fetched)
                said = await asyncio.to_thread(command, "purge", "--tag", "two", "--live", one.admin)
                assert said.startswith("purged: <http://example.org/c>\n")
                end = time.monotonic() + 20
                while before & set(await bodies(path)):
                    assert time.monotonic() < end
                shown = json.loads(await asyncio.to_thread(command, "show", "--format", "json", "--live", other.admin))
                assert shown[0]["shared"]["hits"] > 0
                async with aiohttp.ClientSession() as session, session.get(other.admin + "/metrics") as got:
                    metrics = await got.text()
                assert 'agw_cache_store_total{cache="http://example.org/c",result="hit"}' in metrics
                assert 'agw_redis_up{store="http://example.org/redis"} 1' in metrics
                redis.stop()
                said = await asyncio.to_thread(command, "purge", "--all", "--live", one.admin)
                assert "here alone" in said
                assert len(await bodies("/y")) == 12, "without it both go on"
            finally:
                for served in (one, other):
                    await asyncio.to_thread(served.end)


def test_a_purge_of_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    done = CliRunner().invoke(agw, ["cache", "purge", "--live", "http://127.0.0.1:1"])
    assert done.exit_code != 0
