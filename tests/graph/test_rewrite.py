"""Triples changed in their text: the rest stays as it was written, and the graph is the one wanted."""

from __future__ import annotations

import random

import pyoxigraph as ox
import pytest

from api_gateway_service_mesh.control.delta import Delta, applied, between, without_names
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.document import text_document
from api_gateway_service_mesh.graph.rewrite import CannotRewrite, rewritten

TEXT = """# The shop's routes.
@prefix ex: <urn:x:> . # short
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .

# users: asked for often
ex:users a ex:Route ;       # a route
    ex:path "/users/{id}" ; # by id
    ex:method "GET", "PUT" , "POST" ;
    ex:limit [ a ex:Limit ; ex:rate 50 ; ex:burst 100 ] ;
    ex:timeout "PT2S"^^xsd:duration .

# orders
ex:orders a ex:Route ; ex:path "/orders" ; ex:list ( 1 2 3 ) ; ex:limit [ ex:rate 1 ] , [ ex:rate 2 ] .
ex:flag ex:on true .
"""


def graph(text: str) -> SourceGraph:
    return SourceGraph.of_documents([text_document(text)])


def rewrite(text: str, delta: Delta) -> str:
    return rewritten([text_document(text)], delta.added, delta.removed).get(0, text)


def changed(text: str, new: str) -> str:
    """The text after what makes its graph that of `new`; it must have that graph."""
    old, wanted = graph(text), graph(new)
    made = rewrite(text, between(old, wanted))
    assert without_names(graph(made).triples).digest == without_names(wanted.triples).digest, made
    return made


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ex:rate 50", "ex:rate 60"),
        ('"/users/{id}"', '"/people/{id}"'),
        ('"GET", "PUT" , "POST"', '"GET", "POST"'),
        ('"GET", "PUT" , "POST"', '"GET", "PUT"'),
        ('"GET", "PUT" , "POST"', '"PUT" , "POST"'),
        ("ex:on true", "ex:on false"),
        ("    ex:timeout \"PT2S\"^^xsd:duration .", "    ex:timeout \"PT3S\"^^xsd:duration ."),
    ],
)  # fmt: skip
def test_a_value_changes_and_nothing_else_does(old: str, new: str) -> None:
    assert changed(TEXT, TEXT.replace(old, new)) == TEXT.replace(old, new)


def test_a_statement_goes_with_its_line() -> None:
    assert changed(TEXT, TEXT.replace("ex:flag ex:on true .\n", "")) == TEXT.replace("ex:flag ex:on true .\n", "")


@pytest.mark.parametrize(
    "gone",
    [
        ' ; ex:burst 100',
        'a ex:Limit ; ',
        'ex:list ( 1 2 3 ) ; ',
        ' , [ ex:rate 2 ]',
        '    ex:limit [ a ex:Limit ; ex:rate 50 ; ex:burst 100 ] ;\n',
        'ex:orders a ex:Route ; ex:path "/orders" ; ex:list ( 1 2 3 ) ; ex:limit [ ex:rate 1 ] , [ ex:rate 2 ] .',
    ],
)  # fmt: skip
def test_what_goes_leaves_all_comments_of_the_rest(gone: str) -> None:
    made = changed(TEXT, TEXT.replace(gone, ""))
    for comment in ("# The shop's routes.", "# short", "# users: asked for often", "# a route", "# by id"):
        assert comment in made
    assert "@prefix ex: <urn:x:> . # short" in made


@pytest.mark.parametrize(
    "more",
    [
        "ex:users ex:note 'asked \"often\"' , 'x'@en .",
        "ex:users ex:retry [ a ex:Retry ; ex:attempts 3 ; ex:inner [ ex:deep 1.5 ] ] .",
        "ex:orders ex:limit [ ex:rate 3 ] .",
        "ex:new a ex:Route ; ex:path '/new' ; ex:limit [ ex:rate 7 ] .",
        "<urn:other#x> <urn:other#y> <urn:x:users> , 1e3 , '05'^^<http://www.w3.org/2001/XMLSchema#integer> .",
        "_:a ex:p _:b . _:b ex:p _:a .",
    ],
)
def test_what_comes_is_put_where_it_belongs(more: str) -> None:
    made = changed(TEXT, TEXT + more)
    assert made.startswith(TEXT[: TEXT.index("ex:timeout")])
    if "ex:users ex:retry" in more:
        assert "ex:retry [ a ex:Retry ; ex:attempts 3 ; ex:inner [ ex:deep 1.5 ] ]" in made


def test_random_changes_come_to_the_graph_that_was_wanted() -> None:
    rng = random.Random("rewrites")
    text, made_changes, refused = TEXT, 0, 0
    for number in range(250):
        source = graph(text)
        plain = [t for t in source.triples if "genid" not in str(t)]
        removed = rng.sample(plain, min(len(plain) - 2, rng.randrange(0, 4)))
        added = []
        for _ in range(rng.randrange(0, 4)):
            subject = rng.choice([t.subject for t in source.triples] + [ox.NamedNode(f"urn:x:n{rng.randrange(9)}")])
            value = rng.choice([ox.Literal(rng.randrange(9)), ox.Literal('a "b"\n'), ox.NamedNode("urn:x:users")])
            added.append(ox.Triple(subject, ox.NamedNode(f"urn:x:p{rng.randrange(4)}"), value))
        delta = Delta(tuple(t for t in added if t not in source.triples), tuple(removed))
        wanted = applied(source, delta)
        try:
            made = rewrite(text, delta)
        except CannotRewrite:
            refused += 1
            continue
        assert without_names(graph(made).triples).digest == without_names(wanted.triples).digest, (number, text, made)
        assert made.startswith("# The shop's routes.\n@prefix ex: <urn:x:> . # short\n")
        text, made_changes = made, made_changes + 1
        if number % 25 == 24:
            text = TEXT
    assert made_changes > 150, refused


def test_what_cannot_be_changed_in_its_text_is_said() -> None:
    text = "[ <urn:a> 1 ; <urn:b> 2 ] <urn:c> 3 ."
    source = graph(text)
    with pytest.raises(CannotRewrite):
        rewrite(text, Delta((), source.triples[:1]))
