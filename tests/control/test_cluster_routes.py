"""A gateway that serves the routes of a real API server: objects come, change, are wrong, and go; so does the server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.control.cluster_objects import wanted
from api_gateway_service_mesh.control.cluster_routes import ClusterRoutes
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.model import Registry, RegistryType
from tests.support.kube_apiserver import TOKEN, ApiServer, api_server, needs_kubernetes
from tests.support.serving import Serving, serve_process, turtle

pytestmark = pytest.mark.timeout(400)
GATEWAY_API = "/apis/gateway.networking.k8s.io/v1"
HERE = f"{GATEWAY_API}/namespaces/default"
CONFIGURATION = """
ex:gateway a agw:ApiGateway ; agw:hasRoute ex:own .
ex:own a agw:Route ; agw:routePath "/own" ; agw:hasDirectResponse [ a agw:DirectResponse ; agw:responseBody "own" ] .
"""
STANDING = """PREFIX agw: <https://ggen.ai/ontology/api-gateway#>
SELECT ?state ?taken ?refused ?fault WHERE { <urn:agw:cluster:> a agw:RouteSource ; agw:routeSourceState ?state ;
  agw:takenObjects ?taken . OPTIONAL { <urn:agw:cluster:> agw:refusedObject ?refused }
  OPTIONAL { <urn:agw:cluster:> agw:routeSourceFault ?fault } }"""
SECONDS = 60.0


def definition(kind: str, plural: str, version: str) -> dict[str, Any]:
    """Of a kind, with whatever in it."""
    group = "gateway.networking.k8s.io"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/1"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }


def thing(kind: str, name: str, spec: dict[str, Any], annotations: dict[str, str] | None = None) -> dict[str, Any]:
    version = "v1" if kind == "Service" else "gateway.networking.k8s.io/v1"
    meta: dict[str, Any] = {"name": name, "annotations": annotations or {}}
    return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}


def route(name: str, path: str, **rule: Any) -> dict[str, Any]:
    match = [{"path": {"type": "PathPrefix", "value": path}}]
    made = {"matches": match, "backendRefs": [{"name": "users", "port": 80}], **rule}
    return thing("HTTPRoute", name, {"parentRefs": [{"name": "edge"}], "rules": [made]})


def endpoints(address: str, port: int) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "users-a", "labels": {"kubernetes.io/service-name": "users"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address]}],
    }


def own_address() -> str | None:
    """This host's, where it has one beside loopback, which EndpointSlices must not name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.connect(("10.255.255.255", 9))
        except OSError:
            return None
        found = str(one.getsockname()[0])
    return None if found.startswith("127.") else found


async def instance(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers one request."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\ninstance")
    await writer.drain()
    writer.close()


class Story:
    """The cluster, and what the gateway says meanwhile."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.served: Serving | None = None

    async def put(self, method: str, path: str, body: object = None, kind: str = "application/json") -> None:
        status, said = await asyncio.to_thread(self.server.ask, method, path, body, kind)
        assert status in (200, 201), said

    async def define(self) -> None:
        """Teach the server what Gateway API has."""
        kinds = (
            ("Gateway", "gateways", "v1"),
            ("HTTPRoute", "httproutes", "v1"),
            ("ReferenceGrant", "referencegrants", "v1beta1"),
        )
        for each in kinds:
            await self.put("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition(*each))
        for _, plural, version in kinds:
            place = f"/apis/gateway.networking.k8s.io/{version}/namespaces/default/{plural}"
            async with asyncio.timeout(SECONDS):
                while (await asyncio.to_thread(self.server.ask, "GET", place))[0] != 200:
                    await asyncio.sleep(0.2)

    async def routes(self) -> set[str]:
        """Paths that are served."""
        assert self.served is not None
        async with aiohttp.ClientSession() as session, session.get(self.served.admin + "/config") as got:
            return {each["match"]["path"]["text"] for each in (await got.json(content_type=None))["routes"]}

    async def get(self, path: str) -> str:
        assert self.served is not None
        async with aiohttp.ClientSession() as session, session.get(self.served.url + path) as got:
            return await got.text() if got.status == 200 else str(got.status)

    async def until_answered(self, path: str, wanted: str) -> None:
        async with asyncio.timeout(SECONDS):
            while await self.get(path) != wanted:
                await asyncio.sleep(0.1)

    async def until(self, wanted: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """Wait for a standing in the live graph."""
        assert self.served is not None
        headers = {"content-type": "application/sparql-query", "accept": "application/sparql-results+json"}
        async with aiohttp.ClientSession() as session, asyncio.timeout(SECONDS):
            while True:
                async with session.post(self.served.admin + "/sparql", data=STANDING, headers=headers) as got:
                    assert got.status in (200, 503), await got.text()
                    rows = (await got.json(content_type=None))["results"]["bindings"] if got.status == 200 else []
                seen = {name: value["value"] for name, value in rows[0].items()} if rows else {}
                if rows and wanted(seen):
                    return seen
                await asyncio.sleep(0.1)

    async def diagnoses(self) -> set[str]:
        """What the doctor finds."""
        assert self.served is not None
        async with aiohttp.ClientSession() as session, session.get(self.served.admin + "/doctor") as got:
            return {each["diagnosis"] for each in (await got.json(content_type=None))["findings"]}

    async def metrics(self) -> str:
        assert self.served is not None
        async with aiohttp.ClientSession() as session, session.get(self.served.admin + "/metrics") as got:
            return await got.text()


def test_what_was_good_outlives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(turtle(CONFIGURATION))
    registry = Registry("urn:agw:cluster:registry", RegistryType.KUBERNETES, "http://127.0.0.1:1")
    changes: list[str] = []

    def told(*routes: dict[str, Any]) -> list[str]:
        source = ClusterRoutes(registry, None, "agw", tmp_path / "cluster-routes.ttl", (file,))
        source.prepare()
        gateway = {"metadata": {"name": "edge", "namespace": "default"}, "spec": {"gatewayClassName": "agw"}}
        for one in routes:
            one["metadata"]["namespace"] = "default"
        found = {("default", one["metadata"]["name"]): one for one in routes}
        empty: dict[tuple[str, str], dict[str, Any]] = {}
        kinds = {
            "Gateway": {("default", "edge"): gateway},
            "HTTPRoute": found,
            "Service": empty,
            "ReferenceGrant": empty,
        }
        source._take(wanted(kinds, "agw"), registry, lambda: changes.append("changed"))
        return list(source.standing.refused)

    def paths() -> set[str]:
        return {
            each.match.path.text
            for each in build(SourceGraph.load([file, tmp_path / "cluster-routes.ttl"])).mesh.routes
        }

    assert told(route("users", "/users"), route("carts", "/carts")) == []
    wrong = route("users", "/people")
    wrong["spec"]["hostnames"] = ["no host"]
    assert told(wrong, route("carts", "/baskets")) == ["HTTPRoute default/users"]
    assert paths() == {"/own", "/users", "/baskets"}
    assert told(route("users", "/people")) == []
    assert paths() == {"/own", "/people"}
    assert told(route("users", "/people")) == []
    assert len(changes) == 3


@needs_kubernetes
async def test_routes_of_a_cluster_are_served(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    file = tmp_path / "gateway.ttl"
    file.write_text(turtle(CONFIGURATION))
    with ExitStack() as running:
        server = running.enter_context(api_server(tmp_path))
        story = Story(server)
        await story.define()
        await story.put(
            "POST", f"{HERE}/gateways", thing("Gateway", "edge", {"gatewayClassName": "agw", "listeners": []})
        )
        direct = [
            {
                "type": "RequestRedirect",
                "requestRedirect": {"statusCode": 302, "path": {"type": "ReplaceFullPath", "replaceFullPath": "/own"}},
            }
        ]
        moved = route("moved", "/moved", filters=direct)
        moved["spec"]["rules"][0].pop("backendRefs")
        await story.put("POST", f"{HERE}/httproutes", moved)
        serving = serve_process(
            file, "--workers", "1", "--routes-from", server.url, "--routes-token", f"file:{tmp_path / 'token'}",
            "--routes-trust", tmp_path / "certs" / "apiserver.crt", seconds=120,
        )  # fmt: skip
        story.served = await asyncio.to_thread(serving.__enter__)
        try:
            assert await story.get("/own") == "own"
            await story.until_answered("/moved", "own")
            # A Service, an HTTPRoute that names it, and its instances, by its EndpointSlices.
            service = {"ports": [{"name": "http", "port": 80}], "clusterIP": "None"}
            await story.put("POST", "/api/v1/namespaces/default/services", thing("Service", "users", service))
            await story.put("POST", f"{HERE}/httproutes", route("users", "/users"))
            await story.until(lambda seen: (seen["state"], seen["taken"]) == ("CURRENT", "4"))
            await story.until_answered("/users", "503")
            address = own_address()
            answered = "503"
            if address is not None:
                behind = await asyncio.start_server(instance, address, 0)
                there = endpoints(address, behind.sockets[0].getsockname()[1])
                await story.put("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", there)
                answered = "instance"
            await story.until_answered("/users", answered)
            # One that is wrong is told of; what was served of it before still is, and the others change.
            wrong = {"spec": {"hostnames": ["no host"]}}
            await story.put("PATCH", f"{HERE}/httproutes/users", wrong, "application/merge-patch+json")
            unsaid = route("unsaid", "/unsaid", filters=[{"type": "ExtensionRef", "extensionRef": {"name": "x"}}])
            await story.put("POST", f"{HERE}/httproutes", unsaid)
            change = {"metadata": {"annotations": {"agw.ggen.ai/path": "/people"}}}
            await story.put(
                "PATCH", "/api/v1/namespaces/default/services/users", change, "application/merge-patch+json"
            )
            await story.until_answered("/people", answered)
            await story.until(lambda seen: seen.get("refused", "").startswith("HTTPRoute default/"))
            assert (await story.get("/users"), await story.get("/unsaid")) == (answered, "404")
            assert "agw_route_source_refused 2" in await story.metrics()
            assert "cluster-routes-refused" in await story.diagnoses()
            for name in ("users", "unsaid"):
                said = f"HTTPRoute default/{name} of the cluster is refused"
                assert any(said in line for line in story.served.lines)
            # It is mended, and others go.
            await story.put("DELETE", f"{HERE}/httproutes/users")
            await story.put("DELETE", f"{HERE}/httproutes/unsaid")
            await story.until_answered("/users", "404")
            await story.until(lambda seen: "refused" not in seen)
            assert await story.get("/moved") == "own"
            # The server is gone: nothing changes but what is told of it.
            await asyncio.to_thread(running.close)
            seen = await story.until(lambda seen: seen["state"] == "STALE")
            assert seen["fault"]
            assert "cluster-routes-stale" in await story.diagnoses()
            assert (await story.get("/moved"), await story.get("/own")) == ("own", "own")
            assert 'agw_route_source_state{state="STALE"} 1' in await story.metrics()
        finally:
            await asyncio.to_thread(serving.__exit__, None, None, None)
    assert "moved" in (tmp_path / "cluster-routes.ttl").read_text()


async def test_a_cluster_that_is_away_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(turtle(CONFIGURATION))
    kept = """@prefix agw: <https://ggen.ai/ontology/api-gateway#> . @prefix ex: <http://example.org/> .
ex:gateway agw:hasRoute <urn:agw:cluster:kept> . <urn:agw:cluster:kept> a agw:Route ; agw:routePath "/kept" ;
    agw:hasDirectResponse [ a agw:DirectResponse ; agw:responseBody "kept" ] ."""
    (tmp_path / "cluster-routes.ttl").write_text(kept)
    story = Story(ApiServer(0))
    serving = serve_process(file, "--workers", "1", "--routes-from", "http://127.0.0.1:1", seconds=120)
    story.served = await asyncio.to_thread(serving.__enter__)
    try:
        assert await story.get("/kept") == "kept"
        seen = await story.until(lambda seen: "fault" in seen)
        assert seen["state"] == "WAITING" and "127.0.0.1:1" in seen["fault"]
        assert "routes of the cluster are not told of" in "\n".join(story.served.lines)
    finally:
        await asyncio.to_thread(serving.__exit__, None, None, None)
