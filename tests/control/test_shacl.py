"""``POST /shacl``: a caller's own shapes over the configuration in force, in a process that is killed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pyoxigraph as ox
import pytest

from tests.support.serving import Serving, serve_process

from .test_serve import get, shop
from .test_update import send

SH = "http://www.w3.org/ns/shacl#"
HEAD = (
    f"@prefix sh: <{SH}> . @prefix agw: <https://ggen.ai/ontology/api-gateway#> . @prefix ex: <http://example.org/> .\n"
)
OWNER = (
    HEAD
    + """[] a sh:NodeShape ; sh:targetClass agw:Route ; sh:property [ sh:path agw:hasTimeout ; sh:minCount 1 ;
  sh:message "Every route of ours has a timeout." ] ."""
)
SPARQL = (
    HEAD
    + """[] a sh:NodeShape ; sh:targetClass agw:Route ; sh:sparql [ a sh:SPARQLConstraint ;
  sh:message "no below" ; sh:select "SELECT $this WHERE { $this <https://ggen.ai/ontology/api-gateway#routePath> ?p FILTER(STRENDS(?p, '*')) }" ] ."""
)
FETCHING = SPARQL.replace("FILTER(STRENDS(?p, '*'))", "SERVICE <http://127.0.0.1:1/> { ?a ?b ?c }")
BOMB = (
    HEAD
    + r"""[] a sh:NodeShape ; sh:targetClass agw:Route ; sh:property [ sh:path agw:routePath ;
  sh:pattern "^(([/a-z0-9*]+)+)+!$" ] ."""
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Iterator[Serving]:
    file = tmp_path_factory.mktemp("shacl") / "gateway.ttl"
    file.write_text(shop(backend_port).replace("/r0/*", "/r0/" + "a" * 40 + "/*"))
    with serve_process(file, "--workers", "1") as running:
        yield running


def verdict(text: str, form: ox.RdfFormat = ox.RdfFormat.TURTLE) -> tuple[bool, list[str]]:
    store = ox.Store()
    store.load(text.encode(), format=form)
    rows = store.query(f"PREFIX sh: <{SH}> SELECT ?c ?m {{ ?r a sh:ValidationReport ; sh:conforms ?c "
                       "OPTIONAL { ?r sh:result/sh:resultMessage ?m } }")  # fmt: skip
    found = [(row["c"].value == "true", row["m"].value if row["m"] else None) for row in rows]  # type: ignore[union-attr]
    return found[0][0], [message for _, message in found if message]


@pytest.mark.parametrize("accept", ["text/turtle", "application/ld+json", "application/n-triples"])
async def test_a_report(gateway: Serving, accept: str) -> None:
    status, text, fields = await send(gateway, "POST", "/shacl", OWNER, Content_Type="text/turtle", Accept=accept)
    assert status == 200, text
    assert fields["Content-Type"].partition(";")[0] == accept
    form = ox.RdfFormat.from_media_type(accept)
    assert form is not None
    assert verdict(text, form) == (False, ["Every route of ours has a timeout."])


async def test_shapes_in_sparql_and_what_conforms(gateway: Serving) -> None:
    assert verdict((await send(gateway, "POST", "/shacl", SPARQL, Content_Type="text/turtle"))[1]) == (
        False,
        ["no below"],
    )
    fine = SPARQL.replace("'*'", "'?'")
    assert verdict((await send(gateway, "POST", "/shacl", fine, Content_Type="text/turtle"))[1]) == (True, [])


@pytest.mark.parametrize(
    ("text", "media", "status"),
    [
        (HEAD + "ex:s a sh:NodeShape ; sh:js [ sh:jsFunctionName 'f' ] .", "text/turtle", 400),
        ("<urn:a> <http://www.w3.org/2002/07/owl#imports> <http://127.0.0.1:1/> .", "text/turtle", 400),
        (FETCHING, "text/turtle", 400),
        ("nonsense", "text/turtle", 400),
        ("[" * 300, "text/turtle", 400),
        (OWNER, "image/png", 415),
    ],
)
async def test_what_is_refused(gateway: Serving, text: str, media: str, status: int) -> None:
    found, body, _ = await send(gateway, "POST", "/shacl", text, Content_Type=media)
    assert found == status, body


async def test_what_would_run_for_hours_is_killed(gateway: Serving) -> None:
    started = time.monotonic()
    status, body, _ = await send(gateway, "POST", "/shacl", BOMB, Content_Type="text/turtle")
    assert status == 503, body
    assert time.monotonic() - started < 60
    assert gateway.children("shapes_child") == []
    assert (await get(gateway.admin + "/livez"))[0] == 200
