"""No secret goes to who is not to have it: what Envoys are told is searched for planted ones, on every stream and type."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from api_gateway_service_mesh.control.xds.goal import SECRETS, TYPES
from tests.control.planted_gateway import plant
from tests.control.test_planted_secrets import Searched, ask
from tests.parity.running import ENVOY, free_port, started
from tests.support.certs import new_authority
from tests.support.planted import Planted, tattler
from tests.support.serving import Serving, turtle

grpc = pytest.importorskip("grpc")
pytest.importorskip("xds")
pytestmark = pytest.mark.timeout(300)

wild = (TYPES["clusters"], TYPES["listeners"])
_SERVICE = "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
ENFORCED = "api-key's hash"
"""Envoy judges keys by it, so it is told: in listeners and routes."""


@contextlib.contextmanager
def fleet(folder: Path, planted: Planted, *options: str) -> Iterator[tuple[Serving, int]]:
    """``agw xds`` with a secret in every place; the port that Envoys connect to."""
    with tattler() as teller:
        file, environment = plant(folder, planted, teller.port, teller.port)
        arguments = (str(file), "--allow-loss", "--port", "0", "--admin-port", "0", *options)
        gateway = Serving(*arguments, environment=environment, command="xds")
        try:
            port = int(gateway.said(r"envoys are waited for on \S+:(\d+)", seconds=40)[1])
            yield gateway.ready(), port
        finally:
            if gateway.process.poll() is None:
                gateway.end(signal.SIGTERM, seconds=30)


async def told(channel: Any, *, delta: bool) -> dict[str, bytes]:
    """All that an Envoy is told that asks for everything, by type."""
    from envoy.service.discovery.v3 import discovery_pb2 as messages

    request = messages.DeltaDiscoveryRequest if delta else messages.DiscoveryRequest
    response = messages.DeltaDiscoveryResponse if delta else messages.DiscoveryResponse
    call = channel.stream_stream(
        _SERVICE + ("DeltaAggregatedResources" if delta else "StreamAggregatedResources"),
        request_serializer=request.SerializeToString,
        response_deserializer=response.FromString,
    )()
    found: dict[str, bytes] = {}
    names: set[str] = set()

    async def ask_for(kind: str, **more: Any) -> None:
        made = request(type_url=kind, **more)
        made.node.id = "curious"
        await call.write(made)

    async with asyncio.timeout(60):
        for kind in (TYPES["clusters"], TYPES["listeners"]):
            await ask_for(kind)
        while found.keys() != set(TYPES.values()):
            answer = await call.read()
            assert answer is not grpc.aio.EOF, await call.details()
            kind, content = answer.type_url, answer.SerializeToString()
            found[kind] = found.get(kind, b"") + content
            taken = {"response_nonce": answer.nonce}
            if not delta:
                taken |= {
                    "version_info": answer.version_info,
                    "resource_names": sorted(names) if kind not in wild else [],
                }
            await ask_for(kind, **taken)
            if kind in wild:
                names |= {f"http://example.org/{name}{end}" for name in ("site", "own") for end in ("", "#trust")}
                names |= {name for held in answer.resources for name in _named(held.resource if delta else held)}
                more = (TYPES["endpoints"],) if kind == TYPES["clusters"] else (TYPES["routes"], SECRETS)
                for wanted in more:
                    await ask_for(wanted, **{"resource_names_subscribe" if delta else "resource_names": sorted(names)})
    call.cancel()
    return found


def _named(packed: Any) -> Iterator[str]:
    """The cluster, or the routes that a listener asks for."""
    from envoy.config.cluster.v3 import cluster_pb2
    from envoy.config.listener.v3 import listener_pb2
    from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as http

    cluster, listener, manager = cluster_pb2.Cluster(), listener_pb2.Listener(), http.HttpConnectionManager()
    if packed.Unpack(cluster):
        yield cluster.name
    elif packed.Unpack(listener):
        for chain in listener.filter_chains:
            for each in chain.filters:
                if each.typed_config.Unpack(manager):
                    yield manager.rds.route_config_name


def search(found: dict[str, bytes], searched: Searched, *, keys: bool) -> None:
    assert found.keys() == set(TYPES.values())
    assert b"http://example.org/site" in found[SECRETS]
    for kind, content in found.items():
        holds = {ENFORCED} if kind in (TYPES["listeners"], TYPES["routes"]) else set()
        searched.look(
            kind.rpartition(".")[2], content, holds=frozenset(holds | ({"key"} if keys and kind == SECRETS else set()))
        )
    assert ("key" in searched.planted.found(found[SECRETS])) == keys


async def test_without_certificates_nobody_is_told_a_key(tmp_path: Path) -> None:
    searched = Searched(Planted())
    with fleet(tmp_path, searched.planted) as (gateway, port):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            for delta in (False, True):
                found = await told(channel, delta=delta)
                search(found, searched, keys=False)
                assert b"site.key" in found[SECRETS], "the file is named: who may read it needs no more"
    searched.look("standard error", "\n".join(gateway.lines))
    assert not searched.leaks, "\n".join(searched.leaks)


async def test_only_an_envoy_that_proves_itself_is_told_a_key_and_only_by_sds(tmp_path: Path) -> None:
    (tmp_path / "doors").mkdir()
    (tmp_path / "strangers").mkdir()
    (tmp_path / "planted").mkdir()
    own, strange = new_authority(tmp_path / "doors", "doors"), new_authority(tmp_path / "strangers", "strangers")
    door, envoy = own.issue("door"), own.issue("envoy")
    other, ended = strange.issue("other"), own.expired()
    searched = Searched(Planted())
    options = ("--certificate", str(door.certificate_file), "--key", str(door.key_file), "--trust", str(own.bundle))
    with fleet(tmp_path / "planted", searched.planted, *options) as (gateway, port):
        for shown in (None, other, ended, "plain"):
            pair = () if shown in (None, "plain") else (shown.key_pem, shown.certificate_pem)  # type: ignore[union-attr]
            made = grpc.ssl_channel_credentials(own.bundle.read_bytes(), *pair)
            channel = (
                grpc.aio.insecure_channel(f"localhost:{port}")
                if shown == "plain"
                else grpc.aio.secure_channel(f"localhost:{port}", made)
            )
            async with channel:
                with pytest.raises((grpc.aio.AioRpcError, asyncio.InvalidStateError, AssertionError)):
                    await told(channel, delta=False)
        made = grpc.ssl_channel_credentials(own.bundle.read_bytes(), envoy.key_pem, envoy.certificate_pem)
        async with grpc.aio.secure_channel(f"localhost:{port}", made) as channel:
            for delta in (False, True):
                search(await told(channel, delta=delta), searched, keys=True)
        assert sum("envoy curious" in line and "is connected" in line for line in gateway.lines) == 2, gateway.lines
        triples = "SELECT * { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }"
        bearer = {"Authorization": f"Bearer {searched.planted.values['AGW_ADMIN_READ_TOKEN']}"}
        async with aiohttp.ClientSession(headers=bearer) as session:
            for path in ("config", "metrics", "routes", "overview", f"sparql?query={quote(triples)}"):
                await ask(session, searched, "GET", f"{gateway.admin}/{path}")
    searched.look("standard error", "\n".join(gateway.lines))
    assert not searched.leaks, "\n".join(searched.leaks)


@pytest.mark.skipif(ENVOY is None, reason="there is no envoy program beside Python or on the path")
async def test_an_envoy_that_is_told_no_key_reads_it_itself(tmp_path: Path) -> None:
    from api_gateway_service_mesh.manifests.envoy import ControlPlane, dynamic_bootstrap

    front, authority = free_port(), new_authority(tmp_path)
    issued = authority.issue("site")
    file = tmp_path / "gateway.ttl"
    body = f"""
ex:gateway a agw:ApiGateway ; agw:hasListener ex:web ; agw:hasRoute ex:all .
ex:all a agw:Route ; agw:routePath "/*" ; agw:hasDirectResponse [ a agw:DirectResponse ; agw:responseBody "here" ] .
ex:web a agw:Listener ; agw:port {front} ; agw:bindAddress "127.0.0.1" ; agw:hasCertificate ex:site .
ex:site a agw:Certificate ; agw:certificateFile "site.pem" ; agw:privateKeyRef "file:site-key.pem" .
"""
    file.write_text(turtle(body))
    gateway = Serving(str(file), "--port", "0", "--admin-port", "0", command="xds")
    try:
        door = int(gateway.said(r"envoys are waited for on \S+:(\d+)", seconds=40)[1])
        made = dynamic_bootstrap(ControlPlane("127.0.0.1", door), node="edge", admin=None)
        (tmp_path / "envoy.json").write_text(json.dumps(made))
        async with started(tmp_path / "envoy.json", front):
            context = ssl.create_default_context(cafile=str(authority.bundle))
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
                async with session.get(f"https://localhost:{front}/") as answer:
                    assert (answer.status, await answer.text()) == (200, "here")
        assert issued.key_file.name == "site-key.pem"
    finally:
        gateway.end(signal.SIGTERM, seconds=30)


@pytest.mark.skipif(ENVOY is None, reason="there is no envoy program beside Python or on the path")
async def test_the_envoy_beside_agw_tells_nobody(tmp_path: Path) -> None:
    searched = Searched(Planted())
    with tattler() as teller:
        file, environment = plant(tmp_path, searched.planted, teller.port, teller.port)
        local = ("--host", "127.0.0.1", "--port", "0", "--admin-port", "0", "--data-plane", "envoy", "--allow-loss")
        gateway = Serving(str(file), *local, "--workers", "1", environment=environment)
        try:
            gateway.said(r"serving .* on https?://", seconds=90)
            (envoy,) = gateway.children("bootstrap.json")
            command = (Path("/proc") / str(envoy) / "cmdline").read_bytes().split(b"\0")
            folder = Path(command[command.index(b"-c") + 1].decode()).parent
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700, "its sockets are nobody else's"
            searched.look("the bootstrap", (folder / "bootstrap.json").read_bytes())
            connector = aiohttp.UnixConnector(str(folder / "admin.sock"))
            asked = (
                "config_dump?include_eds",
                "certs",
                "clusters?format=json",
                "listeners",
                "stats",
                "server_info",
                "memory",
            )
            async with aiohttp.ClientSession(connector=connector) as session:
                for path in asked:
                    async with session.get(f"http://envoy/{path}") as answer:
                        assert answer.status == 200, path
                        searched.look(f"envoy's {path}", await answer.read(), holds=frozenset({ENFORCED}))
        finally:
            gateway.end(signal.SIGTERM, seconds=30)
        searched.look("standard error", "\n".join(gateway.lines))
        assert not searched.leaks, "\n".join(searched.leaks)
        assert not folder.exists()
