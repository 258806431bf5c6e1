"""The admin port of a running gateway: SPARQL, questions, routes, explanations, access."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from api_gateway_service_mesh import resources
from tests.support.serving import Serving, load, serve_process, turtle

from .test_serve import get, json_of

TOKEN = "a-token-of-some-length"
AGW = "PREFIX agw: <https://ggen.ai/ontology/api-gateway#>\n"
PUBLISHED = {
    "rate limits": "SELECT ?route ?path ?ratelimit WHERE { ?route a agw:Route ; agw:routePath ?path ; "
    "agw:hasRateLimiter ?rl . ?rl agw:requestsPerSecond ?ratelimit . }",
    "strict": "SELECT ?service ?mtlsMode WHERE { ?service agw:hasMutualTLS ?mtls . ?mtls agw:mtlsMode ?mtlsMode . "
    'FILTER(?mtlsMode = "STRICT") }',
    "breakers": "SELECT ?route ?failureThreshold ?timeout WHERE { ?route agw:hasCircuitBreaker ?cb . "
    "?cb agw:failureThreshold ?failureThreshold ; agw:timeoutSeconds ?timeout . }",
    "health": "SELECT ?service ?interval ?path ?failureThreshold WHERE { ?service agw:hasHealthCheck ?hc . "
    "?hc agw:healthCheckInterval ?interval ; agw:healthCheckPath ?path ; agw:failureThresholdHealth ?failureThreshold . }",
}
ANSWERS = {
    "rate limits": [{"route": "http://example.org/r", "path": "/r/*", "ratelimit": "100000"}],
    "strict": [{"service": "http://example.org/sealed", "mtlsMode": "STRICT"}],
    "breakers": [{"route": "http://example.org/f", "failureThreshold": "3", "timeout": "60"}],
    "health": [{"service": "http://example.org/checked", "interval": "PT30S", "path": "/ok", "failureThreshold": "3"}],
}


def config(port: int) -> str:
    return turtle(f"""@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
ex:gateway a agw:ApiGateway ; agw:hasRoute ex:r, ex:f .
ex:r a agw:Route ; agw:routePath "/r/*" ; agw:httpMethod "GET" ; agw:hasBackendService ex:backend ;
  agw:hasRateLimiter ex:limit .
ex:limit a agw:RateLimiter ; agw:requestsPerSecond 100000 ; agw:burstSize 100000 .
ex:f a agw:Route ; agw:routePath "/f/*" ; agw:hasBackendService ex:checked ; agw:hasCircuitBreaker ex:breaker .
ex:breaker a agw:CircuitBreaker ; agw:failureThreshold 3 ; agw:timeoutSeconds 60 .
ex:backend a agw:BackendService ; agw:address "127.0.0.1:{port}" .
ex:checked a agw:BackendService ; agw:address "127.0.0.1:{port}" ; agw:hasHealthCheck ex:check .
ex:check a agw:HealthCheck ; agw:healthCheckInterval "PT30S"^^xsd:duration ; agw:healthCheckPath "/ok" ;
  agw:failureThresholdHealth 3 .
ex:sealed a agw:BackendService ; agw:address "127.0.0.1:{port}" ; agw:hasMutualTLS ex:mtls .
ex:mtls a agw:MutualTLS ; agw:mtlsMode "STRICT" .
""")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Iterator[Serving]:
    file = tmp_path_factory.mktemp("admin") / "gateway.ttl"
    file.write_text(config(backend_port))
    with serve_process(file, "--workers", "2") as running:
        yield running


async def post(url: str, **options: object) -> tuple[int, str, dict[str, str]]:
    async with aiohttp.ClientSession() as session, session.post(url, **options) as answer:  # type: ignore[arg-type]
        return answer.status, await answer.text(), dict(answer.headers)


def rows(text: str) -> list[dict[str, str]]:
    return [{name: cell["value"] for name, cell in row.items()} for row in json.loads(text)["results"]["bindings"]]


async def ask(gateway: Serving, text: str) -> list[dict[str, str]]:
    status, body, _ = await post(gateway.admin + "/sparql", data={"query": AGW + text})
    assert status == 200, body
    return rows(body)


@pytest.mark.parametrize("name", PUBLISHED)
async def test_the_published_questions(gateway: Serving, name: str) -> None:
    assert await ask(gateway, PUBLISHED[name]) == ANSWERS[name]


async def test_the_three_request_shapes(gateway: Serving) -> None:
    text = AGW + PUBLISHED["rate limits"]
    url = gateway.admin + "/sparql"
    by_get = await get(url, params={"query": text})
    by_form = await post(url, data={"query": text})
    by_body = await post(url, data=text.encode(), headers={"Content-Type": "application/sparql-query"})
    assert rows(by_get[1]) == rows(by_form[1]) == rows(by_body[1]) == ANSWERS["rate limits"]


@pytest.mark.parametrize(
    ("query", "accept", "status", "media"),
    [
        ("SELECT * {}", "*/*", 200, "application/sparql-results+json"),
        ("SELECT * {}", "text/csv, application/sparql-results+xml;q=0.9", 200, "text/csv"),
        ("ASK {}", "application/sparql-results+xml", 200, "application/sparql-results+xml"),
        ("SELECT * {}", "text/tab-separated-values", 200, "text/tab-separated-values"),
        ("CONSTRUCT WHERE { ?s ?p ?o }", "*/*", 200, "text/turtle"),
        ("CONSTRUCT WHERE { ?s ?p ?o }", "application/ld+json", 200, "application/ld+json"),
        ("DESCRIBE agw:Route", "application/n-triples", 200, "application/n-triples"),
        ("SELECT * {}", "image/png", 406, "application/problem+json"),
        ("CONSTRUCT WHERE { ?s ?p ?o }", "text/csv", 406, "application/problem+json"),
        ("SELECT * {", "*/*", 400, "application/problem+json"),
        ("INSERT DATA { agw:a agw:b agw:c }", "*/*", 400, "application/problem+json"),
        ("LOAD <http://127.0.0.1/>", "*/*", 403, "application/problem+json"),
    ],
)
async def test_negotiation(gateway: Serving, query: str, accept: str, status: int, media: str) -> None:
    found = await post(gateway.admin + "/sparql", data={"query": AGW + query}, headers={"Accept": accept})
    assert (found[0], found[2]["Content-Type"].partition(";")[0]) == (status, media)


async def test_protocol_faults(gateway: Serving) -> None:
    url = gateway.admin + "/sparql"
    assert (await get(url, params=[("query", "ASK {}"), ("query", "ASK {}")]))[0] == 400
    assert (await post(url, data={"update": "CLEAR ALL"}))[0] == 403
    assert (await post(url, data=b"x", headers={"Content-Type": "application/sparql-update"}))[0] == 403
    assert (await post(url, data=b"x", headers={"Content-Type": "text/plain"}))[0] == 415
    assert (await get(url, params={"query": "ASK {}", "default-graph-uri": "not an iri"}))[0] == 400
    status, body, _ = await post(url, data={"query": "SELECT ?x\nWHERE { ?x nope:p ?y }"})
    assert (status, json.loads(body)["line"], json.loads(body)["column"]) == (400, 2, 18)
    async with aiohttp.ClientSession() as session, session.delete(url) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    status, body = await get(url, params={"query": " "})
    assert (status, json.loads(body)["detail"]) == (400, "the query is empty")


async def test_head_and_options(gateway: Serving) -> None:
    """RFC 9110 §9.1: every server answers GET and HEAD; a HEAD has the GET's fields and no content."""
    url = gateway.admin + "/sparql"
    async with aiohttp.ClientSession() as session:
        for params in ({}, {"query": "ASK {}"}):
            async with session.get(url, params=params) as whole, session.head(url, params=params) as head:
                assert (head.status, head.headers["Content-Type"]) == (200, whole.headers["Content-Type"])
                assert head.headers["Content-Length"] == whole.headers["Content-Length"]
                assert head.headers["Vary"] == "Accept"
                assert await head.read() == b""
        async with session.options(url) as answer:
            assert (answer.status, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, POST")


async def test_a_default_graph_named_twice_adds_nothing(gateway: Serving) -> None:
    query = ("query", "SELECT (COUNT(*) AS ?n) WHERE { ?s ?p ?o }")
    once = [query, ("default-graph-uri", "urn:agw:graph:config")]
    status, body = await get(gateway.admin + "/sparql", params=[*once, once[1]])
    assert (status, rows(body)) == (200, rows((await get(gateway.admin + "/sparql", params=once))[1]))


async def test_a_bare_get_describes_the_service(gateway: Serving) -> None:
    status, text = await get(gateway.admin + "/sparql")
    assert status == 200
    assert "sd:supportedLanguage sd:SPARQL11Query" in text
    assert "<urn:agw:graph:runtime>" in text


async def test_live_state_as_triples(gateway: Serving) -> None:
    for _ in range(3):
        await get(gateway.url + "/f/fail")
    assert (await get(gateway.url + "/f/x"))[0] == 503
    for _ in range(4):
        await get(gateway.url + "/r/x")
    await asyncio.sleep(0.25)
    state = await ask(gateway, "SELECT ?s WHERE { <http://example.org/breaker> agw:breakerState ?s }")
    assert state == [{"s": "OPEN"}]
    found = await ask(gateway, "SELECT ?n WHERE { <http://example.org/limit> agw:admittedTotal ?n }")
    assert int(found[0]["n"]) >= 4
    found = await ask(gateway, "SELECT ?r ?w WHERE { ?g agw:configurationRevision ?r ; agw:workerCount ?w }")
    assert found == [{"r": "1", "w": "2"}]
    health = await ask(gateway, "SELECT ?h WHERE { <http://example.org/checked> agw:healthState ?h }")
    assert health[0]["h"] in {"UNKNOWN", "HEALTHY"}
    text = (await get(gateway.admin + "/metrics"))[1]
    assert 'agw_breaker_state{breaker="http://example.org/breaker",state="OPEN"} 1' in text


async def test_named_questions(gateway: Serving) -> None:
    listed = await json_of(gateway.admin + "/queries")
    assert "rate-limited-routes" in [item["name"] for item in listed]  # type: ignore[attr-defined]
    status, text = await get(gateway.admin + "/queries/rate-limited-routes")
    assert (status, rows(text)) == (200, ANSWERS["rate limits"])
    url = gateway.admin + "/queries/routes"
    assert [row["route"] for row in rows((await get(url, params={"path": "/f/*"}))[1])] == ["http://example.org/f"]
    assert rows((await get(url, params={"route": "http://example.org/r"}))[1])[0]["path"] == "/r/*"
    # What is bound is data, whatever it looks like.
    assert rows((await get(url, params={"path": '" } SERVICE <http://127.0.0.1> { ?s ?p "'}))[1]) == []
    assert (await get(url, params={"nope": "1"}))[0] == 400
    status, text = await get(gateway.admin + "/queries/nope")
    assert status == 404
    assert "rate-limited-routes" in json.loads(text)["remedy"]


async def test_every_question_answers(gateway: Serving) -> None:
    for item in await json_of(gateway.admin + "/queries"):  # type: ignore[attr-defined]
        assert (await get(gateway.admin + item["href"]))[0] == 200, item


async def test_explain(gateway: Serving) -> None:
    url = gateway.admin + "/explain"
    status, text = await get(url, params={"method": "GET", "url": "http://shop/r/1"}, headers={"Accept": "text/plain"})
    assert status == 200
    assert "gateway.ttl:" in text
    explained = json.loads((await get(url, params={"method": "GET", "url": "/r/1"}))[1])
    assert "http://example.org/r" in json.dumps(explained)
    assert (await get(url))[0] == 400


async def test_effective(gateway: Serving) -> None:
    url = gateway.admin + "/effective"
    listed = json.loads((await get(url, params={"route": "http://example.org/r"}))[1])
    assert listed["route"] == "http://example.org/r"
    assert all(place["at"] for standing in listed["policies"] for place in standing["deciding"])
    status, text = await get(url, params={"route": "r"}, headers={"Accept": "text/plain"})
    assert (status, "by route" in text) == (200, True)
    assert (await get(url))[0] == 400
    assert (await get(url, params={"route": "nobody"}))[0] == 400


async def test_config_void_and_index(gateway: Serving) -> None:
    model = await json_of(gateway.admin + "/config")
    assert model["model"]["routes"][0]["iri"] == "http://example.org/f"  # type: ignore[index]
    assert "void:sparqlEndpoint" in (await get(gateway.admin + "/.well-known/void"))[1]
    assert "/sparql" in (await get(gateway.admin + "/"))[1]
    assert (await get(gateway.admin + "/nope"))[0] == 404


async def test_metrics_in_both_formats(gateway: Serving) -> None:
    await get(gateway.url + "/r/x")
    async with aiohttp.ClientSession() as session:
        async with session.get(gateway.admin + "/metrics") as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            text = await answer.text()
            assert 'agw_requests_total{route="http://example.org/r",code_class="2xx"}' in text
            assert f'build="{resources.build()}"' in next(
                line for line in text.splitlines() if "agw_build_info{" in line
            )
        async with session.get(
            gateway.admin + "/metrics", headers={"Accept": "application/openmetrics-text"}
        ) as answer:
            assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
            assert (await answer.text()).endswith("# EOF\n")


async def test_only_loopback_names_are_answered(gateway: Serving) -> None:
    for host, status in (("evil.example", 421), (f"localhost:{gateway.admin_port}", 200), ("[::1]:1", 200)):
        assert (await get(gateway.admin + "/routes", headers={"Host": host}))[0] == status


def test_a_token_is_demanded_once_there_is_one(tmp_path: Path, backend_port: int) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(config(backend_port))

    async def check(running: Serving) -> None:
        assert (await get(running.admin + "/livez"))[0] == 200
        assert (await get(running.admin + "/routes"))[0] == 401
        for token, status in ((TOKEN, 200), (TOKEN[:-1], 401), ("é", 401)):
            assert (await get(running.admin + "/routes", headers={"Authorization": f"Bearer {token}"}))[0] == status

    with serve_process(file, "--workers", "1", environment={"AGW_ADMIN_TOKEN": TOKEN}) as running:
        asyncio.run(check(running))


HOSTILE = {
    "braces": "SELECT * " + "{" * 2246 + "}" * 2246,
    "lists": "SELECT * { " + "(" * 200 + ")" * 200 + " ?p ?o }",
    "lists within bounds": "SELECT * { " + "(" * 20 + ")" * 20 + " ?p ?o }",
    "patterns": "SELECT * { " + " . ".join(f"?a{i} ?b{i} ?c{i}" for i in range(64)) + " } LIMIT 1",
    "too many patterns": "SELECT * { " + " . ".join(f"?a{i} ?b ?c{i}" for i in range(200)) + " }",
    "cross product": "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }",
    "giant string": 'SELECT (STRLEN(?z) AS ?n) { BIND("'
    + "x" * 1000
    + '" AS ?a) '
    + " ".join(
        f"BIND(CONCAT({', '.join(['?' + old] * 10)}) AS ?{new})" for old, new in zip("abcdef", "bcdefz", strict=True)
    )
    + " }",
    "not": "SELECT * { ?s ?p ?o FILTER(" + "!" * 9000 + "?o) }",
    "hidden parentheses": "SELECT * { ?s ?p ?o FILTER(?a <" + "(" * 900 + "1" + ")" * 900 + ">?b) }",
    "long": "SELECT * { ?s ?p '" + "x" * 200_000 + "' }",
    "nul": "SELECT * { ?s ?p '\x00' }",
    "long path": "SELECT * { ?s (" + "/".join(["agw:hasRoute*"] * 60) + ") ?o }",
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_queries_harm_nobody(gateway: Serving, name: str) -> None:
    pid = gateway.process.pid
    async with load(gateway.url + "/r/x", clients=2) as traffic:
        await traffic.more(5)
        started = time.monotonic()
        status, body, _ = await post(gateway.admin + "/sparql", data={"query": AGW + HOSTILE[name]})
        assert time.monotonic() - started < 5 + 15
        assert status in (200, 400, 413, 503), body
        await traffic.more(5)
    assert traffic.failures == []
    assert set(traffic.statuses) == {200}
    assert gateway.process.pid == pid
    assert gateway.process.poll() is None
    end = time.monotonic() + 3
    while (await post(gateway.admin + "/sparql", data={"query": "ASK {}"}))[0] != 200:
        assert time.monotonic() < end


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * {{ SERVICE <{url}> {{ ?s ?p ?o }} }}",
        "SELECT * {{ SERVICE SILENT <{url}> {{ ?s ?p ?o }} }}",
        "PREFIX ex: <{url}> SELECT * {{ SERVICEex:x {{ ?s ?p ?o }} }}",
        "SELECT * {{ S\\u0045RVICE <{url}> {{ ?s ?p ?o }} }}",
        "SELECT * {{ VALUES ?e {{ <{url}> }} SERVICE ?e {{ ?s ?p ?o }} }}",
        "LOAD <{url}>",
        "SELECT * FROM <{url}> {{ ?s ?p ?o }}",
        "SELECT * FROM NAMED <{url}> {{ GRAPH ?g {{ ?s ?p ?o }} }}",
    ],
)
async def test_a_query_cannot_leave(gateway: Serving, query: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        status, body, _ = await post(gateway.admin + "/sparql", data={"query": query.format(url=url)})
        if "FROM" in query:
            assert (status, rows(body)) == (200, [])
        else:
            assert status == 403
            assert "own dataset" in json.loads(body)["detail"]
        with pytest.raises(BlockingIOError):
            silent.accept()
