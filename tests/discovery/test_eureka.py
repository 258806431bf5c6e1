"""Eureka: a real server, and answers that a real one gives rarely."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from aiohttp import web

from api_gateway_service_mesh.discovery import Discoveries, DiscoveryState, Instance, SourceError
from api_gateway_service_mesh.discovery.eureka import EurekaSource
from api_gateway_service_mesh.discovery.sources import source_of
from api_gateway_service_mesh.model import Discovery, Registry, RegistryType
from tests.discovery.faulty import Registry as Told
from tests.discovery.faulty import registry
from tests.support.eureka_server import Eureka, eureka_server, needs_eureka
from tests.support.told import answers


@pytest.fixture(scope="module")
def eureka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Eureka]:
    with eureka_server(tmp_path_factory.mktemp("eureka")) as running:
        yield running


def source(url: str, name: str = "users", tags: tuple[str, ...] = (), **more: Any) -> EurekaSource:
    where = Registry("urn:x:eureka", RegistryType.EUREKA, url, interval_seconds=0.1, **more)
    made = source_of(Discovery("urn:x:lookup", where, name, tags=tags))
    assert isinstance(made, EurekaSource)
    return made


async def until(told: AsyncIterator[tuple[Instance, ...]], *addresses: str) -> tuple[Instance, ...]:
    async with asyncio.timeout(40):
        async for found in told:
            if [one.address for one in found] == list(addresses):
                return found
    raise AssertionError("no more answers")


@needs_eureka
async def test_it_follows_an_application(eureka: Eureka) -> None:
    eureka.register("users", 1, metadata={"zone": "a", "version": "v1"})
    eureka.register("orders", 9)
    async with answers(source(eureka.url)) as told:
        labels = ("version=v1", "zone=a")
        assert await until(told, "10.0.0.1") == (Instance("10.0.0.1", 8000, zone="a", labels=labels),)
        await asyncio.to_thread(eureka.register, "users", 2)
        await until(told, "10.0.0.1", "10.0.0.2")
        await asyncio.to_thread(eureka.status, "users", 1, "OUT_OF_SERVICE")
        await until(told, "10.0.0.2")
        await asyncio.to_thread(eureka.status, "users", 1, "UP")
        await until(told, "10.0.0.1", "10.0.0.2")
        await asyncio.to_thread(eureka.cancel, "users", 2)
        await until(told, "10.0.0.1")
    async with answers(source(eureka.url, "Users", ("version=v2",))) as told:
        assert await anext(told) == ()


@needs_eureka
async def test_what_has_not_started_is_not_used(eureka: Eureka) -> None:
    eureka.register(
        "search", 1, "STARTING", securePort={"$": 8443, "@enabled": "true"}, port={"$": 1, "@enabled": "false"}
    )
    async with answers(source(eureka.url, "search")) as told:
        assert await anext(told) == ()
        await asyncio.to_thread(eureka.status, "search", 1, "UP")
        assert (await until(told, "10.0.0.1"))[0].port == 8443


@needs_eureka
async def test_the_real_changes_are_enough(eureka: Eureka, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first answer the whole registry is fetched no more."""
    eureka.register("carts", 1)
    wholes = 0
    followed = source(eureka.url, "carts")
    real = followed._take_whole

    def counted(body: bytes) -> str:
        nonlocal wholes
        wholes += 1
        return real(body)

    monkeypatch.setattr(followed, "_take_whole", counted)
    async with answers(followed) as told:
        await until(told, "10.0.0.1")
        for number in (2, 3):
            await asyncio.to_thread(eureka.register, "carts", number)
        await until(told, "10.0.0.1", "10.0.0.2", "10.0.0.3")
    assert wholes == 1


def one(number: int, status: str = "UP", **more: Any) -> dict[str, Any]:
    return {"instanceId": str(number), "hostName": f"h{number}", "status": status, "port": {"$": "80"}, **more}


def body(mark: str, *instances: dict[str, Any]) -> web.Response:
    application = {"name": "users", "instance": list(instances)}
    return web.json_response({"applications": {"apps__hashcode": mark, "application": [application]}})


class Script:
    """Answers by path; what is missing is a 404."""

    def __init__(self, told: Told, **said: Callable[[], web.StreamResponse]) -> None:
        self.asked: list[str] = []
        self.headers: list[str | None] = []
        self.said = said
        told.instead = self.answer

    async def answer(self, request: web.Request) -> web.StreamResponse:
        name = request.path.removeprefix("/eureka/apps").strip("/") or "whole"
        self.asked.append(name)
        self.headers.append(request.headers.get("Authorization"))
        return self.said[name]() if name in self.said else web.Response(status=404)


async def test_counts_that_differ_fetch_the_whole() -> None:
    async with registry() as told:
        script = Script(told, whole=lambda: body("UP_1_", one(1)), delta=lambda: body("UP_7_"))
        async with answers(source(told.url)) as found:
            await until(found, "h1")
            script.said["whole"] = lambda: body("UP_2_", one(1), one(2))
            await until(found, "h1", "h2")
        assert script.asked[:3] == ["whole", "delta", "whole"]


async def test_a_change_that_is_deleted_is_gone() -> None:
    async with registry() as told:
        script = Script(told, whole=lambda: body("UP_2_", one(1), one(2)))
        script.said["delta"] = lambda: body(
            "DOWN_1_", one(1, actionType="DELETED"), one(2, "DOWN", actionType="MODIFIED")
        )
        async with answers(source(told.url)) as found:
            await until(found, "h1", "h2")
            await until(found)
        assert set(script.asked[1:]) == {"delta"}


@pytest.mark.parametrize("status", [403, 404, 204])
async def test_a_server_that_tells_no_changes(status: int) -> None:
    async with registry() as told:
        script = Script(told, whole=lambda: body("UP_1_", one(1)), delta=lambda: web.Response(status=status))
        async with answers(source(told.url)) as found:
            await until(found, "h1")
            script.said["whole"] = lambda: body("UP_1_", one(2))
            await until(found, "h2")


async def test_single_things_need_no_list_and_zones_may_be_amazons() -> None:
    amazon = {"metadata": {"availability-zone": "eu-1a"}}
    single = {"name": "USERS", "instance": one(1, hostName=None, ipAddr="10.0.0.1", dataCenterInfo=amazon)}
    whole = {"applications": {"apps__hashcode": "UP_1_", "application": single}}
    async with registry() as told:
        Script(told, whole=lambda: web.json_response(whole))
        async with answers(source(told.url)) as found:
            assert await anext(found) == (Instance("10.0.0.1", 80, zone="eu-1a"),)


@pytest.mark.parametrize(("token", "sent"), [("me:secret", "Basic bWU6c2VjcmV0"), ("abc", "Bearer abc")])
async def test_a_token_is_sent(monkeypatch: pytest.MonkeyPatch, token: str, sent: str) -> None:
    monkeypatch.setenv("EUREKA_TOKEN", token)
    async with registry() as told:
        script = Script(told, whole=lambda: body("UP_1_", one(1)))
        async with answers(source(told.url, token_ref="env:EUREKA_TOKEN")) as found:
            await anext(found)
        assert script.headers == [sent]


@pytest.mark.parametrize(
    ("whole", "said"),
    [
        (lambda: web.Response(status=404), "usually ends with /eureka"),
        (lambda: web.Response(status=401, text="who?"), "Eureka answers 401: who"),
        (lambda: web.Response(status=302, headers={"location": "/"}), "Eureka answers 302"),
        (lambda: web.Response(text="<html>"), "no answer of Eureka"),
        (lambda: web.Response(text='{"applications": {"application": [{"instance": 5}]}}'), "no answer of Eureka"),
        (lambda: web.Response(text="[" * 100_000), "no answer of Eureka"),
    ],
)
async def test_a_wrong_answer_is_none(whole: Callable[[], web.StreamResponse], said: str) -> None:
    async with registry() as told:
        Script(told, whole=whole)
        with pytest.raises(SourceError, match=said):
            async with answers(source(told.url)) as found:
                await anext(found)


async def test_an_outage_keeps_the_last_instances() -> None:
    async def changed() -> None:
        pass

    async with registry() as told:
        script = Script(told, whole=lambda: body("UP_1_", one(1)), delta=lambda: body("UP_1_"))
        following = Discoveries(changed)
        where = Registry("urn:x:eureka", RegistryType.EUREKA, told.url, interval_seconds=0.1)
        following.adopt([Discovery("urn:x:lookup", where, "users")])
        standing = following.standing("urn:x:lookup")
        assert standing is not None
        try:
            async with asyncio.timeout(40):
                while standing.state is not DiscoveryState.CURRENT or not standing.held:
                    await asyncio.sleep(0.01)
                script.said.clear()
                while standing.state is not DiscoveryState.STALE:
                    await asyncio.sleep(0.01)
                assert [each.address for each in standing.held] == ["h1"]
                script.said["whole"] = lambda: body("UP_1_", one(2))
                while [each.address for each in standing.held] != ["h2"]:
                    await asyncio.sleep(0.01)
            assert standing.state is DiscoveryState.CURRENT
        finally:
            await following.stop()


async def test_ten_thousand_instances() -> None:
    text = json.dumps(
        {
            "applications": {
                "apps__hashcode": "UP_10000_",
                "application": {"name": "U", "instance": [one(n) for n in range(10_000)]},
            }
        }
    )
    async with registry() as told:
        Script(told, whole=lambda: web.Response(text=text))
        async with answers(source(told.url, "u")) as found:
            assert len(await anext(found)) == 10_000
