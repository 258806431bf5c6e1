from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import aiohttp
import pytest
import rdflib
from aiohttp.test_utils import TestClient, TestServer

from api_gateway_service_mesh import ApiGateway, ConfigError, RouteConfig, ServiceMeshConfig
from api_gateway_service_mesh.errors import AgwError, ClientError
from tests.support.backend import answer, backend, says
from tests.support.configuration import EX, HEAD

MESH = ServiceMeshConfig()


def route(path: str = "/a", service: str = "s:80", method: str = "GET", **more: object) -> RouteConfig:
    return RouteConfig(path, method, service, **more)  # type: ignore[arg-type]


# -- the configuration


def test_routes_are_triples_that_published_questions_find() -> None:
    gateway = ApiGateway(MESH)
    iri = gateway.add_route(route("/api/v1/products", "products-service:8080", rate_limit_rps=200))
    assert iri == "urn:agw:config:get-api-v1-products"
    (limited,) = gateway.query(
        "SELECT ?route ?path ?ratelimit WHERE "
        "{ ?route a agw:Route ; agw:routePath ?path ; agw:hasRateLimiter ?rl . ?rl agw:requestsPerSecond ?ratelimit . }"
    )
    assert tuple(limited) == (iri, "/api/v1/products", 200)
    (strict,) = gateway.query(
        'SELECT ?service WHERE { ?service a agw:BackendService ; agw:hasMutualTLS ?mtls . ?mtls agw:mtlsMode "STRICT" }'
    )
    assert strict.service == "urn:agw:config:products-service-8080"


def test_one_backend_is_one_service() -> None:
    gateway = ApiGateway(MESH)
    gateway.add_routes([route("/a"), route("/b"), route("/c", "t:80")])
    gateway.add_route(route("/d", "t:80"))
    assert [upstream.endpoints[0].host for upstream in gateway.build.mesh.upstreams] == ["s", "t"]


def test_the_same_calls_make_the_same_triples() -> None:
    first, second = ApiGateway(MESH), ApiGateway(MESH)
    first.add_route(route("/a"))
    first.add_route(route("/b", "t:80"))
    second.add_routes([route("/a"), route("/b", "t:80")])
    assert first.build.source.digest == second.build.source.digest


def test_a_refused_route_leaves_everything_as_it_was() -> None:
    gateway = ApiGateway(MESH)
    gateway.add_route(route("/a"))
    digest, made = gateway.build.source.digest, gateway.build
    for wrong in (route("/a"), route("/b", "no port"), route("/b/{x"), route("/b?x=1")):
        with pytest.raises(ConfigError):
            gateway.add_routes([route("/fine"), wrong])
    assert gateway.build is made
    assert gateway.build.source.digest == digest
    gateway.add_route(route("/fine"))


def test_a_gateway_from_a_file_keeps_its_lines_when_routes_are_added(tmp_path: Path) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(HEAD + 'ex:g a agw:ApiGateway . ex:s a agw:BackendService ; agw:address "s:80" .\n')
    gateway = ApiGateway.from_turtle(str(file))
    iri = gateway.add_route(route("/a", "s:80"))
    assert gateway.build.mesh.iri == EX + "g"
    assert gateway.build.mesh.routes[0].upstream == EX + "s"
    assert (
        rdflib.URIRef(EX + "g"),
        rdflib.URIRef("https://ggen.ai/ontology/api-gateway#hasRoute"),
        rdflib.URIRef(iri),
    ) in gateway.graph
    place = gateway.build.inferred.locate(EX + "s")
    assert place and place.line == 2


def test_turtle_as_text_and_rdflib_graphs_in_and_out() -> None:
    text = (
        HEAD
        + 'ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s . ex:s a agw:BackendService ; agw:address "s:80" .'
    )
    gateway = ApiGateway.from_turtle(text)
    again = ApiGateway.from_graph(gateway.graph)
    assert again.build.source.digest == gateway.build.source.digest
    gateway.graph.remove((None, None, None))
    assert len(gateway.graph) == 5, "what is handed out is a copy"


def test_a_wrong_file_is_refused_with_its_report(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as missing:
        ApiGateway.from_turtle(tmp_path / "none.ttl")
    assert missing.value.report.violations
    with pytest.raises(ConfigError):
        ApiGateway.from_turtle(HEAD + 'ex:r a agw:Route ; agw:routePath "a" .')


def test_queries_that_are_none() -> None:
    with pytest.raises(ClientError, match="not SPARQL"):
        ApiGateway(MESH).query("SELECT ?x WHERE {")
    with pytest.raises(ClientError):
        ApiGateway(MESH).query("DROP ALL")


def test_repr_is_a_status_line() -> None:
    gateway = ApiGateway(MESH)
    gateway.add_route(route())
    assert repr(gateway).endswith("idle>")


# -- serving


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_serving_forwards_and_counts() -> None:
    async with backend(says(answer(b"hello"))) as service:
        gateway = ApiGateway(MESH)
        iri = gateway.add_route(route("/a", f"127.0.0.1:{service.port}"))
        async with gateway.serving() as address:
            assert await get(address.url + "/a") == (200, "hello")
            assert (await get(address.url + "/b"))[0] == 404
            (counted,) = gateway.query("SELECT ?n WHERE { ?route agw:requestTotal ?n }")
            assert counted.n == 1
            assert "serving" in repr(gateway)
            (found,) = gateway.query(f"SELECT ?workers WHERE {{ ?g agw:workerCount ?workers }} # {iri}")
            assert found.workers == 1
        with pytest.raises(aiohttp.ClientConnectionError):
            await get(address.url + "/a")


async def test_a_route_added_while_serving_is_served_from_then_on() -> None:
    async with backend(says(answer(b"hello"))) as service:
        gateway = ApiGateway(MESH)
        target = f"127.0.0.1:{service.port}"
        gateway.add_route(route("/a", target, rate_limit_rps=1))
        async with gateway.serving() as address:
            assert (await get(address.url + "/a"))[0] == 200
            assert (await get(address.url + "/b"))[0] == 404
            gateway.add_route(route("/b", target))
            assert (await get(address.url + "/b"))[0] == 200
            assert (await get(address.url + "/a"))[0] == 429, "the limiter kept its state"
            with pytest.raises(ConfigError):
                gateway.add_route(route("/b", target))
            assert (await get(address.url + "/b"))[0] == 200


async def test_a_route_may_be_added_from_another_thread() -> None:
    async with backend(says(answer(b"hello"))) as service:
        gateway = ApiGateway()
        async with gateway.serving() as address:
            await asyncio.to_thread(gateway.add_route, route("/a", f"127.0.0.1:{service.port}"))
            assert (await get(address.url + "/a"))[0] == 200


async def test_app_mounts_the_same_pipeline() -> None:
    async with backend(says(answer(b"hello"))) as service:
        gateway = ApiGateway(MESH)
        gateway.add_route(route("/shop/*", f"127.0.0.1:{service.port}"))
        async with TestClient(TestServer(gateway.app())) as client:
            async with client.get("/shop/1") as response:
                assert (response.status, await response.text()) == (200, "hello")
            gateway.add_route(route("/late", f"127.0.0.1:{service.port}"))
            async with client.get("/late") as response:
                assert response.status == 200
        assert "idle" in repr(gateway)


async def test_two_places_share_limits() -> None:
    async with backend(says(answer(b"hello"))) as service:
        gateway = ApiGateway(MESH)
        gateway.add_route(route("/a", f"127.0.0.1:{service.port}", rate_limit_rps=1))
        async with gateway.serving() as one, gateway.serving() as two:
            assert {(await get(one.url + "/a"))[0], (await get(two.url + "/a"))[0]} == {200, 429}


async def test_run_in_a_thread_until_stop() -> None:
    async with backend(says(answer(b"hello"))) as service:
        gateway = ApiGateway(MESH)
        gateway.add_route(route("/a", f"127.0.0.1:{service.port}"))
        async with gateway.serving() as probe:
            port = probe.port
        thread = threading.Thread(target=gateway.run, args=("127.0.0.1", port))
        thread.start()
        try:
            async with asyncio.timeout(20):
                while True:
                    try:
                        assert await get(f"http://127.0.0.1:{port}/a") == (200, "hello")
                        break
                    except aiohttp.ClientConnectionError:
                        await asyncio.sleep(0.02)
        finally:
            gateway.stop()
            await asyncio.to_thread(thread.join, 10)
        assert not thread.is_alive()


async def test_a_port_in_use_is_a_sentence() -> None:
    gateway = ApiGateway(MESH)
    async with gateway.serving() as address:
        with pytest.raises(AgwError, match=str(address.port)):
            async with gateway.serving(port=address.port):
                pass
        assert (await get(address.url + "/"))[0] == 404, "the first goes on"
