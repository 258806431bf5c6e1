"""A configuration with all it needs in a real triple store, served from there."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from api_gateway_service_mesh.control.load import graph_store_of, put_graph
from api_gateway_service_mesh.errors import AgwError
from tests.support.serving import SRC

from .test_serve import shop
from .test_store_remote import FUSEKI, OXIGRAPH, Fuseki, Oxigraph


def agw(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "api_gateway_service_mesh", *arguments]
    return subprocess.run(command, env={"PYTHONPATH": str(SRC)}, capture_output=True, text=True, timeout=60)


def count(store: Oxigraph, graph: str) -> int:
    text = f"SELECT (COUNT(*) AS ?n) {{ GRAPH <{graph}> {{ ?s ?p ?o }} }}"
    request = urllib.request.Request(f"{store.url}/query?{urllib.parse.urlencode({'query': text})}",
                                     headers={"Accept": "application/sparql-results+json"})  # fmt: skip
    with urllib.request.urlopen(request) as answer:
        return int(json.loads(answer.read())["results"]["bindings"][0]["n"]["value"])


@pytest.mark.parametrize("kind", [Oxigraph, Fuseki], ids=["oxigraph", "fuseki"])
def test_all_graphs_are_in_the_store(tmp_path: Path, kind: type[Oxigraph]) -> None:
    if (kind is Oxigraph and not Path(OXIGRAPH).exists()) or (kind is Fuseki and FUSEKI is None):
        pytest.skip(f"no server of {kind.__name__}")
    file = tmp_path / "gateway.ttl"
    file.write_text(shop(9))
    store = kind(tmp_path / "triples")
    try:
        for _ in range(2):  # the second replaces the first
            done = agw("load", str(file), "--store", store.url)
            assert done.returncode == 0, done.stderr
            said = dict(line.rsplit(": ", 1) for line in done.stdout.splitlines())
            assert set(said) == {f"urn:agw:graph:{name}" for name in ("ontology", "shapes", "config")}
            for graph, text in said.items():
                assert count(store, graph) == int(text.removesuffix(" triples")) > 0
        place = graph_store_of(store.url)
        assert place in (store.url, store.url + store.data)  # Fuseki's dataset is a Graph Store itself
        assert graph_store_of(place) == place
        assert graph_store_of(store.url + store.data) == store.url + store.data
        body, sent = b"".join(b'<urn:s> <urn:p> "%d" .\n' % n for n in range(20_000)), list[int]()
        put_graph(place, "urn:many", body, sent.append)
        assert sent == sorted(sent) and sent[-1] == len(body) and len(sent) > 4, "no progress was told"
        assert count(store, "urn:many") == 20_000
        file.write_text(shop(9).replace("agw:routePath", "agw:routePaht"))
        assert agw("load", str(file), "--store", store.url).returncode == 1
    finally:
        store.stop()
    with pytest.raises(AgwError, match="no triple store answers"):
        graph_store_of(store.url)
    with pytest.raises(AgwError, match="is no URL"):
        graph_store_of("here")
