"""Real Envoys under agw: they connect, serve, change without a failed request, refuse what is bad, outlive agw."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from api_gateway_service_mesh.control.live import Live
from api_gateway_service_mesh.control.metrics import ControlCounters, metric_families
from api_gateway_service_mesh.control.plane import Proxy
from api_gateway_service_mesh.control.runtime import runtime_ntriples
from api_gateway_service_mesh.control.xds.encode import goal_of
from api_gateway_service_mesh.control.xds.goal import Goal
from api_gateway_service_mesh.control.xds.server import XdsServer
from api_gateway_service_mesh.manifests.envoy import ControlPlane, Resources, dynamic_bootstrap, resources
from api_gateway_service_mesh.model import DirectResponse, Listener
from api_gateway_service_mesh.policies import CellLayout, CellStore, layout_for
from tests.parity.running import ENVOY, free_port, started
from tests.peers.backend import Backend, Call, backend
from tests.support.routes import EX, mesh, route
from tests.support.serving import Serving, load, turtle

AGW_PREFIX = "PREFIX agw: <https://ggen.ai/ontology/api-gateway#> "

pytest.importorskip("grpc")
pytest.importorskip("xds")
pytestmark = pytest.mark.skipif(ENVOY is None, reason="there is no envoy program beside Python or on the path")


async def good(_: Backend, call: Call) -> None:
    call.answer(keep=True)


def configured(file: Path, *ports: int, path: str = "/a", listener: int = 0, more: str = "") -> None:
    """A configuration with one route to a service on each of `ports`."""
    text = f'ex:a a agw:Route ; agw:routePath "{path}" ; agw:hasBackendService ex:s{ports[0]} {more} .\n'
    for port in ports:
        text += f'ex:s{port} a agw:BackendService ; agw:address "127.0.0.1:{port}" .\n'
    if listener:
        text += (
            "ex:gateway a agw:ApiGateway ; agw:hasRoute ex:a ; agw:hasListener"
            f' [ a agw:Listener ; agw:port {listener} ; agw:bindAddress "127.0.0.1" ] .\n'
        )
    file.write_text(turtle(text))


async def status(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        await answer.read()
        return answer.status


async def until(url: str, wanted: int, seconds: float = 30.0) -> None:
    """Wait until `url` answers so."""
    async with asyncio.timeout(seconds):
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                if await status(url) == wanted:
                    return
            await asyncio.sleep(0.05)


@contextlib.contextmanager
def running(command: str, *arguments: str) -> Iterator[Serving]:
    gateway = Serving(*arguments, "--admin-port", "0", command=command)
    try:
        yield gateway
    finally:
        if gateway.process.poll() is None:
            gateway.end(signal.SIGTERM, seconds=30)


async def test_an_envoy_of_its_own_changes_under_load_without_a_failed_request(tmp_path: Path) -> None:
    file = tmp_path / "gateway.ttl"
    async with backend(good) as one, backend(good) as other:
        configured(file, one.port)
        local = ("--host", "127.0.0.1", "--port", "0", "--data-plane", "envoy", "--workers", "1")
        with running("serve", str(file), *local) as gateway:
            await asyncio.to_thread(gateway.ready)
            async with load(gateway.url + "/a", clients=4) as traffic:
                for turn in range(6):
                    said = len(gateway.lines)
                    ports = (one.port, other.port) if turn % 2 else (other.port, one.port)
                    # Every second change takes new filters too: old connections end, and none of them badly.
                    limited = "; agw:hasRateLimiter [ a agw:RateLimiter ; agw:requestsPerSecond 1000000 ]"
                    configured(file, *ports[:1], more=limited if turn % 3 == 2 else "")
                    await asyncio.to_thread(gateway.said, r"revision \d+ is live", after=said, seconds=40)
                    await traffic.more(50)
            assert traffic.failures == []
            assert set(traffic.statuses) == {200}
            assert one.calls and other.calls
            async with aiohttp.ClientSession() as session:
                asked = "ASK { ?proxy a agw:ManagedProxy ; agw:servedRevision 7 }"
                async with session.get(gateway.admin + "/sparql", params={"query": f"{AGW_PREFIX}{asked}"}) as answer:
                    assert '"boolean":true' in (await answer.text()).replace(" ", "")
                counted = 0.0
                async with asyncio.timeout(20):
                    while counted < traffic.total:
                        await asyncio.sleep(0.1)
                        async with session.get(gateway.admin + "/metrics") as answer:
                            text = await answer.text()
                        lines = [line for line in text.splitlines() if line.startswith("agw_requests_total{")]
                        counted = sum(float(line.rpartition(" ")[2]) for line in lines)


def test_what_an_envoy_refuses_is_a_triple() -> None:
    mesh_ = mesh(route("a", "/a"))
    layout = CellLayout(cells := CellStore.shared())
    slots = layout_for(mesh_, layout, 1)
    proxy = Proxy("edge 1", "1.40.0", None, 'no "such" cluster\n')
    live = Live(mesh_, slots, cells, 1, 1, datetime.now(UTC), {}, lambda: (proxy,))
    text = runtime_ntriples(live).decode()
    assert (
        r'<urn:agw:proxy:edge%201> <https://ggen.ai/ontology/api-gateway#proxyRefusal> "no \"such\" cluster\n" .'
        in text
    )
    assert {family.name for family in metric_families(live, ControlCounters())} >= {"agw_proxies_refusing"}


async def test_what_envoy_cannot_say_is_not_served(tmp_path: Path) -> None:
    file = tmp_path / "gateway.ttl"
    configured(file, 9, more='; agw:hasHedging [ a agw:Hedging ; agw:hedgeDelay "PT0.1S"^^xsd:dayTimeDuration ]')
    file.write_text("@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n" + file.read_text())
    with running("serve", str(file), "--port", "0", "--data-plane", "envoy") as gateway:
        await asyncio.to_thread(gateway.said, "Envoy cannot say all of this configuration")
        assert await asyncio.to_thread(gateway.process.wait, 20) == 1


async def test_a_fleet_outlives_its_control_plane(tmp_path: Path) -> None:
    file, front, door = tmp_path / "gateway.ttl", free_port(), free_port()
    bootstrap = tmp_path / "envoy.json"
    made = dynamic_bootstrap(ControlPlane("127.0.0.1", door), node="edge-1", admin=None, delta=False)
    bootstrap.write_text(json.dumps(made))
    url = f"http://127.0.0.1:{front}"
    async with backend(good) as one:
        configured(file, one.port, listener=front)
        arguments = (str(file), "--port", str(door))
        with running("xds", *arguments) as gateway:
            await asyncio.to_thread(gateway.said, "envoys are waited for")
            async with started(bootstrap, front):
                await until(url + "/a", 200)
                async with load(url + "/a", clients=2) as traffic:
                    await asyncio.to_thread(gateway.end, signal.SIGKILL)
                    await traffic.more(200)
                    with running("xds", *arguments) as again:
                        await asyncio.to_thread(again.said, "envoy edge-1 .* is connected", seconds=60)
                        await traffic.more(50)
                        configured(file, one.port, path="/*", listener=front)
                        await until(url + "/b", 200)
                assert traffic.failures == [] and set(traffic.statuses) == {200}


@contextlib.asynccontextmanager
async def served(goal: list[Goal], folder: Path, *, delta: bool) -> AsyncIterator[tuple[XdsServer, list[str]]]:
    """A control plane with the last of `goal`, and an Envoy that has connected to it."""
    said: list[str] = []
    server = XdsServer(lambda node, cluster: goal[-1], say=said.append)
    port = await server.open("127.0.0.1:0")
    made = dynamic_bootstrap(ControlPlane("127.0.0.1", port), node="edge", admin=None, delta=delta)
    (folder / "envoy.json").write_text(json.dumps(made))
    try:
        async with started(folder / "envoy.json"):
            yield server, said
    finally:
        await server.close()


async def settled(server: XdsServer, number: int) -> None:
    async with asyncio.timeout(30):
        while [node.number for node in server.nodes] != [number]:
            await asyncio.sleep(0.02)


def answering(port: int, text: str) -> Resources:
    said = route("a", "/a", direct=DirectResponse(EX + "d", body=text))
    return resources(mesh(said, listeners=(Listener(EX + "l", port, "127.0.0.1"),)))


def spoilt(made: Resources) -> Resources:
    """Resources with a cluster that no Envoy takes."""
    bad: dict[str, Any] = {"name": "bad", "type": "STATIC", "lb_policy": "CLUSTER_PROVIDED"}
    return Resources(made.secrets, {**made.clusters, "bad": bad}, made.endpoints, made.listeners, made.routes)


@pytest.mark.parametrize("delta", [True, False], ids=["delta", "whole"])
async def test_what_an_envoy_refuses_leaves_the_old_serving_and_is_said_once(delta: bool, tmp_path: Path) -> None:
    front = free_port()
    url = f"http://127.0.0.1:{front}/a"

    async def text() -> str:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return await answer.text()

    goals = [goal_of(answering(front, "old"), 1)]
    async with served(goals, tmp_path, delta=delta) as (server, said):
        await settled(server, 1)
        assert await text() == "old"
        before = server.answers_total
        goals.append(goal_of(spoilt(answering(front, "new")), 2))
        server.publish()
        async with asyncio.timeout(30):
            while not server.refused_total:
                await asyncio.sleep(0.02)
        server.publish()
        await asyncio.sleep(0.3)
        assert server.refused_total == 1 and server.answers_total == before + 1
        assert await text() == "old"
        assert any("refuses the new Cluster; it serves the one before" in line for line in said)
        assert server.nodes[0].refused is not None
        goals.append(goal_of(answering(front, "new"), 3))
        server.publish()
        await settled(server, 3)
        assert await text() == "new"
