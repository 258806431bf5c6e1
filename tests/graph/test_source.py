"""The first stage: merging, digest, places, rdflib in and out."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph import SourceGraph
from tests.support.turtle import configuration, routes_turtle

EX = "https://example.com/"


def test_the_digest_is_of_the_triples_not_of_the_text() -> None:
    one = SourceGraph.parse(configuration("ex:a ex:p 1 , 2 ; ex:q [ ex:r 3 ] ."))
    two = SourceGraph.parse(configuration("_:x ex:r 3 . ex:a ex:q _:x .\nex:a ex:p 2 . ex:a ex:p 1 , 1 ."))
    other = SourceGraph.parse(configuration("ex:a ex:p 1 , 2 ; ex:q [ ex:r 4 ] ."))
    assert one.digest == two.digest
    assert one.digest != other.digest
    assert len(one.digest) == 64


def test_files_are_merged_and_know_their_triples(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    one, two = tmp_path / "one.ttl", tmp_path / "sub" / "two.nt"
    one.write_text(configuration("ex:a ex:p 1 ."))
    two.write_text(f"<{EX}a> <{EX}q> <{EX}b> .\n")
    graph = SourceGraph.load([one, str(two), one])
    assert graph.files == (str(one), str(two))
    assert len(graph.triples) == 2
    assert str(graph.locate(EX + "a", EX + "q")) == f"{two}:1:{len(EX) + 5}"
    document = graph.file_of(EX + "a", EX + "q", EX + "b")
    assert document is not None
    assert document.folder == two.parent.resolve()
    assert graph.file_of(EX + "a", EX + "z") is None


def test_every_broken_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "one.ttl").write_text("<http://a> <http://b>")
    with pytest.raises(ConfigError) as refused:
        SourceGraph.load([tmp_path / "one.ttl", tmp_path / "absent.ttl"])
    assert {finding.code for finding in refused.value.report.findings} == {"syntax", "missing-file"}


def test_no_file_at_all() -> None:
    with pytest.raises(ConfigError, match="no configuration file"):
        SourceGraph.load([])


def test_json_ld_is_read_but_no_remote_context(tmp_path: Path) -> None:
    good, bad = tmp_path / "a.jsonld", tmp_path / "b.jsonld"
    good.write_text('{"@id": "https://example.com/a", "https://example.com/p": 5}')
    bad.write_text('{"@context": "https://example.com/context", "@id": "https://example.com/a"}')
    graph = SourceGraph.load([good])
    assert graph.locate(EX + "a", EX + "p") is not None
    with pytest.raises(ConfigError, match="fetches nothing"):
        SourceGraph.load([bad])


def test_imports_are_not_followed_and_said_so() -> None:
    text = configuration("<> owl:imports <https://ggen.ai/ontology/api-gateway> , <https://other.example/x> .")
    (finding,) = SourceGraph.parse(text, "shop.ttl").findings
    assert finding.code == "import-not-followed"
    assert finding.value == "<https://other.example/x>"
    assert str(finding.location).startswith("shop.ttl:7:")


def test_rdflib_and_back() -> None:
    source = SourceGraph.parse(
        configuration('ex:a ex:p "01"^^xsd:integer , "x"@en , "P1M"^^xsd:duration ; ex:q ( [ ex:r true ] ) .')
    )
    graph = source.to_rdflib()
    assert len(graph) == len(source.triples)
    assert SourceGraph.from_rdflib(graph).digest == source.digest
    assert dict(graph.namespaces())["ex"].toPython() == EX


def test_a_graph_built_in_memory_has_no_places() -> None:
    parsed = SourceGraph.parse(configuration("ex:a ex:p 1 ."))
    built = SourceGraph.of(parsed.triples, parsed.prefixes)
    assert built.digest == parsed.digest
    assert built.locate(EX + "a") is None
    assert built.file_of(EX + "a", EX + "p") is None


def test_values_are_found_by_term_by_lexical_form_and_as_the_store_spells_them() -> None:
    graph = SourceGraph.parse(configuration('ex:a ex:p "x" , "05"^^xsd:integer , ex:b .'))
    assert graph.locate(EX + "a", EX + "p", Literal("x")) == graph.locate(EX + "a", EX + "p", "x")
    assert graph.locate(EX + "a", EX + "p", NamedNode(EX + "b")) == graph.locate(EX + "a", EX + "p", EX + "b")
    assert graph.locate(EX + "a", EX + "p", Literal(5)) == graph.locate(EX + "a", EX + "p", "05")
    assert graph.locate(EX + "a", EX + "p", "5") == graph.locate(EX + "a", EX + "p", "05")


def test_positions_are_built_only_when_asked_for() -> None:
    graph = SourceGraph.parse(routes_turtle(3))
    assert "positions" not in vars(graph)
    graph.locate(EX + "route1")
    assert "positions" in vars(graph)


def test_what_a_changed_graph_still_says_keeps_its_place() -> None:
    text = "@prefix ex: <urn:x:> .\nex:a ex:p 1 , 2 .\nex:b ex:q ex:a .\n"
    source = SourceGraph.parse(text, "here.ttl")
    a, p = NamedNode("urn:x:a"), NamedNode("urn:x:p")
    one, two, three = (Literal(number) for number in (1, 2, 3))
    changed = source.changed([(a, p, one)], [(a, p, three)]).changed([], [(a, p, Literal(4))]).restated(documents=())
    assert str(changed.locate("urn:x:a", "urn:x:p", two)) == "here.ttl:2:15"
    assert str(changed.locate("urn:x:b", "urn:x:q")) == "here.ttl:3:11"
    assert str(changed.locate("urn:x:a")) == "here.ttl:2:1"
    assert [changed.locate("urn:x:a", "urn:x:p", value) for value in (one, three)] == [None, None]
    assert changed.changed([(a, p, two)], []).locate("urn:x:a") is None
