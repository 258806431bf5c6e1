"""A real Consul: tags, checks, tokens, the end of an instance."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from api_gateway_service_mesh.discovery import Instance, SourceError
from api_gateway_service_mesh.discovery.consul import ConsulSource
from api_gateway_service_mesh.model import Discovery, Registry, RegistryType
from tests.support.consul_agent import Agent, consul_agent, needs_consul

pytestmark = needs_consul


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with consul_agent(tmp_path_factory.mktemp("consul")) as running:
        yield running


def register(agent: Agent, number: int, name: str, **more: Any) -> None:
    body = {"ID": f"{name}-{number}", "Name": name, "Address": f"10.0.0.{number}", "Port": 8000, **more}
    assert agent.ask("/v1/agent/service/register", json.dumps(body))[0] == 200


def source(agent: Agent, name: str, tags: tuple[str, ...] = (), **more: Any) -> ConsulSource:
    registry = Registry("urn:x:consul", RegistryType.CONSUL, agent.url, **more)
    return ConsulSource(Discovery("urn:x:lookup", registry, name, tags=tags))


async def _next(answers: AsyncIterator[Any]) -> tuple[Instance, ...]:
    async with asyncio.timeout(20):
        return tuple(sorted((await anext(answers)).endpoints))


async def test_it_follows_a_service(agent: Agent) -> None:
    register(agent, 1, "users", Tags=["v1", "eu"], Meta={"zone": "a"}, Weights={"Passing": 5, "Warning": 1})
    async with aclosing(source(agent, "users").watch()) as answers:  # type: ignore[type-var]
        assert await _next(answers) == (Instance("10.0.0.1", 8000, 5, "a", labels=("eu", "v1", "zone=a")),)
        register(agent, 2, "users", Tags=["v2"])
        assert [one.address for one in await _next(answers)] == ["10.0.0.1", "10.0.0.2"]
        agent.ask("/v1/agent/service/deregister/users-1", "")
        assert [one.address for one in await _next(answers)] == ["10.0.0.2"]
    async with aclosing(source(agent, "users", ("v1",)).watch()) as answers:  # type: ignore[type-var]
        assert await _next(answers) == ()


async def test_only_instances_whose_checks_pass(agent: Agent) -> None:
    register(agent, 1, "orders", Check={"TTL": "60s"})
    async with aclosing(source(agent, "orders").watch()) as answers:  # type: ignore[type-var]
        assert await _next(answers) == ()
        agent.ask("/v1/agent/check/pass/service:orders-1", "")
        assert [one.address for one in await _next(answers)] == ["10.0.0.1"]


async def test_a_datacenter_that_is_not_there(agent: Agent) -> None:
    with pytest.raises(SourceError, match="Consul answers 500"):
        await _next(source(agent, "users", datacenter="mars").watch())


async def test_a_prepared_query(agent: Agent) -> None:
    """It chooses by its own rules; instances come and go under it, and one with a warning weighs less."""
    weights = {"Passing": 5, "Warning": 1}
    register(agent, 1, "search", Tags=["v2"], Weights=weights)
    register(agent, 2, "search", Tags=["v2"], Weights=weights, Check={"TTL": "60s", "Status": "warning"})
    register(agent, 3, "search", Tags=["v1"])
    query = {"Name": "find-search", "Service": {"Service": "search", "Tags": ["v2"]}}
    assert agent.post("/v1/query", query) == 200
    registry = Registry("urn:x:consul", RegistryType.CONSUL, agent.url, interval_seconds=0.1)
    asked = Discovery("urn:x:lookup", registry, "find-search", prepared=True)
    async with aclosing(ConsulSource(asked).watch()) as answers:  # type: ignore[type-var]
        found = await _next(answers)
        assert [(one.address, one.weight) for one in found] == [("10.0.0.1", 5), ("10.0.0.2", 1)]
        agent.ask("/v1/agent/service/deregister/search-1", "")
        async with asyncio.timeout(40):
            while [one.address for one in await _next(answers)] != ["10.0.0.2"]:
                pass
    with pytest.raises(SourceError, match="Consul answers 404"):
        await _next(ConsulSource(replace(asked, name="nobody")).watch())
    async with aclosing(ConsulSource(replace(asked, tags=("v3",))).watch()) as answers:  # type: ignore[type-var]
        assert await _next(answers) == ()
