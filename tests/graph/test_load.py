"""Parsing documents: what is taken, what is refused, where the fault is."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph.document import text_document
from api_gateway_service_mesh.graph.load import parse_document
from api_gateway_service_mesh.graph.terms import lexical
from tests.support.turtle import configuration


def test_malformed_literals_are_kept_for_the_shapes_to_refuse() -> None:
    parsed = parse_document(text_document(configuration('ex:a ex:p "2s"^^xsd:integer .')))
    assert lexical(parsed.rows[0][2]) == "2s"


def test_prefixes_are_the_documents_own() -> None:
    assert parse_document(text_document("@prefix z: <http://z/> . z:a z:b z:c .")).prefixes == {"z": "http://z/"}


def test_labels_get_their_scope() -> None:
    parsed = parse_document(text_document("_:x <http://p> <<( _:x <http://p> 1 )>> ."), "d1.")
    assert str(parsed.rows[0][0]) == "_:d1.x"
    assert "_:d1.x" in str(parsed.rows[0][2])


@pytest.mark.parametrize("opening", ["[ ex:p ", "( ", "<<( ex:a ex:p "])
def test_what_nests_too_deep_is_refused_before_the_parser_sees_it(opening: str) -> None:
    text = configuration("ex:a ex:p " + opening * 20_000)
    with pytest.raises(ConfigError) as refused:
        parse_document(text_document(text))
    (finding,) = refused.value.report.findings
    assert finding.code == "too-deep"
    assert finding.location is not None
    assert finding.location.line == 7
    assert finding.location.column == len("ex:a ex:p ") + len(opening) * 100 + 1


@pytest.mark.parametrize("text", ["", "  \n", "# only a comment", "@prefix ex: <http://e/> ."])
def test_a_text_without_statements_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_document(text_document(text))
    assert [finding.code for finding in refused.value.report.findings] == ["empty"]


def test_a_token_larger_than_the_parsers_buffer_is_a_sentence() -> None:
    text = '<urn:a> <urn:p> 1 .\n<urn:a> <urn:p> "' + "x" * (17 * 2**20) + '" .'
    with pytest.raises(ConfigError) as refused:
        parse_document(text_document(text, "huge.ttl"))
    (finding,) = refused.value.report.findings
    assert (finding.code, str(finding.location)) == ("too-large", "huge.ttl:2:17")
