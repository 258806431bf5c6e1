"""The gateway's own entry in a real Consul and a real Eureka: made, kept, made anew, taken back."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from api_gateway_service_mesh.discovery.consul_registration import ConsulRegistrar
from api_gateway_service_mesh.discovery.eureka_registration import EurekaRegistrar
from api_gateway_service_mesh.discovery.registration import Keeping, RegistrationState, registrar_of
from api_gateway_service_mesh.model import Registration, Registry, RegistryType
from tests.support.consul_agent import Agent, consul_agent, needs_consul
from tests.support.eureka_server import Eureka, eureka_server, needs_eureka

HERE = (("http", "127.0.0.1", 8080),)


@pytest.fixture(scope="module")
def consul(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with consul_agent(tmp_path_factory.mktemp("consul")) as running:
        yield running


@pytest.fixture(scope="module")
def eureka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Eureka]:
    with eureka_server(tmp_path_factory.mktemp("eureka")) as running:
        yield running


class Gateway:
    """What an entry tells of."""

    def __init__(self) -> None:
        self.addresses: tuple[tuple[str, str, int], ...] = HERE
        self.fault: str | None = None


@asynccontextmanager
async def kept(registry: Registry, name: str, **more: Any) -> AsyncIterator[tuple[Keeping, Gateway]]:
    gateway = Gateway()
    config = Registration("urn:x:entry", registry, name, **{"interval_seconds": 1.0, **more})
    keeping = Keeping(config, lambda: gateway.addresses, lambda: gateway.fault)
    try:
        yield keeping, gateway
    finally:
        await keeping.withdraw()


async def until(met: Callable[[], Any]) -> Any:
    """What `met` gives, asked in a thread, once it is true."""
    async with asyncio.timeout(60):
        while not (found := await asyncio.to_thread(met)):
            await asyncio.sleep(0.05)
        return found


def in_consul(agent: Agent, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(agent.ask(f"/v1/health/service/{name}")[1])
    return found


def _of(agent: Agent, **more: Any) -> Registry:
    return Registry("urn:x:consul", RegistryType.CONSUL, agent.url, **more)


@needs_consul
async def test_consul_has_it_while_it_lives(consul: Agent) -> None:
    async with kept(_of(consul), "edge", tags=("eu", "v2")) as (keeping, gateway):
        await until(lambda: keeping.standing.state is RegistrationState.REGISTERED)
        (found,) = in_consul(consul, "edge")
        service = found["Service"]
        assert (service["ID"], service["Address"], service["Port"]) == ("edge-127.0.0.1-8080", "127.0.0.1", 8080)
        assert sorted(service["Tags"]) == ["eu", "v2"]
        checks = {check["CheckID"]: check for check in found["Checks"]}
        assert checks["service:edge-127.0.0.1-8080"]["Status"] == "passing"
        gateway.fault = "draining"
        told = await until(lambda: [c for c in in_consul(consul, "edge")[0]["Checks"] if c["Status"] == "critical"])
        assert told[0]["Output"] == "draining"
        gateway.fault = None
        await until(lambda: json.loads(consul.ask("/v1/health/service/edge?passing=1")[1]))
        consul.ask("/v1/agent/service/deregister/edge-127.0.0.1-8080", "")  # as an agent that lost its data
        await until(lambda: in_consul(consul, "edge"))
        gateway.addresses = (("https", "127.0.0.1", 8443),)
        await until(lambda: [each["Service"]["Port"] for each in in_consul(consul, "edge")] == [8443])
    await until(lambda: not in_consul(consul, "edge"))


@needs_consul
async def test_an_entry_whose_gateway_was_killed_turns_critical(consul: Agent) -> None:
    async with kept(_of(consul), "killed") as (keeping, _):
        await until(lambda: keeping.standing.state is RegistrationState.REGISTERED)
        keeping._task.cancel()
        await until(lambda: not json.loads(consul.ask("/v1/health/service/killed?passing=1")[1]))


@needs_consul
async def test_a_token_is_needed_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = str(uuid.uuid4())
    with consul_agent(tmp_path, secret) as agent:
        async with kept(_of(agent), "edge") as (keeping, _):
            await until(lambda: keeping.standing.state is RegistrationState.LOST)
            assert "403" in str(keeping.standing.fault)
        monkeypatch.setenv("CONSUL_SECRET", secret)
        async with kept(_of(agent, token_ref="env:CONSUL_SECRET"), "edge") as (keeping, _):
            await until(lambda: keeping.standing.state is RegistrationState.REGISTERED)
            assert len(in_consul(agent, "edge")) == 1


async def test_a_registry_that_is_away_holds_nothing_up() -> None:
    registry = Registry("urn:x:consul", RegistryType.CONSUL, "http://127.0.0.1:1")
    async with kept(registry, "edge") as (keeping, _):
        await until(lambda: keeping.standing.state is RegistrationState.LOST)
        assert "127.0.0.1" in str(keeping.standing.fault)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 20


def in_eureka(server: Eureka, name: str) -> list[dict[str, Any]]:
    status, text = server.ask("GET", f"/apps/{name.upper()}")
    if status == 404:
        return []
    found: list[dict[str, Any]] = json.loads(text)["application"]["instance"]
    return found


def renewed(server: Eureka, name: str, instance: str) -> int:
    """When it was last heard of; the lists that others look up are kept for a while."""
    return int(
        json.loads(server.ask("GET", f"/apps/{name.upper()}/{instance}")[1])["instance"]["leaseInfo"][
            "lastRenewalTimestamp"
        ]
    )


@needs_eureka
async def test_eureka_has_it_while_it_lives(eureka: Eureka) -> None:
    registry = Registry("urn:x:eureka", RegistryType.EUREKA, eureka.url)
    async with kept(registry, "edge", tags=("zone=a", "canary"), address="gateway.example", port=443) as (
        keeping,
        gateway,
    ):
        (found,) = await until(lambda: in_eureka(eureka, "edge"))
        assert (found["status"], found["hostName"], found["port"]["$"]) == ("UP", "gateway.example", 443)
        assert found["metadata"] == {"gateway": "agw", "zone": "a", "canary": "true"}
        assert found["leaseInfo"]["durationInSecs"] == 3
        first = int(found["leaseInfo"]["lastRenewalTimestamp"])
        await until(lambda: renewed(eureka, "edge", found["instanceId"]) > first)
        gateway.fault = "no worker serves"
        await until(lambda: in_eureka(eureka, "edge")[0]["status"] == "DOWN")
        gateway.fault = None
        await until(lambda: in_eureka(eureka, "edge")[0]["status"] == "UP")
        eureka.ask("DELETE", f"/apps/EDGE/{found['instanceId']}")
        await until(lambda: in_eureka(eureka, "edge"))
        assert keeping.standing.state is RegistrationState.REGISTERED
    assert in_eureka(eureka, "edge") == []


async def test_where_nothing_is_stated_the_address_is_the_one_that_the_registry_sees() -> None:
    registry = Registry("urn:x:consul", RegistryType.CONSUL, "http://127.0.0.1:1")
    async with kept(registry, "edge") as (keeping, gateway):
        gateway.addresses = (("https", "0.0.0.0", 8443),)
        entry = await keeping._entry()
        assert entry is not None
        assert (entry.address, entry.port, entry.secure) == ("127.0.0.1", 8443, True)
        gateway.addresses = ()
        assert await keeping._entry() is None


def test_who_speaks_to_whom() -> None:
    for kind, speaks in ((RegistryType.CONSUL, ConsulRegistrar), (RegistryType.EUREKA, EurekaRegistrar)):
        assert isinstance(registrar_of(Registration("urn:x", Registry("urn:r", kind, "http://r"), "edge")), speaks)
