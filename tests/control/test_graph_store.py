"""The Graph Store Protocol at ``/data``, method by method."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyoxigraph as ox
import pytest

from api_gateway_service_mesh.vocabulary import AGW, GRAPH_CONFIG, GRAPH_HISTORY, GRAPH_INFERRED
from tests.support.serving import Serving, serve_process, turtle

from .test_serve import get, shop
from .test_update import PREFIX, send

TURTLE = "text/turtle"
ROUTE = turtle(
    'ex:m a agw:Route ; agw:routePath "/m/*" ; agw:hasBackendService ex:backend . ex:gateway agw:hasRoute ex:m .'
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("graphs")
    file = folder / "gateway.ttl"
    file.write_text(shop(backend_port))
    with serve_process("--store", folder / "store", file, "--workers", "1") as running:
        yield running


@pytest.fixture(autouse=True)
async def _as_it_was(gateway: Serving, backend_port: int) -> None:
    await send(gateway, "PUT", "/data?default", shop(backend_port), Content_Type=TURTLE)


def triples(text: str, form: ox.RdfFormat) -> set[ox.Triple]:
    return {quad.triple for quad in ox.parse(text.encode(), format=form)}


@pytest.mark.parametrize("path", ["/data?default", f"/data?graph={GRAPH_CONFIG}", "/data/config"])
@pytest.mark.parametrize(
    ("media", "form"),
    [
        (TURTLE, ox.RdfFormat.TURTLE),
        ("application/n-triples", ox.RdfFormat.N_TRIPLES),
        ("application/ld+json", ox.RdfFormat.JSON_LD),
        ("application/rdf+xml", ox.RdfFormat.RDF_XML),
    ],
)
async def test_reading(gateway: Serving, backend_port: int, path: str, media: str, form: ox.RdfFormat) -> None:
    status, text, fields = await send(gateway, "GET", path, Accept=media)
    assert (status, fields["Content-Type"].partition(";")[0]) == (200, media)
    assert triples(text, form) == triples(shop(backend_port), ox.RdfFormat.TURTLE)
    status, _, again = await send(gateway, "GET", path, Accept=media, If_None_Match=fields["ETag"])
    assert (status, again["ETag"]) == (304, fields["ETag"])
    assert (await send(gateway, "HEAD", path, Accept=media))[2]["ETag"] == fields["ETag"]


async def test_other_graphs_and_the_dataset(gateway: Serving) -> None:
    for name in ("inferred", "ontology", "shapes", "runtime", "history"):
        assert (await send(gateway, "GET", f"/data/{name}", Accept="application/n-triples"))[0] == 200
    status, text, fields = await send(gateway, "GET", "/data", Accept="application/n-quads")
    assert (status, fields["Content-Type"].partition(";")[0]) == (200, "application/n-quads")
    graphs = {quad.graph_name.value for quad in ox.parse(text.encode(), format=ox.RdfFormat.N_QUADS)}  # type: ignore[union-attr]
    assert {GRAPH_CONFIG, GRAPH_HISTORY} <= graphs
    assert (await send(gateway, "GET", "/data", Accept="application/trig"))[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "media", "status"),
    [
        ("GET", "/data?graph=urn:none", None, "", 404),
        ("GET", "/data?graph=none", None, "", 400),
        ("GET", "/data?default&graph=urn:x", None, "", 400),
        ("PUT", "/data", "", TURTLE, 400),
        ("PUT", f"/data?graph={GRAPH_INFERRED}", "", TURTLE, 403),
        ("PUT", "/data?graph=urn:new", ROUTE, TURTLE, 403),
        ("DELETE", "/data?graph=urn:none", None, "", 404),
        ("DELETE", f"/data?graph={GRAPH_INFERRED}", None, "", 403),
        ("DELETE", "/data?default", None, "", 422),
        ("PUT", "/data?default", "", TURTLE, 422),
        ("PUT", "/data?default", ROUTE, "image/png", 415),
        ("PUT", "/data?default", "<rdf/>", "application/rdf+xml", 415),
        ("PATCH", "/data?default", ROUTE, TURTLE, 415),
        ("POST", "/data?default", "ex:a ex:b", TURTLE, 400),
        ("POST", "/data?default", "[" * 200, TURTLE, 400),
        (
            "POST",
            "/data?default",
            '{"@context": "http://127.0.0.1:1/", "@id": "urn:a", "b": 1}',
            "application/ld+json",
            400,
        ),
        ("POST", "/data?default", turtle('ex:r0 agw:routePath "/second" .'), TURTLE, 422),
        ("COPY", "/data?default", None, "", 405),
    ],
)
async def test_what_is_refused(
    gateway: Serving, method: str, path: str, body: str | None, media: str, status: int
) -> None:
    tag = (await send(gateway, "GET", "/data?default"))[2]["ETag"]
    fields = {"Content_Type": media} if media else {}
    found, text, headers = await send(gateway, method, path, body, **fields)
    assert found == status, text
    assert headers["Content-Type"].startswith("application/problem+json")
    assert json.loads(text)["detail"]
    assert (await send(gateway, "GET", "/data?default"))[2]["ETag"] == tag


async def test_a_graph_is_replaced_and_extended(gateway: Serving, backend_port: int) -> None:
    status, _, fields = await send(gateway, "POST", "/data?default", ROUTE, Content_Type=TURTLE)
    assert status == 204
    assert (await get(gateway.url + "/m/x"))[0] == 200
    assert (await get(gateway.url + "/r0/x"))[0] == 200
    stale = '"' + "0" * 32 + '"'
    assert (await send(gateway, "PUT", "/data/config", ROUTE, Content_Type=TURTLE, If_Match=stale))[0] == 412
    json_ld = json.dumps([{"@id": "http://example.org/m", AGW.priority: 7}])
    tag = fields["ETag"]
    answer = await send(gateway, "POST", "/data/config", json_ld, Content_Type="application/ld+json", If_Match=tag)
    assert answer[0] == 204
    patch = PREFIX + "DELETE DATA { ex:m agw:priority 7 }"
    assert (await send(gateway, "PATCH", "/data/config", patch, Content_Type="application/sparql-update"))[0] == 200
    assert (await send(gateway, "PUT", "/data?default", shop(backend_port), Content_Type=TURTLE))[0] == 204
    assert (await get(gateway.url + "/m/x"))[0] == 404


async def test_what_was_read_can_be_written_back(gateway: Serving, tmp_path: Path) -> None:
    """Names of blank nodes are IRIs in what is read, so a read, changed and written graph changes what was meant."""
    limited = ROUTE + "ex:m agw:hasTimeout [ a agw:Timeout ; agw:timeoutSeconds 5 ] ."
    await send(gateway, "POST", "/data?default", limited, Content_Type=TURTLE)
    _, text, fields = await send(gateway, "GET", "/data?default", Accept=TURTLE)
    assert (await send(gateway, "PUT", "/data?default", text, Content_Type=TURTLE))[2]["ETag"][:20] == fields["ETag"][
        :20
    ]
    changed = text.replace("timeoutSeconds 5", "timeoutSeconds 6")
    await send(gateway, "PUT", "/data?default", changed, Content_Type=TURTLE)
    delta = json.loads((await send(gateway, "GET", "/revisions"))[1])[0]
    assert (delta["added"], delta["removed"]) == (1, 1)
