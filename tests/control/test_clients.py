"""Standard clients, unchanged: SPARQLWrapper, rdflib's stores, and where they are, Comunica and Jena's command line."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import SPARQLWrapper as sw
from rdflib import Graph, Literal, URIRef
from rdflib.plugins.stores.sparqlstore import SPARQLStore, SPARQLUpdateStore

from api_gateway_service_mesh.vocabulary import AGW, GRAPH_CONFIG
from tests.support.serving import Serving, serve_process

from .test_serve import shop

PREFIX = "PREFIX agw: <https://ggen.ai/ontology/api-gateway#> PREFIX ex: <http://example.org/>\n"
PATHS = PREFIX + f"SELECT ?path WHERE {{ GRAPH <{GRAPH_CONFIG}> {{ ?r agw:routePath ?path }} }} ORDER BY ?path"
COMUNICA = shutil.which("comunica-sparql")
JENA = shutil.which("rsparql")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("clients")
    file = folder / "gateway.ttl"
    file.write_text(shop(backend_port, routes=2))
    with serve_process("--store", folder / "store", file, "--workers", "1") as running:
        yield running


async def off_loop(work: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(work)


@pytest.mark.parametrize("method", [sw.GET, sw.POST])
@pytest.mark.parametrize("form", [sw.JSON, sw.XML, sw.CSV, sw.TSV])
async def test_sparqlwrapper_asks(gateway: Serving, method: str, form: str) -> None:
    client = sw.SPARQLWrapper(gateway.admin + "/sparql")
    client.setMethod(method)
    client.setReturnFormat(form)
    client.setQuery(PATHS)
    found = await off_loop(client.queryAndConvert)
    if form == sw.JSON:
        assert [row["path"]["value"] for row in found["results"]["bindings"]] == ["/r0/*", "/r1/*"]
    elif form == sw.XML:
        assert "/r1/*" in found.toxml()
    else:
        assert b"/r1/*" in found


@pytest.mark.parametrize("form", [sw.TURTLE, sw.RDFXML, sw.JSONLD])
async def test_sparqlwrapper_constructs(gateway: Serving, form: str) -> None:
    client = sw.SPARQLWrapper(gateway.admin + "/sparql")
    client.setReturnFormat(form)
    client.setQuery(PREFIX + "CONSTRUCT { ?r agw:routePath ?p } WHERE { ?r agw:routePath ?p }")
    found = await off_loop(client.queryAndConvert)
    graph = found if isinstance(found, Graph) else Graph().parse(data=found, format="turtle")
    assert len(graph) == 2


@pytest.mark.parametrize("kind", [sw.URLENCODED, sw.POSTDIRECTLY])
async def test_sparqlwrapper_updates(gateway: Serving, kind: str) -> None:
    client = sw.SPARQLWrapper(gateway.admin + "/sparql")
    client.setMethod(sw.POST)
    client.setRequestMethod(kind)
    for text in ("INSERT DATA { ex:r0 agw:priority 4 }", "DELETE DATA { ex:r0 agw:priority 4 }"):
        client.setQuery(PREFIX + text)
        answer = await off_loop(client.query)
        assert answer.response.status == 200
    client.setQuery(PREFIX + "INSERT DATA { ex:r0 agw:routePth 4 }")
    with pytest.raises(Exception, match="422"):
        await off_loop(client.query)


async def test_rdflib_reads(gateway: Serving) -> None:
    def read() -> tuple[list[str], int, bool]:
        graph = Graph(SPARQLStore(gateway.admin + "/sparql"), identifier=URIRef(GRAPH_CONFIG))
        paths = sorted(str(path) for path in graph.objects(predicate=URIRef(AGW.routePath)))
        return paths, len(graph), (URIRef("http://example.org/r0"), None, None) in graph

    paths, count, there = await off_loop(read)
    assert paths == ["/r0/*", "/r1/*"]
    assert count == 11
    assert there


async def test_rdflib_writes(gateway: Serving) -> None:
    url = gateway.admin + "/sparql"
    triple = (URIRef("http://example.org/r0"), URIRef(AGW.priority), Literal(8))

    def write() -> list[bool]:
        store = SPARQLUpdateStore(url, url, autocommit=False)
        graph = Graph(store, identifier=URIRef(GRAPH_CONFIG))
        graph.add(triple)
        store.commit()
        after = triple in graph
        graph.remove(triple)
        store.commit()
        graph.update(PREFIX + "INSERT DATA { ex:r1 agw:priority 2 } ; DELETE DATA { ex:r1 agw:priority 2 }")
        store.commit()
        return [after, triple in graph]

    assert await off_loop(write) == [True, False]


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(COMUNICA is None, reason="no comunica-sparql: .ci/servers/comunica puts it there")
async def test_comunica(gateway: Serving) -> None:
    assert COMUNICA is not None
    endpoint = f"sparql@{gateway.admin}/sparql"
    found = await off_loop(lambda: run(COMUNICA, endpoint, PATHS, "-t", "text/csv"))
    assert found.split() == ["path", "/r0/*", "/r1/*"]
    text = PREFIX + "CONSTRUCT { ?r agw:routePath ?p } WHERE { ?r agw:routePath ?p ; a agw:Route }"
    found = await off_loop(lambda: run(COMUNICA, endpoint, text, "-t", "text/turtle"))
    assert len(Graph().parse(data=found, format="turtle")) == 2


@pytest.mark.skipif(JENA is None, reason="no rsparql: .ci/servers/jena puts it there")
async def test_jena(gateway: Serving, tmp_path: Path) -> None:
    query, endpoint = tmp_path / "paths.rq", gateway.admin + "/sparql"
    query.write_text(PATHS)
    for form in ("CSV", "XML"):
        found = await off_loop(
            lambda form=form: run("rsparql", "--service", endpoint, f"--query={query}", f"--results={form}")
        )
        assert "/r0/*" in found and "/r1/*" in found
    for text in ("INSERT DATA { ex:r0 agw:priority 4 }", "DELETE DATA { ex:r0 agw:priority 4 }"):
        change = tmp_path / "change.ru"
        change.write_text(PREFIX + text)
        await asyncio.to_thread(run, "rupdate", "--service", endpoint, f"--update={change}")
    listed = await off_loop(lambda: run("riot", "--output=ntriples", f"{gateway.admin}/data?default"))
    assert listed.count("routePath") == 2
