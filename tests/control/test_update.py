"""Updates of a running gateway: gated, atomic, with conditions, kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import aiohttp
import pyoxigraph as ox
import pytest

from api_gateway_service_mesh.control.update import etag, matches
from tests.support.serving import Serving, load, serve_process

from .test_serve import get, json_of, shop

PREFIX = "PREFIX agw: <https://ggen.ai/ontology/api-gateway#> PREFIX ex: <http://example.org/>\n"
ADD = 'INSERT DATA {{ ex:n{0} a agw:Route ; agw:routePath "/n{0}/*" ; agw:hasBackendService ex:backend . '
ADD += "ex:gateway agw:hasRoute ex:n{0} }}"
SH = "http://www.w3.org/ns/shacl#"

Answer = tuple[int, str, Mapping[str, str]]


async def send(gateway: Serving, method: str, path: str, body: str | None = None, **fields: str) -> Answer:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    async with aiohttp.ClientSession() as session:
        url = gateway.admin + path
        async with session.request(
            method, url, data=body.encode() if body is not None else None, headers=headers
        ) as got:
            return got.status, await got.text(), got.headers


async def update(gateway: Serving, text: str, **fields: str) -> Answer:
    return await send(gateway, "POST", "/sparql", PREFIX + text, Content_Type="application/sparql-update", **fields)


async def revision(gateway: Serving) -> int:
    listed = await json_of(gateway.admin + "/revisions")
    return max(item["revision"] or 0 for item in listed)  # type: ignore[attr-defined]


@pytest.fixture
def gateway(tmp_path: Path, backend_port: int) -> Iterator[Serving]:
    file = tmp_path / "gateway.ttl"
    file.write_text(shop(backend_port))
    with serve_process("--store", tmp_path / "store", file, "--workers", "1") as running:
        yield running


async def test_updates_go_live_without_a_failed_request(gateway: Serving) -> None:
    async with load(gateway.url + "/r0/x", clients=4) as traffic:
        for number in range(5):
            status, text, fields = await update(gateway, ADD.format(number), Agw_Message=f"step {number}")
            assert status == 200, text
            told = json.loads(text)
            assert told["revision"] == number + 2
            assert told["changed"]["routes_added"] == [f"http://example.org/n{number}"]
            assert fields["ETag"] == etag(told["digest"])
            assert fields["Agw-Revision"] == str(number + 2)
            assert (await get(f"{gateway.url}/n{number}/x"))[0] == 200
        await traffic.more(50)
    assert traffic.failures == []
    assert set(traffic.statuses) == {200}


async def test_the_forms_of_the_protocol(gateway: Serving) -> None:
    url = gateway.admin + "/sparql"
    async with aiohttp.ClientSession() as session:
        async with session.post(url, data={"update": PREFIX + ADD.format(1)}) as by_form:
            assert by_form.status == 200, await by_form.text()
        async with session.post(url, params={"update": "CLEAR ALL"}, data={"query": "ASK {}"}) as both:
            assert both.status == 400
        async with session.get(url, params={"update": "CLEAR ALL"}) as by_get:
            assert by_get.status == 400
        body = PREFIX + "INSERT { ?r agw:priority 3 } WHERE { ?r a agw:Route }"
        params = {"using-graph-uri": "urn:agw:graph:config"}
        fields = {"Content-Type": "application/sparql-update"}
        async with session.post(url, params=params, data=body, headers=fields) as using:
            assert (await using.json())["added"] == 2
    assert (await get(gateway.url + "/n1/x"))[0] == 200


@pytest.mark.parametrize("accept", ["text/turtle", "application/ld+json", "application/problem+json", "*/*"])
async def test_a_wrong_update_is_refused_with_the_report(gateway: Serving, accept: str) -> None:
    wrong = "DELETE { ?r agw:routePath ?p } INSERT { ?r agw:priority 'high' } WHERE { ?r agw:routePath ?p }"
    status, text, fields = await update(gateway, wrong, Accept=accept)
    media = fields["Content-Type"].partition(";")[0]
    assert status == 422
    if "problem" in accept or accept == "*/*":
        assert media == "application/problem+json"
        problem = json.loads(text)
        assert {item["code"] for item in problem["report"]["findings"]} == {"route-has-path", "datatype"}
    else:
        assert media == accept
        form = ox.RdfFormat.TURTLE if accept == "text/turtle" else ox.RdfFormat.JSON_LD
        store = ox.Store()
        store.load(text.encode(), format=form)
        found = store.query(
            f"PREFIX sh: <{SH}> SELECT ?focus ?path ?component WHERE {{ ?report a sh:ValidationReport ; "
            "sh:conforms false ; sh:result ?result . ?result sh:focusNode ?focus ; "
            "sh:sourceConstraintComponent ?component ; sh:resultSeverity sh:Violation ; sh:resultMessage ?text . "
            "OPTIONAL { ?result sh:resultPath ?path } }"
        )
        rows = {(row["focus"].value, row["path"] and row["path"].value.rpartition("#")[2]) for row in found}  # type: ignore[union-attr]
        assert rows == {("http://example.org/r0", "priority"), ("http://example.org/r0", None)}
    assert await revision(gateway) == 1
    assert (await get(gateway.url + "/r0/x"))[0] == 200


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("INSERT DATA { ex:r0 agw:routePth '/x' }", 422),
        ('INSERT DATA { ex:c a agw:Certificate ; agw:privateKeyRef "hunter2" }', 422),
        ("CLEAR DEFAULT", 422),
        ("DELETE WHERE { ?r agw:hasRoute ?x ; ?p ?o } ; DELETE WHERE { ?r a agw:Route ; ?p ?o }", 422),
        ("INSERT DATA { GRAPH <urn:agw:graph:shapes> { ex:a ex:b ex:c } }", 403),
        ("CLEAR ALL", 403),
        ("LOAD <http://127.0.0.1:1/x>", 403),
        ("INSERT { ?s ?p ?o } WHERE { SERVICE <http://127.0.0.1:1/> { ?s ?p ?o } }", 403),
        ("INSERT DATA { ex:a ex:b", 400),
        (
            "INSERT { ?a ex:b ?c } WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l . ?m ?n ?o . ?q ?r ?s . ?t ?u ?v . ?w ?x ?y . ?z ?aa ?bb }",
            503,
        ),
    ],
)
async def test_what_is_refused_changes_nothing(gateway: Serving, text: str, status: int) -> None:
    found, body, _ = await update(gateway, text)
    assert found == status, body
    assert "hunter2" not in body
    assert not any("hunter2" in line for line in gateway.lines)
    assert await revision(gateway) == 1
    assert (await get(gateway.url + "/r0/x"))[0] == 200
    assert (await update(gateway, ADD.format(1)))[0] == 200


async def test_conditions(gateway: Serving) -> None:
    first = (await send(gateway, "GET", "/data?default"))[2]["ETag"]
    assert (await update(gateway, ADD.format(1), If_Match=first))[0] == 200
    status, text, _ = await update(gateway, ADD.format(2), If_Match=first)
    assert (status, json.loads(text)["type"]) == (412, "urn:agw:problem:precondition-failed")
    assert (await update(gateway, ADD.format(2), If_Match="*"))[0] == 200
    assert (await update(gateway, ADD.format(3), If_None_Match="*"))[0] == 412
    assert await revision(gateway) == 3


async def test_writers_at_once_take_turns(gateway: Serving) -> None:
    found = await asyncio.gather(*(update(gateway, ADD.format(number)) for number in range(8)))
    assert {status for status, _, _ in found} == {200}
    assert sorted(json.loads(text)["revision"] for _, text, _ in found) == list(range(2, 10))
    tag = (await send(gateway, "GET", "/data?default"))[2]["ETag"]
    raced = await asyncio.gather(*(update(gateway, ADD.format(20 + n), If_Match=tag) for n in range(4)))
    assert sorted(status for status, _, _ in raced) == [200, 412, 412, 412]


async def test_an_update_that_changes_nothing_is_no_revision(gateway: Serving) -> None:
    assert (await update(gateway, "INSERT DATA { ex:r0 a agw:Route }"))[0] == 200
    assert (await update(gateway, "DELETE DATA { ex:none a agw:Route }"))[0] == 200
    assert await revision(gateway) == 1


async def test_queries_see_what_updates_did_and_why(gateway: Serving) -> None:
    await update(gateway, ADD.format(1), Agw_Message="a shop needs it", Agw_Source="shop.ttl")
    question = PREFIX + "PREFIX prov: <http://www.w3.org/ns/prov#> PREFIX cs: <http://purl.org/vocab/changeset/schema#>"
    question += """
        PREFIX dcterms: <http://purl.org/dc/terms/> PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
        SELECT ?n ?who ?why ?where WHERE { GRAPH <urn:agw:graph:history> {
          ?revision dcterms:identifier ?n ; prov:wasRevisionOf <urn:agw:revision:1> ; prov:wasGeneratedBy ?change .
          ?change prov:wasAssociatedWith/rdfs:label ?who ; cs:changeReason ?why ; dcterms:source ?where ;
            cs:addition [ rdf:subject ex:n1 ; rdf:predicate agw:routePath ; rdf:object "/n1/*" ] } }"""
    question = "PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>\n" + question
    async with aiohttp.ClientSession() as session:
        async with session.post(gateway.admin + "/sparql", data={"query": question}) as got:
            rows = (await got.json())["results"]["bindings"]
    assert [[cell["value"] for cell in row.values()] for row in rows] == [
        ["2", "loopback", "a shop needs it", "shop.ttl (127.0.0.1)"]
    ]
    for question, expected in (
        ("ASK { ex:n1 agw:routePath ?p }", True),
        ("ASK { GRAPH <urn:agw:graph:config> { ex:n1 a agw:Route } }", True),
    ):
        async with aiohttp.ClientSession() as session:
            async with session.post(gateway.admin + "/sparql", data={"query": PREFIX + question}) as got:
                assert (await got.json())["boolean"] is expected


async def test_a_foreign_page_changes_nothing(gateway: Serving) -> None:
    assert (await update(gateway, ADD.format(1), Origin="http://evil.example"))[0] == 403
    assert (await update(gateway, ADD.format(1), Sec_Fetch_Site="cross-site"))[0] == 403
    assert (await update(gateway, ADD.format(1), Origin=gateway.admin, Sec_Fetch_Site="same-origin"))[0] == 200


async def test_files_that_are_the_truth_take_no_updates(tmp_path: Path, backend_port: int) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(shop(backend_port))
    with serve_process(file, "--workers", "1") as gateway:
        status, text, _ = await update(gateway, ADD.format(1))
        problem = json.loads(text)
        assert (status, problem["type"]) == (403, "urn:agw:problem:read-only")
        assert "files" in problem["detail"] and "edit the files" in problem["remedy"]


async def test_readers_read(tmp_path: Path, backend_port: int) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(shop(backend_port))
    tokens = {"AGW_ADMIN_TOKEN": "the-token-of-the-writer", "AGW_ADMIN_READ_TOKEN": "the-token-of-the-reader"}
    with serve_process("--store", tmp_path / "s", file, "--workers", "1", environment=tokens) as gateway:
        reader, writer = (f"Bearer {token}" for token in reversed(tokens.values()))
        assert (await update(gateway, ADD.format(1)))[0] == 401
        assert (await update(gateway, ADD.format(1), Authorization=reader))[0] == 403
        assert (await send(gateway, "GET", "/data?default", Authorization=reader))[0] == 200
        assert (await send(gateway, "DELETE", "/data?default", Authorization=reader))[0] == 403
        assert (await update(gateway, ADD.format(1), Authorization=writer))[0] == 200


def test_entity_tags() -> None:
    digest = "ab" * 32
    assert matches(etag(digest), digest)
    assert matches(etag(digest, "turtle"), digest)
    assert matches('"x", ' + etag(digest, "jsonld"), digest)
    assert matches("*", digest)
    assert not matches('"x"', digest)
    assert not matches("", digest)
