"""A configuration with all it needs in a real triple store, served from there."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from api_gateway_service_mesh.control.load import graph_store_of
from api_gateway_service_mesh.errors import AgwError
from tests.support.serving import SRC

from .test_serve import shop
from .test_store_remote import OXIGRAPH, Oxigraph

pytestmark = pytest.mark.skipif(not Path(OXIGRAPH).exists(), reason="no oxigraph server")


def agw(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "api_gateway_service_mesh", *arguments]
    return subprocess.run(command, env={"PYTHONPATH": str(SRC)}, capture_output=True, text=True, timeout=60)


def count(store: Oxigraph, graph: str) -> int:
    text = f"SELECT (COUNT(*) AS ?n) {{ GRAPH <{graph}> {{ ?s ?p ?o }} }}"
    request = urllib.request.Request(f"{store.url}/query?{urllib.parse.urlencode({'query': text})}",
                                     headers={"Accept": "application/sparql-results+json"})  # fmt: skip
    with urllib.request.urlopen(request) as answer:
        return int(json.loads(answer.read())["results"]["bindings"][0]["n"]["value"])


def test_all_graphs_are_in_the_store(tmp_path: Path) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(shop(9))
    store = Oxigraph(tmp_path / "oxigraph")
    try:
        for _ in range(2):  # the second replaces the first
            done = agw("load", str(file), "--store", store.url)
            assert done.returncode == 0, done.stderr
            said = dict(line.rsplit(": ", 1) for line in done.stdout.splitlines())
            assert set(said) == {f"urn:agw:graph:{name}" for name in ("ontology", "shapes", "config")}
            for graph, text in said.items():
                assert count(store, graph) == int(text.removesuffix(" triples")) > 0
        assert graph_store_of(f"{store.url}/store") == graph_store_of(store.url) == f"{store.url}/store"
        file.write_text(shop(9).replace("agw:routePath", "agw:routePaht"))
        assert agw("load", str(file), "--store", store.url).returncode == 1
    finally:
        store.stop()
    with pytest.raises(AgwError, match="no triple store answers"):
        graph_store_of(store.url)
    with pytest.raises(AgwError, match="is no URL"):
        graph_store_of("here")
