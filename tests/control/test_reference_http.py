"""``/ontology`` on the admin port: the page, the terms, and the same as RDF."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser

import aiohttp
import pyoxigraph as ox
import pytest

from api_gateway_service_mesh.graph.ontology import agw_ontology
from api_gateway_service_mesh.graph.terms import AGW, local_name
from tests.support.serving import Serving, serve_process, turtle

_CONFIG = """
ex:gateway a agw:ApiGateway ; agw:hasRoute ex:r .
ex:r a agw:Route ; agw:routePath "/r" ; agw:hasBackendService ex:b .
ex:b a agw:BackendService ; agw:address "127.0.0.1:9" .
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    file = tmp_path_factory.mktemp("reference") / "gateway.ttl"
    file.write_text(turtle(_CONFIG))
    with serve_process(file, "--workers", "1", environment={"AGW_ADMIN_TOKEN": "a-token-that-nobody-sends"}) as running:
        yield running


async def fetch(url: str, accept: str = "text/html", **fields: str) -> tuple[int, Mapping[str, str], str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers={"Accept": accept, **fields}) as answer,
    ):
        return answer.status, answer.headers, await answer.text()


class Anchors(HTMLParser):
    """The names and the targets of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.targets: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.names.append(value)
            if name == "href" and value and tag == "a":
                self.targets.append(value)


async def test_the_page_has_every_term_and_its_links_lead_somewhere(gateway: Serving) -> None:
    status, headers, text = await fetch(gateway.admin + "/ontology")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    page = Anchors(text)
    terms = {local_name(iri) for iri in agw_ontology().terms}
    assert terms <= set(page.names)
    assert len(page.names) == len(set(page.names))
    for target in page.targets:
        assert target.removeprefix("#") in page.names or target.removeprefix("/ontology/") in terms, target
    for sheet in re.findall(r'<link rel="stylesheet" href="([^"]+)"', text):
        assert (await fetch(gateway.admin + sheet, "*/*"))[0] == 200
    assert (await fetch(gateway.admin + "/ontology", **{"If-None-Match": headers["ETag"]}))[0] == 304


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("text/turtle", ox.RdfFormat.TURTLE),
        ("application/n-triples", ox.RdfFormat.N_TRIPLES),
        ("application/ld+json", ox.RdfFormat.JSON_LD),
    ],
)
async def test_the_same_as_rdf(gateway: Serving, accept: str, form: ox.RdfFormat) -> None:
    status, headers, text = await fetch(gateway.admin + "/ontology", accept)
    assert (status, headers["Content-Type"].partition(";")[0], headers["Vary"]) == (200, accept, "Accept")
    assert {quad.triple for quad in ox.parse(text, format=form)} == {ox.Triple(*row) for row in agw_ontology().index}
    _, _, text = await fetch(gateway.admin + "/ontology/RateLimiter", accept)
    found = {quad.subject for quad in ox.parse(text, format=form)}
    assert found == {ox.NamedNode(AGW + "RateLimiter")}


async def test_one_term_and_none(gateway: Serving) -> None:
    status, _, text = await fetch(gateway.admin + "/ontology/burstSize")
    assert status == 200
    assert "What is checked" in text
    assert "/ontology#RateLimiter" in text
    # A term that is not there is as closed as the rest of the port: without the token nothing is told of it.
    assert (await fetch(gateway.admin + "/ontology/brustSize"))[0] == 401
    token = {"Authorization": "Bearer a-token-that-nobody-sends"}
    status, _, text = await fetch(gateway.admin + "/ontology/brustSize", **token)
    assert (status, "no term agw:brustSize" in text) == (404, True)
    assert (await fetch(gateway.admin + "/ontology", "image/png"))[0] == 406
