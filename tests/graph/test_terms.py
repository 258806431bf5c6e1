"""Terms in print, tokens, suggestions: the small things."""

from __future__ import annotations

import pytest
from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from api_gateway_service_mesh.graph.index import TripleIndex
from api_gateway_service_mesh.graph.suggest import nearest
from api_gateway_service_mesh.graph.terms import AGW, RDF_TYPE, XSD, Term, lexical, local_name, turtle
from api_gateway_service_mesh.graph.tokens import tokens

EX = "https://example.com/"


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (NamedNode(AGW + "Route"), "agw:Route"),
        (NamedNode(EX + "a.b"), "ex:a.b"),
        (NamedNode(EX + "a/b"), f"<{EX}a/b>"),
        (NamedNode("urn:x"), "<urn:x>"),
        (RDF_TYPE, "a"),
        (Literal('a"b\n'), '"a\\"b\\n"'),
        (Literal(5), "5"),
        (Literal("05", datatype=NamedNode(XSD + "integer")), "05"),
        (Literal("2s", datatype=NamedNode(XSD + "integer")), '"2s"^^xsd:integer'),
        (Literal("1.5", datatype=NamedNode(XSD + "decimal")), "1.5"),
        (Literal(True), "true"),
        (Literal("x", language="en"), '"x"@en'),
        (BlankNode("b"), "_:b"),
    ],
)
def test_turtle(term: Term, text: str) -> None:
    assert turtle(term, {"ex": EX}) == text


def test_names() -> None:
    assert [local_name(iri) for iri in ("http://e/a#b", "http://e/a/b", "urn:x:b", "http://e/")] == [
        "b",
        "b",
        "b",
        "http://e/",
    ]
    assert lexical(Triple(NamedNode("urn:s"), NamedNode("urn:p"), Literal("o"))) == '<urn:s> <urn:p> "o"'


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("routPath", "routePath"),
        ("ROUTEPATH", "routePath"),
        ("weigth", "weight"),
        ("maximumRequests", "maxRequests"),
        ("maxBudget", "maximumBudget"),
        ("zzz", None),
        ("", None),
    ],
)
def test_nearest(wrong: str, right: str | None) -> None:
    names = ["weight", "routePath", "hasRoute", "minimumRequests", "maxRequests", "maximumBudget"]
    assert nearest(wrong, names) == right


def test_tokens_are_told_apart() -> None:
    text = 'ex:a a <b> ; ex:p "x"^^xsd:y , 1.5 , true ( _:b ) . # c'
    assert [kind for kind, *_ in tokens(text)] == [
        "pname", "word", "iri", "mark", "pname", "literal", "mark", "number", "mark", "word", "mark", "blank", "mark", "dot",
    ]  # fmt: skip


def test_an_index_keeps_both_directions() -> None:
    a, b, p = NamedNode("urn:a"), NamedNode("urn:b"), NamedNode("urn:p")
    index = TripleIndex([(a, p, b), (a, p, b)])
    assert (len(index), index.value(a, p), index.holders(p, b)) == (1, b, [a])
    index.extend([(b, p, b)])
    assert index.holders(p, b) == [a, b]
    assert index.values(b, RDF_TYPE) == []
    assert (b, p, b) in index
    assert list(index.subjects()) == [a, b]
