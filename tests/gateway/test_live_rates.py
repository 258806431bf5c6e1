"""Live rates and objectives of a gateway inside another application, by the published interface alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from api_gateway_service_mesh import ApiGateway

GATEWAY = """
@prefix agw: <https://ggen.ai/ontology/api-gateway#> .
@prefix ex: <http://example.org/> .
ex:gateway a agw:ApiGateway ; agw:hasRoute ex:orders , ex:failing , ex:quiet .
ex:orders a agw:Route ; agw:routePath "/orders" ; agw:hasDirectResponse [ a agw:DirectResponse ; agw:responseBody "x" ] ;
    agw:hasServiceLevelObjective [ a agw:ServiceLevelObjective ; agw:availabilityTarget 0.99 ] .
ex:failing a agw:Route ; agw:routePath "/failing" ;
    agw:hasDirectResponse [ a agw:DirectResponse ; agw:responseStatus 503 ; agw:responseBody "x" ] ;
    agw:hasServiceLevelObjective [ a agw:ServiceLevelObjective ; agw:availabilityTarget 0.99 ] .
ex:quiet a agw:Route ; agw:routePath "/quiet" ; agw:hasDirectResponse [ a agw:DirectResponse ; agw:responseBody "x" ] .
"""
RATES = """
PREFIX agw: <https://ggen.ai/ontology/api-gateway#>
PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
SELECT ?path ?rate ?errors WHERE {
  ?route agw:routePath ?path ; agw:hasLiveRate ?now .
  ?now agw:rateWindow "PT1M"^^xsd:dayTimeDuration ; agw:requestRate ?rate ; agw:errorShare ?errors }
"""
BURNING = """
PREFIX agw: <https://ggen.ai/ontology/api-gateway#>
SELECT DISTINCT ?state WHERE { ?standing agw:objectiveState ?state } ORDER BY ?state
"""


@asynccontextmanager
async def inside_another(gateway: ApiGateway) -> AsyncIterator[str]:
    """Under ``/api`` of an application of somebody else's."""
    outer = web.Application()
    outer.add_subapp("/api", gateway.app())
    runner = web.AppRunner(outer)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def rates(gateway: ApiGateway) -> dict[str, tuple[float, float]]:
    return {str(row["path"]): (float(row["rate"]), float(row["errors"])) for row in gateway.query(RATES)}


async def test_an_embedded_gateway_tells_what_goes_on_now() -> None:
    gateway = ApiGateway.from_turtle(GATEWAY.replace('"/', '"/api/'))
    assert rates(gateway) == {}
    async with inside_another(gateway) as url, aiohttp.ClientSession() as session:
        for path, count in (("orders", 30), ("failing", 15)):
            for _ in range(count):
                async with session.get(f"{url}/api/{path}") as answer:
                    assert answer.status == (200 if path == "orders" else 503)
        async with asyncio.timeout(60):
            while not {"/api/orders", "/api/failing"} <= rates(gateway).keys():
                await asyncio.sleep(0.1)
        found = rates(gateway)
        assert found.keys() == {"/api/orders", "/api/failing"}, "nothing is said of what nobody asked for"
        assert found["/api/orders"][0] > 0 and found["/api/orders"][1] == 0
        assert found["/api/failing"][1] == 1
        assert "FAST_BURN" in [str(row["state"]) for row in gateway.query(BURNING)]
    assert rates(gateway) == {}, "one that serves nobody has no rates"


async def test_one_that_is_left_tells_for_both_that_served() -> None:
    gateway = ApiGateway.from_turtle(GATEWAY.replace('"/', '"/api/'))
    async with inside_another(gateway) as left, aiohttp.ClientSession() as session:
        async with inside_another(gateway) as ends, session.get(f"{ends}/api/orders") as answer:
            assert answer.status == 200
        async with session.get(f"{left}/api/orders") as answer:
            assert answer.status == 200
        async with asyncio.timeout(60):
            while "/api/orders" not in rates(gateway):
                await asyncio.sleep(0.1)
