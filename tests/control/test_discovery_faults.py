"""A gateway that serves instances of every kind of registry at once: how soon, and what it tells of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from tests.discovery.registries import STAND_INS, StandIn
from tests.support.backend import answer, backend, says
from tests.support.serving import Serving, serve_process, turtle

SERVICE = """
ex:gateway agw:hasRoute ex:@name@ .
ex:@name@ a agw:Route ; agw:routePath "/@name@" ; agw:hasBackendService ex:@name@Service .
ex:@name@Service a agw:BackendService ; agw:hasServiceDiscovery ex:@name@Lookup .
ex:@name@Lookup a agw:ServiceDiscovery ; agw:hasServiceRegistry ex:@name@Registry .
ex:@name@Registry a agw:ServiceRegistry .
"""
TOLD = """PREFIX agw: <https://ggen.ai/ontology/api-gateway#> PREFIX ex: <http://example.org/>
SELECT ?lookup ?state ?count ?stale ?fault ?address ?at WHERE {
  ?service agw:hasServiceDiscovery ?lookup . ?lookup agw:discoveryState ?state ; agw:discoveredInstances ?count .
  OPTIONAL { ?lookup agw:staleSince ?stale ; agw:discoveryFault ?fault }
  OPTIONAL { ?service agw:hasInstance ?one . ?one agw:discoveredBy ?lookup ; agw:address ?address ; agw:discoveredAt ?at }
}"""
SECONDS = 40.0


def configuration(told: dict[str, StandIn]) -> str:
    """A route and a service by each of `told`."""
    text = "@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\nex:gateway a agw:ApiGateway .\n"
    for name, stand_in in told.items():
        written = stand_in.turtle.replace("@lookup@", f"ex:{name}Lookup").replace("@registry@", f"ex:{name}Registry")
        text += SERVICE.replace("@name@", name) + written.replace("@address@", stand_in.address) + "\n"
    return turtle(text)


class Asked:
    """What people ask the gateway."""

    def __init__(self, session: aiohttp.ClientSession, served: Serving) -> None:
        self._session = session
        self._served = served

    async def get(self, name: str) -> str:
        """Who answers a request."""
        async with self._session.get(f"{self._served.url}/{name}") as got:
            return await got.text() if got.status == 200 else str(got.status)

    async def by(self, name: str, wanted: str) -> float:
        """Wait until `wanted` answers; how long it took."""
        began = time.monotonic()
        async with asyncio.timeout(SECONDS):
            while await self.get(name) != wanted:
                await asyncio.sleep(0.01)
        return time.monotonic() - began

    async def told(self) -> dict[str, dict[str, str]]:
        """What the live graph has of each look-up."""
        headers = {"content-type": "application/sparql-query", "accept": "application/sparql-results+json"}
        async with self._session.post(self._served.admin + "/sparql", data=TOLD, headers=headers) as got:
            rows = (await got.json(content_type=None))["results"]["bindings"]
        found: dict[str, dict[str, str]] = {}
        for row in rows:
            values = {key: value["value"] for key, value in row.items()}
            found[values["lookup"].rpartition("/")[2].removesuffix("Lookup")] = values
        return found

    async def until_told(self, wanted: Callable[[dict[str, dict[str, str]]], bool]) -> dict[str, dict[str, str]]:
        """Wait until that is `wanted`."""
        async with asyncio.timeout(SECONDS):
            while not wanted(seen := await self.told()):
                await asyncio.sleep(0.05)
            return seen

    async def metrics(self) -> str:
        """``/metrics``."""
        async with self._session.get(self._served.admin + "/metrics") as got:
            return await got.text()


async def test_instances_of_every_registry_are_used_and_told_of_soon(tmp_path: Path) -> None:
    told = {name: make() for name, make in sorted(STAND_INS.items())}
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(backend(says(answer(b"one"))))
        two = await stack.enter_async_context(backend(says(answer(b"two"))))
        for stand_in in told.values():
            await stand_in.start()
            stack.push_async_callback(stand_in.stop)
            await stand_in.tell([("127.0.0.1", one.port)])
        file = tmp_path / "gateway.ttl"
        file.write_text(configuration(told))
        serving = serve_process(file, "--workers", "2", seconds=90)
        served = await asyncio.to_thread(serving.__enter__)
        try:
            session = await stack.enter_async_context(aiohttp.ClientSession())
            asked = Asked(session, served)
            for name, stand_in in told.items():
                await asked.by(name, "one")
                await stand_in.tell([("127.0.0.1", two.port)])
                assert await asked.by(name, "two") < 20  # 0.07 to 0.13 s on a machine at rest
            place = {f"127.0.0.1:{two.port}"}
            seen = await asked.until_told(lambda seen: {row.get("address") for row in seen.values()} == place)
            assert set(seen) == set(told)
            assert all(row["at"].endswith("Z") and row["state"] == "CURRENT" for row in seen.values())
            for stand_in in told.values():
                await stand_in.stop()
            await asked.until_told(
                lambda seen: all(
                    row["state"] == "STALE" and row["stale"] and row["fault"] and row["count"] == "1"
                    for row in seen.values()
                )
            )
            text = await asked.metrics()
            for name in told:
                assert f'agw_discovery_state{{discovery="http://example.org/{name}Lookup",state="STALE"}} 1' in text
                assert await asked.get(name) == "two"
            assert "revision 2" not in "\n".join(served.lines)
        finally:
            await asyncio.to_thread(serving.__exit__, None, None, None)


async def test_odd_words_of_one_instance_take_nothing_from_the_others(tmp_path: Path) -> None:
    """Tags that no encoding has, names that no resolver takes: of a registry that anybody may write to."""
    told = STAND_INS["consul"]()
    await told.start()
    try:
        async with backend(says(answer(b"one"))) as one:
            good = {"Address": "127.0.0.1", "Port": one.port, "Tags": ["\ud800", "x" * 100_000, 'a"b\n', "v1"]}
            odd = [{"Address": address, "Port": 80} for address in ("a..b", "x" * 70, "..", ":::", "\ud800", 'a"b')]
            services = [good | {"Meta": {"zone": "\ud800\n"}}, *odd]
            await told.mutated([{"Node": {"Address": "10.9.9.9"}, "Service": service} for service in services])
            file = tmp_path / "gateway.ttl"
            file.write_text(configuration({"consul": told}))
            with serve_process(file, "--workers", "1", seconds=90) as served:
                async with aiohttp.ClientSession() as session:
                    asked = Asked(session, served)
                    assert await asked.by("consul", "one") < SECONDS
                    place = f"127.0.0.1:{one.port}"
                    told_of = await asked.until_told(lambda seen: seen["consul"].get("address") == place)
                    assert told_of["consul"]["count"] == "1"
                    await told.mutated([{"Node": {"Address": "10.9.9.9"}, "Service": {"Port": "\ud800\n" * 1000}}])
                    told_of = await asked.until_told(lambda seen: seen["consul"]["state"] == "STALE")
                    assert len(told_of["consul"]["fault"]) <= 500 and told_of["consul"]["fault"].isprintable()
                    assert await asked.get("consul") == "one"
    finally:
        await told.stop()
