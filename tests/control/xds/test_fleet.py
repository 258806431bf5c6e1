"""Each node of a fleet has a snapshot, versions and refusals of its own; a sidecar is told nobody else's keys."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from api_gateway_service_mesh.control.xds.fleet import Fleet, made
from api_gateway_service_mesh.control.xds.goal import CLUSTERS, LISTENERS, SECRETS, Goal
from api_gateway_service_mesh.control.xds.server import Credentials, XdsServer
from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Endpoint, Hedging, Listener, Mesh, Sidecar, Upstream
from tests.support.certs import Authority, Issued, new_authority
from tests.support.routes import EX, mesh, route

pytest.importorskip("grpc")
pytest.importorskip("xds")


@dataclass
class House:
    """An authority, two services with sidecars, and a fleet that knows them."""

    authority: Authority
    issued: dict[str, Issued] = field(default_factory=dict)

    def service(self, name: str) -> Upstream:
        shown = self.issued[name] = self.authority.issue(name, uris=[f"spiffe://a.example/{name}"])
        beside = Sidecar(EX + name, 9000, certificate=shown.model(), spiffe_id=f"spiffe://a.example/{name}")
        return Upstream(EX + name, f"ex:{name}", (Endpoint(EX + name, "127.0.0.1", 80),), sidecar=beside)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(new_authority(tmp_path))


def fleet(house: House) -> tuple[Fleet, Mesh]:
    found = mesh(route("r", "/"), upstreams=(house.service("orders"), house.service("stock")))
    one = Fleet(allow_loss=False)
    one.told = one.renewed(found, 1)
    return one, found


def test_a_node_is_told_what_is_its_own(house: House) -> None:
    one, found = fleet(house)
    orders, stock = one.goal_for("sidecar/orders"), one.goal_for("sidecar/stock/pod-3")
    assert orders is not None and stock is not None and one.goal_for("sidecar/nobody") is None
    secrets = [{name for name in goal.of(SECRETS) if "#" not in name} for goal in (orders, stock)]
    assert [len(names) for names in secrets] == [1, 1] and secrets[0] != secrets[1]
    assert not Fleet.has("orders") and Fleet.has("sidecar/orders")
    gateway = made(found, 1, [Listener(EX + "l", 8080)], allow_loss=False)
    assert not gateway.of(SECRETS)


def test_what_is_the_same_is_not_made_again(house: House) -> None:
    one, found = fleet(house)
    before = one.told
    assert one.renewed(found, 1) is before
    house.authority.issue("orders", uris=["spiffe://a.example/orders"])
    one.told = after = one.renewed(found, 1)
    assert after["stock"] is before["stock"] and after["orders"] is not before["orders"]
    kinds = {
        kind
        for kind in before["orders"].goal.resources
        if before["orders"].goal.of(kind) != after["orders"].goal.of(kind)
    }
    assert kinds == {SECRETS}
    one.told = one.renewed(found, 2)
    assert one.told["stock"].goal.number == 2
    fewer = replace(found, upstreams=found.upstreams[:1])
    assert set(one.renewed(fewer, 3)) == {"orders"}


def test_what_envoy_cannot_say_is_not_told(house: House) -> None:
    _, found = fleet(house)
    lossy = replace(found, routes=(route("r", "/", hedging=Hedging(EX + "h")),))
    with pytest.raises(AgwError, match="Envoy cannot say all"):
        made(lossy, 1, [], allow_loss=False)
    assert made(lossy, 1, [], allow_loss=True).number == 1
    nowhere = replace(found, upstreams=(replace(found.upstreams[0], endpoints=()),))
    with pytest.raises(AgwError, match="no port to listen on"):
        Fleet(allow_loss=False).renewed(nowhere, 1)


def test_who_shows_which_certificate_is_told_what(house: House) -> None:
    one, _ = fleet(house)
    orders, edge = frozenset({"spiffe://a.example/orders"}), frozenset({"edge.internal"})
    assert one.refusal("sidecar/orders/1", orders) is None
    assert one.refusal("edge-1", edge) is None
    assert "not for spiffe://a.example/stock" in (one.refusal("sidecar/stock", orders) or "")
    assert "not for spiffe://a.example/orders" in (one.refusal("sidecar/orders", edge) or "")
    assert "of the sidecar of orders" in (one.refusal("edge-1", orders) or "")


class Client:
    """One Envoy's stream, spoken by hand."""

    def __init__(self, call: Any, node: str) -> None:
        self._call = call
        self._node = node

    async def ask(self, kind: str, **more: Any) -> None:
        from envoy.service.discovery.v3 import discovery_pb2 as messages

        request = messages.DiscoveryRequest(
            type_url=kind, **{key: value for key, value in more.items() if key != "error"}
        )
        request.node.id = self._node
        if "error" in more:
            request.error_detail.message = more["error"]
        await self._call.write(request)

    async def told(self) -> Any:
        async with asyncio.timeout(20):
            return await self._call.read()

    async def silent(self, seconds: float = 0.3) -> bool:
        reading = asyncio.ensure_future(self._call.read())
        done, _ = await asyncio.wait({reading}, timeout=seconds)
        return not done


@contextlib.asynccontextmanager
async def opened(port: int, node: str, credentials: Any = None) -> AsyncIterator[Client]:
    from envoy.service.discovery.v3 import discovery_pb2 as messages
    from grpc import aio

    place = f"localhost:{port}"
    channel = aio.insecure_channel(place) if credentials is None else aio.secure_channel(place, credentials)
    async with channel:
        method = channel.stream_stream(
            "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
            request_serializer=messages.DiscoveryRequest.SerializeToString,
            response_deserializer=messages.DiscoveryResponse.FromString,
        )
        yield Client(method(), node)


async def test_versions_nonces_and_refusals_are_each_nodes_own(house: House) -> None:
    one, found = fleet(house)
    said: list[str] = []
    server = XdsServer(lambda node, _: one.goal_for(node), say=said.append)
    port = await server.open("127.0.0.1:0")
    try:
        async with opened(port, "sidecar/orders") as orders, opened(port, "sidecar/stock") as stock:
            answers = {}
            for client, name in ((orders, "orders"), (stock, "stock")):
                await client.ask(CLUSTERS)
                answers[name] = await client.told()
            assert answers["orders"].version_info != answers["stock"].version_info
            assert answers["orders"].nonce == answers["stock"].nonce == "1"  # each counts its own
            await orders.ask(CLUSTERS, response_nonce="1", error="too many clusters")
            await stock.ask(CLUSTERS, response_nonce="1", version_info=answers["stock"].version_info)
            async with asyncio.timeout(20):
                while not any("refuses" in line for line in said):
                    await asyncio.sleep(0.01)
            refusing = {node.name: node.refused is not None for node in server.nodes}
            assert refusing == {"sidecar/orders": True, "sidecar/stock": False}
            one.told = one.renewed(replace(found, access_log=True), 2)
            server.publish()  # listeners alone are different: neither hears of clusters again
            assert {node.conversation.goal.number for node in server.nodes} == {2}
            assert await stock.silent()
            assert server.refused_total == 1 and LISTENERS not in {
                kind for node in server.nodes for kind in node.conversation.knows
            }
    finally:
        await server.close()


async def test_nobody_is_told_the_keys_of_another(house: House, tmp_path: Path) -> None:
    import grpc

    one, _ = fleet(house)
    door = house.authority.issue("door", names=["localhost"])
    gateway = Goal(1, {})
    server = XdsServer(
        lambda node, _: one.goal_for(node) if Fleet.has(node) else gateway,
        say=lambda _: None,
        refusal_for=one.refusal,
    )
    port = await server.open("127.0.0.1:0", Credentials(door.certificate_file, door.key_file, house.authority.bundle))

    def shown(name: str) -> Any:
        pair = house.issued[name]
        return grpc.ssl_channel_credentials(house.authority.bundle.read_bytes(), pair.key_pem, pair.certificate_pem)

    house.issued["edge"] = house.authority.issue("edge", names=["edge.internal"])
    try:
        for name, node, told in (
            ("orders", "sidecar/orders", True),
            ("orders", "sidecar/stock", False),
            ("orders", "edge-1", False),
            ("edge", "sidecar/orders", False),
            ("edge", "edge-1", True),
        ):
            async with opened(port, node, shown(name)) as client:
                if told:
                    await client.ask(CLUSTERS)
                    assert (await client.told()).type_url == CLUSTERS, (name, node)
                else:
                    with pytest.raises(grpc.aio.AioRpcError) as refused:
                        await client.ask(CLUSTERS)
                        await client.told()
                    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED, (name, node)
    finally:
        await server.close()


def test_no_key_stands_in_what_a_fleet_prints(house: House) -> None:
    one, _ = fleet(house)
    assert "PRIVATE" not in repr(one.told) + json.dumps(sorted(one.told))
