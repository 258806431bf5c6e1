"""Caches as the control process and its admin port have them: what is kept over two workers, and what is purged."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner

from api_gateway_service_mesh.cli import agw
from tests.support.backend import Conversation, Received, answer, backend
from tests.support.serving import Serving, turtle

TEXT = """ex:gateway a agw:ApiGateway ; agw:hasRoute ex:r .
ex:r a agw:Route ; agw:routePath "/*" ; agw:hasBackendService ex:s ; agw:hasCache ex:c .
ex:c a agw:Cache .
ex:s a agw:BackendService ; agw:address "127.0.0.1:@port@" .
"""
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


def test_a_purge_of_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    done = CliRunner().invoke(agw, ["cache", "purge", "--live", "http://127.0.0.1:1"])
    assert done.exit_code != 0
