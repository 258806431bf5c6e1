"""Every page of the documentation is followed as its reader would: its files load, its commands print what it shows."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.ontology import agw_ontology
from tests.support.pages import Block, Page, blocks

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
NAMES = [str(path.relative_to(DOCS)) for path in PAGES]
PREFIXES = """@prefix agw: <https://ggen.ai/ontology/api-gateway#> .
@prefix ex:  <http://example.org/gateway#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Page]:
    page = Page(tmp_path, ROOT / "src")
    yield page
    page.end()


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_a_page_can_be_followed(path: Path, reader: Page) -> None:
    for block in blocks(path):
        if block.name and block.language in ("turtle", "text", "json", "sparql", "python"):
            written = reader.write(block)
            if block.language == "turtle" and "agw:ApiGateway" in block.text:
                report = build(SourceGraph.load([written])).report
                assert [str(finding) for finding in report.findings] == [], block.line
        elif block.language == "turtle":
            known(block, path)
        elif block.language == "console":
            reader.follow(block)


def known(block: Block, path: Path) -> None:
    """A piece of Turtle parses and uses terms that there are."""
    piece = path.with_name("piece.ttl")
    text = block.text if "@prefix agw:" in block.text else PREFIXES + block.text
    source = SourceGraph.parse(text, piece.name)
    used = {term for row in source.rows for term in map(str, row) if "api-gateway#" in term}
    terms = agw_ontology().terms
    unknown = {term for term in used if term.strip("<>") not in terms}
    assert not unknown, (path.name, block.line)


@pytest.mark.parametrize("path", [*PAGES, ROOT / "README.md"], ids=[*NAMES, "README.md"])
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_every_page_is_found_from_the_first() -> None:
    found, waiting = set(), [DOCS / "index.md"]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        waiting += [(path.parent / target).resolve() for target in re.findall(r"\]\(([^)#\s]+\.md)", path.read_text())]
    assert sorted(set(PAGES) - found) == []


def test_the_site_is_built(tmp_path: Path) -> None:
    sphinx = pytest.importorskip("sphinx.application", reason="the documentation's tools are not installed (.[docs])")
    pytest.importorskip("myst_parser")
    app = sphinx.Sphinx(DOCS, DOCS, tmp_path / "html", tmp_path / "trees", "html", warningiserror=True, status=None)
    app.build()
    assert app.statuscode == 0
    text = (tmp_path / "html/reference/ontology.html").read_text()
    for iri in agw_ontology().terms:
        assert iri.rpartition("#")[2] in text
    assert runpy.run_path(str(DOCS / "conf.py"))["project"] == "agw"


def test_what_the_readme_shows_first_is_what_is_printed(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()

    def printed(*command: str) -> tuple[int, str]:
        line = [sys.executable, "-m", "api_gateway_service_mesh", *command]
        done = subprocess.run(
            line, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT / "src")}, capture_output=True
        )
        return done.returncode, (done.stdout + done.stderr).decode()

    assert printed("init", "first")[0] == 0
    status, said = printed("validate", "first/gateway.ttl")
    assert status == 0 and said in readme
    file = tmp_path / "first/gateway.ttl"
    file.write_text(file.read_text().replace("agw:requestsPerSecond", "agw:requestPerSecond"))
    status, said = printed("validate", "first/gateway.ttl")
    assert status == 1 and said.partition("\n\n")[0].rstrip("\n") in readme
