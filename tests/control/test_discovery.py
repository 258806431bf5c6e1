"""Instances that come and go while a gateway serves: no reload, state kept, an outage survived."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
from aiohttp import web

from api_gateway_service_mesh.control.discovery import instance_iri
from tests.discovery.faulty import entry, registry
from tests.support.backend import answer, backend, says
from tests.support.serving import serve_process, turtle

CONFIGURATION = """
ex:gateway a agw:ApiGateway ; agw:hasRoute ex:route .
ex:route a agw:Route ; agw:routePath "/*" ; agw:hasBackendService ex:users .
ex:users a agw:BackendService ; agw:hasServiceDiscovery ex:lookup .
ex:lookup a agw:ServiceDiscovery ; agw:discoveryName "users" ; agw:hasServiceRegistry ex:consul .
ex:consul a agw:ServiceRegistry ; agw:registryType "consul" ; agw:registryAddress "@url@" .
"""
LIVE = """PREFIX agw: <https://ggen.ai/ontology/api-gateway#> PREFIX ex: <http://example.org/>
SELECT ?state ?count ?stale (COUNT(?instance) AS ?told) WHERE {
  ex:lookup agw:discoveryState ?state ; agw:discoveredInstances ?count .
  OPTIONAL { ex:lookup agw:staleSince ?stale ; agw:discoveryFault ?why }
  OPTIONAL { ex:users agw:hasInstance ?instance . ?instance agw:discoveredBy ex:lookup ; agw:discoveredAt ?at ; agw:address ?a }
} GROUP BY ?state ?count ?stale"""


def test_a_name_can_stand_in_a_graph() -> None:
    assert instance_iri("urn:s", "2001:db8::1", 80).endswith(":2001%3Adb8%3A%3A1:80")


async def _broken(request: web.Request) -> web.StreamResponse:
    return web.Response(status=500, text="no leader")


async def test_instances_come_and_go_without_a_reload(tmp_path: Path) -> None:
    async with backend(says(answer(b"a"))) as one, backend(says(answer(b"b"))) as two, registry() as told:
        told.entries = [entry("127.0.0.1", one.port)]
        file = tmp_path / "gateway.ttl"
        file.write_text(turtle(CONFIGURATION.replace("@url@", told.url)))
        serving = serve_process(file, "--workers", "2")
        served = await asyncio.to_thread(serving.__enter__)
        try:
            async with aiohttp.ClientSession() as session:

                async def get() -> str:
                    async with session.get(served.url + "/") as got:
                        return await got.text() if got.status == 200 else str(got.status)

                async def live() -> dict[str, str]:
                    headers = {"content-type": "application/sparql-query", "accept": "application/sparql-results+json"}
                    async with session.post(served.admin + "/sparql", data=LIVE, headers=headers) as got:
                        (row,) = (await got.json(content_type=None))["results"]["bindings"]
                        return {name: value["value"] for name, value in row.items()}

                async def until(wanted: Callable[[dict[str, str]], bool]) -> dict[str, str]:
                    async with asyncio.timeout(20):
                        while not wanted(seen := await live()):
                            await asyncio.sleep(0.05)
                        return seen

                assert await get() == "a"
                await told.tell([entry("127.0.0.1", one.port), entry("127.0.0.1", two.port)])
                began = time.monotonic()
                async with asyncio.timeout(20):
                    while await get() != "b":
                        pass
                assert time.monotonic() - began < 5  # a loaded machine; 0.2 s on one at rest
                assert (await until(lambda seen: seen["told"] == "2"))["count"] == "2"
                await told.tell([entry("127.0.0.1", two.port)])
                await until(lambda seen: seen["count"] == "1")
                assert {await get() for _ in range(6)} == {"b"}
                told.instead = _broken
                await told.tell([])
                seen = await until(lambda seen: seen["state"] == "STALE")
                assert (seen["count"], "stale" in seen) == ("1", True)
                assert {await get() for _ in range(6)} == {"b"}
                async with session.get(served.admin + "/doctor") as got:
                    found = (await got.json(content_type=None))["findings"]
                assert "discovery-stale" in [each["diagnosis"] for each in found]
                async with session.get(served.admin + "/metrics") as got:
                    wanted = 'agw_discovery_state{discovery="http://example.org/lookup",state="STALE"} 1'
                    assert wanted in await got.text()
                assert "revision 2" not in "\n".join(served.lines)
        finally:
            await asyncio.to_thread(serving.__exit__, None, None, None)
