"""What the guard lets through, and what it refuses with a sentence."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.control.sparql.guard import GuardLimits, QueryRefused, check_query, where_group
from api_gateway_service_mesh.control.sparql.tokens import decode_escapes, line_and_column, tokens
from api_gateway_service_mesh.resources import queries


def refused(text: str) -> QueryRefused:
    with pytest.raises(QueryRefused) as caught:
        check_query(text)
    return caught.value


def nested(opening: str, closing: str, depth: int, inner: str = "") -> str:
    return opening * depth + inner + closing * depth


BIG = {
    "braces": "SELECT * " + nested("{", "}", 101),
    "parentheses": "SELECT * { ?s ?p ?o FILTER(" + nested("(", ")", 4000, "1") + ") }",
    "not": "SELECT * { ?s ?p ?o FILTER(" + "!" * 200 + "?o) }",
    "minus signs": "SELECT * { ?s ?p ?o FILTER(" + "- " * 200 + "1) }",
    "exists": "SELECT * { ?s ?p ?o FILTER " + nested("EXISTS { ?s ?p ?o FILTER ", "}", 120, "(true)") + " }",
    "sub-selects": "SELECT * " + nested("{ SELECT * ", "}", 120, "{}"),
    "optional": "SELECT * { " + nested("OPTIONAL { ?s ?p ?o ", "}", 120) + " }",
    "function calls": "SELECT * { BIND(" + nested("STR(", ")", 500, "1") + " AS ?x) }",
    "lists": "SELECT * { " + nested("(", ")", 200) + " ?p ?o }",
    "blank nodes": "SELECT * { ?s ?p " + nested("[ ?p ", "]", 200, "?o") + " }",
    "or": "SELECT * { ?s ?p ?o FILTER(" + " || ".join(["?o"] * 600) + ") }",
    "sum": "SELECT * { ?s ?p ?o FILTER(" + "+".join(["1"] * 600) + ") }",
    "union": "SELECT * { " + " UNION ".join(["{ }"] * 600) + " }",
    "flat optional": "SELECT * { " + "OPTIONAL { } " * 600 + " }",
    "path": "SELECT * { ?s " + "/".join(["<urn:p>"] * 600) + " ?o }",
    "patterns": "SELECT * { " + " . ".join(["?s ?p ?o"] * 65) + " }",
    "objects": "SELECT * { ?s ?p " + " , ".join(["?o"] * 66) + " }",
    "properties": "SELECT * { ?s " + " ; ".join(["?p ?o"] * 66) + " }",
    "list members": "SELECT * { ?s ?p (" + "1 " * 40 + ") }",
    "groups": "SELECT * { "
    + "{ "
    + " . ".join(["?s ?p ?o"] * 60)
    + " } "
    + ("{ " + " . ".join(["?s ?p ?o"] * 60) + " } ") * 4
    + "}",
    "hidden in an IRI": "SELECT * { ?s ?p ?o FILTER(?a <" + "(" * 200 + "1" + ")" * 200 + ">?b) }",
    "hidden in several IRIs": "SELECT * { FILTER(" + "?a <((((((((((1))))))))))>?b && " * 20 + "true) }",
    "a long IRI": "SELECT * { ?s <urn:" + "p" * 3000 + "> ?o }",
    "after an escaped hash": "SELECT * { ?s ex:a\\#" + "{" * 200 + " }",
    "by escapes": "SELECT * " + "\\u007b" * 200 + "}" * 200,
}


@pytest.mark.parametrize("name", BIG)
def test_what_would_crash_or_occupy_a_parser_is_refused(name: str) -> None:
    error = refused(BIG[name])
    assert error.status == 400
    assert error.line == 1
    assert "at most" in error.message


def test_a_long_text_is_refused_by_its_length() -> None:
    assert refused("SELECT * { ?s ?p '" + "ä" * 40_000 + "' }").status == 413


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * { SERVICE <urn:x> { ?s ?p ?o } }",
        "select * { service silent ?x { ?s ?p ?o } }",
        "PREFIX ex: <urn:> SELECT * { SERVICEex:x { ?s ?p ?o } }",
        "PREFIX ex: <urn:> SELECT * { SERVICESILENTex:x { ?s ?p ?o } }",
        "SELECT * { S\\u0045RVICE <urn:x> { ?s ?p ?o } }",
        "LOAD <urn:x>",
    ],
)
def test_fetching_is_refused(text: str) -> None:
    assert refused(text).status == 403


@pytest.mark.parametrize(
    "verb", ["INSERT DATA", "delete where", "CLEAR ALL", "DROP GRAPH <urn:x>", "WITH <urn:x> DELETE"]
)
def test_updates_are_refused(verb: str) -> None:
    assert refused(f"PREFIX ex: <urn:>\n{verb} {{ ex:a ex:b ex:c }}").problem == "update-refused"


GOOD = [
    "PREFIX service: <urn:> SELECT * FROM service:g { GRAPH service:g { ?s ?p service:o } { ?a ?b service:c { } } }",
    "PREFIX service: <urn:> SELECT ?service { ?service a service:Service ; service:load ?LOAD }",
    "SELECT * { ?s ?p \"SERVICE {{{{{ LOAD\" , '''\" ( [ ''' # SERVICE {{{\n }",
    "SELECT * { VALUES (?a ?b) { " + '("x" <http://example.org/a-b-c>) ' * 400 + " } ?a ?b ?c }",
    "SELECT * { " + " . ".join(["?s ?p ?o"] * 64) + " }",
    "SELECT * { ?s ?p ?o FILTER(?o IN (" + ", ".join(map(str, range(300))) + ")) }",
    "SELECT * { ?s (<urn:a>/<urn:b>|^<urn:c>)* ?o FILTER(!(?o < -1) && ?o > 1) }",
    "ASK {}",
    "",
]


@pytest.mark.parametrize("text", GOOD)
def test_what_people_write_is_let_through(text: str) -> None:
    check_query(text)


def test_every_shipped_query_is_let_through() -> None:
    shipped = [file for kind in ("report", "project", "doctor") for file in queries(kind).glob("*.rq")]
    assert len(shipped) > 40
    for file in shipped:
        check_query(file.read_text(encoding="utf-8"))  # raises, when it is not


def test_limits_are_exact() -> None:
    limits = GuardLimits(depth=5)
    check_query("SELECT * " + nested("{", "}", 5), limits)
    with pytest.raises(QueryRefused):
        check_query("SELECT * " + nested("{", "}", 6), limits)


@given(st.text(alphabet="{}()[]<>\"'\\#?:a!+-.;,|&^ \n\u00e9u0", max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_text_is_judged(text: str) -> None:
    try:
        check_query(text)
    except QueryRefused as error:
        assert error.status in (400, 403, 413)
    assert "".join(text.split()) == "" or sum(len(token.text) for token in tokens(text)) <= len(text)


@pytest.mark.parametrize(
    "piece",
    ["a.", "a-", '\\"', '"\\"', '"""\\', "'''\"", ":a....", "a:%", "_:a...", "<a", "<", "((", "\\u0022", "#", "'\\''"],
)
def test_judging_costs_no_more_than_the_text_is_long(piece: str) -> None:
    text = (piece * 65536)[:65536]
    started = time.process_time()
    for start in ("", '"', "'", "<", "SELECT * { ?s "):
        try:
            check_query((start + text)[:65536])
        except QueryRefused:
            pass
    assert time.process_time() - started < 5.0


def test_the_where_group_is_found() -> None:
    for text, start in (
        ("SELECT ?x { ?x ?y ?z }", 11),
        ("CONSTRUCT { ?a ?b ?c } WHERE { ?a ?b ?c }", 30),
        ("SELECT ('{' AS ?x) WHERE { }", 26),
    ):
        assert where_group(text) == start


def test_places_and_escapes() -> None:
    assert line_and_column("ab\ncd", 4) == (2, 2)
    assert decode_escapes("\\u0041\\U00000042\\ud800") == "AB\ufffd"
