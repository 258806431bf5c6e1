"""Every triple the parser finds has a place, and it is the right one.

The forms follow the W3C Turtle test suite's shapes of syntax. In each, the text between two ``⟦ ⟧`` marks is where the last
triple's object is expected (the marks are taken out before parsing).
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.terms import Row, lexical

E = "http://e/"
HEAD = "@prefix : <http://e/> . @prefix ex: <http://e/> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n"

FORMS = {
    "iri": "<http://e/s> <http://e/p> ⟦<http://e/o>⟧ .",
    "prefixed": ":s :p ⟦ex:o⟧ .",
    "empty prefix local": ":s :p ⟦:⟧ .",
    "a": ":s a ⟦:C⟧ .",
    "a without space": ":s a⟦<http://e/C>⟧ .",
    "predicate list": ":s :p :o ; :q ⟦:r⟧ .",
    "object list": ":s :p :o , ⟦:r⟧ .",
    "several semicolons": ":s :p :o ;; ; :q ⟦:r⟧ ; .",
    "no space around marks": ":s :p :o;:q :r,⟦:t⟧.",
    "statement over lines": ":s\n  :p\n    ⟦:o⟧\n.",
    "two statements a line": ":s :p :o . :t :q ⟦:r⟧ .",
    "SPARQL PREFIX": "PREFIX z: <http://z/>\nz:s z:p ⟦z:o⟧ .",
    "SPARQL prefix in small letters": "prefix z: <http://z/>\nz:s z:p ⟦z:o⟧ .",
    "SPARQL BASE": "BASE <http://b/>\n<s> <p> ⟦<o>⟧ .",
    "@base": "@base <http://b/x/> .\n<s> <p> ⟦<../o>⟧ .",
    "relative prefix": "@base <http://b/> . @prefix z: <#> .\nz:s z:p ⟦z:o⟧ .",
    "base changes": "@base <http://b/> . <s> <p> <o> . @base <sub/> . <s> <p> ⟦<o2>⟧ .",
    "prefix declared again": ":s :p :o . @prefix : <http://other/> . :s :p ⟦:o⟧ .",
    "relative to nothing": ":s :p ⟦<>⟧ .",
    "fragment": ":s :p ⟦<#x>⟧ .",
    "query": ":s :p ⟦<?q=1>⟧ .",
    "network path": ":s :p ⟦<//h/x>⟧ .",
    "dots removed": "@base <http://b/a/b/c> . :s :p ⟦<./../d>⟧ .",
    "iri escapes": ":s :p ⟦<http://e/\\u00e9\\U0001F600>⟧ .",
    "iri hash is no comment": ":s :p ⟦<http://e/x#y>⟧ .",
    "comment": ':s :p # a comment with [ ( and " in it\n ⟦:o⟧ .',
    "comment at the end": ":s :p ⟦:o⟧ . # done",
    "comment after a name": ":s :p ⟦:o⟧#c\n .",
    "double quotes": ':s :p ⟦"x"⟧ .',
    "single quotes": ":s :p ⟦'x'⟧ .",
    "long double": ':s :p ⟦"""x\n"y" ""z"""⟧ .',
    "long single": ":s :p ⟦'''x\n'y' ''z'''⟧ .",
    "empty strings": ":s :p ⟦''⟧ , \"\" , '''''' , \"\"\"\"\"\" .",
    "escapes in a string": ':s :p ⟦"\\t\\b\\n\\r\\f\\"\\\'\\\\\\u00e9\\U0001F600"⟧ .',
    "quote at the end of a long string": ':s :p ⟦"""x\\""""⟧ .',
    "brackets in a string": ':s :p ⟦"[ ( . ; , <"⟧ .',
    "language": ':s :p ⟦"x"@en⟧ .',
    "language with region": ':s :p ⟦"x"@en-GB⟧ .',
    "language, space before": ':s :p ⟦"x" @de⟧ .',
    "direction": ':s :p ⟦"x"@ar--rtl⟧ .',
    "datatype name": ':s :p ⟦"1"^^xsd:integer⟧ .',
    "datatype iri": ':s :p ⟦"1"^^<http://www.w3.org/2001/XMLSchema#integer>⟧ .',
    "datatype, spaces": ':s :p ⟦"1" ^^ xsd:integer⟧ .',
    "malformed literal": ':s :p ⟦"2s"^^xsd:integer⟧ .',
    "long string with datatype": ":s :p ⟦'''1'''^^xsd:byte⟧ .",
    "integer": ":s :p ⟦5⟧ .",
    "signed integers": ":s :p +5 , ⟦-05⟧ .",
    "integer and dot": ":s :p ⟦5⟧.",
    "decimal": ":s :p ⟦5.50⟧ .",
    "decimal without integer part": ":s :p ⟦-.5⟧ .",
    "double": ":s :p 1e3 , 1.5E-3 , .5e0 , ⟦5.e1⟧ .",
    "booleans": ":s :p true , ⟦false⟧ .",
    "boolean as a name": ":s :true ⟦:false⟧ .",
    "name beginning with a": ":s :p ⟦ex:a⟧ .",
    "labelled blank nodes": "_:x :p _:y . _:y :q ⟦:o⟧ .",
    "label with dots": "_:a.b-c :p ⟦_:1⟧ .",
    "anonymous subject": "[] :p ⟦:o⟧ .",
    "anonymous object": ":s :p ⟦[⟧] .",
    "bracket with space": ":s :p ⟦[⟧ ] .",
    "bracket with a comment": ":s :p ⟦[⟧ # nothing\n ] .",
    "property list": ":s :p [ :q ⟦:o⟧ ] .",
    "property list as subject": "[ :p :o ] :q ⟦:r⟧ .",
    "property list alone": "[ :p ⟦:o⟧ ] .",
    "nested property lists": ":s :p [ :q [ :r [ :t ⟦:o⟧ ] ] ] .",
    "property list, then more": ":s :p [ :q :r ; :t :u ] , [] ; :v ⟦:w⟧ .",
    "collection": ":s :p ( 1 :b ⟦'c'⟧ ) .",
    "empty collection": ":s :p ⟦(⟧) .",
    "collection as subject": "( 1 2 ) :p ⟦:o⟧ .",
    "nested collections": ":s :p ( ( 1 ) () ( 2 ( ⟦3⟧ ) ) ) .",
    "list of property lists": ":s :p ( [ :q 1 ] [ :q ⟦2⟧ ] ) .",
    "property list with a list": ":s :p [ :q ( 1 ⟦2⟧ ) ] .",
    "local name escapes": ":s :p ⟦ex:a\\,b\\/c⟧ .",
    "percent in a name": ":s :p ⟦ex:a%20b⟧ .",
    "colons in a name": ":s :p ⟦ex:a:b:c⟧ .",
    "digits first": ":s :p ⟦ex:1a⟧ .",
    "dots inside a name": ":s :p ⟦ex:a.b.c⟧ .",
    "name ends before the dot": ":s :p ⟦ex:a⟧.",
    "other letters": ":é :ü ⟦:名前⟧ .",
    "beyond the basic plane": ':s :p "😀" ; :q ⟦:𝒳⟧ .',
    "tabs": ":s\t:p\t⟦:o⟧\t.",
    "carriage returns": ":s :p :o .\r\n:s :q\r\n ⟦:r⟧ .\r\n",
    "reified triple": "<< :a :b :c >> :p ⟦:o⟧ .",
    "reified triple with a name": "<< :a :b :c ~ :r >> :p ⟦:o⟧ .",
    "triple term": ":s :p ⟦<<(⟧ :a :b :c )>> .",
    "annotation": ":s :p :o {| :q ⟦:r⟧ |} .",
    "named annotation": ":s :p :o ~ :name {| :q ⟦:r⟧ |} .",
    "reifier without a name": ":s :p :o ~ ; :q ⟦:r⟧ .",
    "version": 'VERSION "1.2"\n:s :p ⟦:o⟧ .',
    "same triple twice": ":s :p :o . :s :p :x . :s :q ⟦:o⟧ .",
}


@pytest.mark.parametrize("form", FORMS)
def test_form_of_syntax(form: str) -> None:
    marked = HEAD + FORMS[form]
    before, _, rest = marked.partition("⟦")
    text = marked.replace("⟦", "").replace("⟧", "")
    graph = SourceGraph.parse(text)
    missing = [row for row in graph.rows if row not in graph.positions]
    assert not missing
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    places = [graph.spot(lexical(s), p.value, o) for s, p, o in graph.rows]
    found = {(spot.location.line, spot.location.column, spot.length) for spot in places if spot}
    first_line = rest.partition("⟧")[0].partition("\n")[0]
    assert (line, column, len(first_line)) in found


def test_subject_predicate_and_value_have_their_own_places() -> None:
    graph = SourceGraph.parse(HEAD + ':s\n  :p "v" ,\n     "w" .\n:s :q 5 .', "shop.ttl")
    assert str(graph.locate(E + "s")) == "shop.ttl:2:1"
    assert str(graph.locate(E + "s", E + "p")) == "shop.ttl:3:3"
    assert str(graph.locate(E + "s", E + "p", "w")) == "shop.ttl:4:6"
    assert str(graph.locate(E + "s", E + "q", Literal(5))) == "shop.ttl:5:7"
    assert graph.locate(E + "s", E + "absent") is None
    assert graph.locate(E + "absent") is None


def test_a_name_may_not_be_hidden_by_text_that_looks_like_it() -> None:
    graph = SourceGraph.parse(HEAD + '# :s :p :o .\n:t :p ":s :p :o ." . :s :p :o .')
    assert graph.locate(E + "s", E + "p", E + "o").column == 28  # type: ignore[union-attr]


def test_deep_nesting_costs_no_stack() -> None:
    text = HEAD + ":s :p " + "[ :p " * 99 + ":o" + " ]" * 99 + " ."
    graph = SourceGraph.parse(text)
    assert all(row in graph.positions for row in graph.rows)
    assert len(graph.rows) == 100


iris = st.sampled_from([NamedNode(E + name) for name in ("a", "b", "c-d", "é", "x.y", "1")] + [NamedNode("urn:x:y")])
blanks = st.sampled_from([BlankNode(name) for name in ("x", "y", "z")])
literals = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8).map(Literal),
    st.integers(-99, 99).map(Literal),
    st.sampled_from(
        [Literal("5.5", datatype=NamedNode("http://www.w3.org/2001/XMLSchema#decimal")), Literal("x", language="en")]
    ),
    st.booleans().map(Literal),
)
triples = st.builds(Triple, st.one_of(iris, blanks), iris, st.one_of(iris, blanks, literals))


@settings(max_examples=150, deadline=None)
@given(st.lists(triples, min_size=1, max_size=12), st.integers(0, 2**32))
def test_any_graph_in_any_style(graph: list[Triple], seed: int) -> None:
    text, lines = _write(graph, random.Random(seed))
    parsed = SourceGraph.parse(text)
    for row in parsed.rows:
        assert row in parsed.positions
    for subject, predicate, value, line in lines:
        if not isinstance(subject, BlankNode) and not isinstance(value, BlankNode):
            first = min(at for s, p, o, at in lines if (s, p, o) == (subject, predicate, value))
            place = parsed.locate(subject.value, predicate.value, value)
            assert place is not None
            assert (place.line == line) or (place.line == first)


def _write(graph: list[Triple], rng: random.Random) -> tuple[str, list[tuple[object, NamedNode, object, int]]]:
    """`graph` as Turtle in a random style, and the line each triple's object is on."""
    text = rng.choice((HEAD, HEAD.replace("@prefix : <http://e/> .", "PREFIX : <http://e/>\n")))
    lines: list[tuple[object, NamedNode, object, int]] = []
    last: Triple | None = None
    for triple in sorted(graph, key=lambda t: (str(t.subject), str(t.predicate))) if rng.random() < 0.7 else graph:
        gap = rng.choice((" ", "  ", "\n", "\n\t", " # note: [ ( \" '\n  "))
        if last is not None and last.subject == triple.subject and rng.random() < 0.8:
            if last.predicate == triple.predicate and rng.random() < 0.8:
                text += gap + "," + gap
            else:
                text += gap + ";" + gap + _style(triple.predicate, rng) + gap
        else:
            text += (
                ("" if last is None else gap + "." + gap)
                + _style(triple.subject, rng)
                + gap
                + _style(triple.predicate, rng)
                + gap
            )
        lines.append((triple.subject, triple.predicate, triple.object, text.count("\n") + 1))
        text += _style(triple.object, rng)
        last = triple
    return text + rng.choice((" .", "\n.", " . # end")), lines


def _style(term: object, rng: random.Random) -> str:
    if isinstance(term, NamedNode) and term.value.startswith(E) and rng.random() < 0.7:
        return rng.choice((":", "ex:")) + term.value[len(E) :]
    if isinstance(term, Literal) and not term.language and term.datatype.value.endswith("string"):
        quote = rng.choice(('"', "'", '"""', "'''"))
        escaped = term.value.replace("\\", "\\\\").replace(quote[0], "\\" + quote[0])
        if len(quote) == 1:
            escaped = escaped.replace("\n", "\\n").replace("\r", "\\r")
        if "\r" in escaped:
            escaped = escaped.replace("\r", "\\u000D")
        return quote + escaped + quote
    if isinstance(term, Literal) and not term.language and rng.random() < 0.6:
        return term.value
    return str(term)


def test_rows_of_the_index_are_the_parsers(tmp_path_factory: pytest.TempPathFactory) -> None:
    first, second = tmp_path_factory.mktemp("a") / "one.ttl", tmp_path_factory.mktemp("b") / "two.ttl"
    first.write_text(HEAD + ":s :p [ :q 1 ] . _:b :p 1 .")
    second.write_text(HEAD + ":s :p [ :q 2 ] . _:b :p 2 .")
    graph = SourceGraph.load([first, second])
    rows: list[Row] = list(graph.rows)
    assert len(rows) == 6
    assert all(row in graph.positions for row in rows)
    for subject, predicate, value in rows:
        if isinstance(value, Literal):
            document = graph.file_of(lexical(subject), predicate.value, value)
            assert document is not None
            assert document.folder == (first if value.value == "1" else second).parent
