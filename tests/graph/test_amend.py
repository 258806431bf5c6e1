"""A change written around where it is made gives what writing it through the whole texts gives."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence

import pyoxigraph as ox
import pytest

from api_gateway_service_mesh.control.delta import Delta, applied
from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.amend import amended
from api_gateway_service_mesh.graph.document import Document, text_document
from api_gateway_service_mesh.graph.fragment import Uncertain
from api_gateway_service_mesh.graph.nameless import without_names
from api_gateway_service_mesh.graph.rewrite import rewritten

EDITS = int(os.environ.get("AGW_EDITS", "400"))

ONE = """# The shop's routes.
@prefix ex: <urn:x:> . # short
@prefix other: <urn:x:other#> .

# users: asked for often.
ex:users a ex:Route ;       # a route.
    ex:path "/users/{id}" ; # by id
    ex:method "GET", "PUT" , "POST" ;
    ex:limit [ a ex:Limit ; ex:rate 50 ; ex:inner [ ex:burst 100 ] ] ;
    ex:note "ex:orders ." .

# orders
ex:orders a ex:Route ; ex:path "/orders" ; ex:list ( 1 2 3 ) ; ex:limit [ ex:rate 1 ] , [ ex:rate 2 ] . # all
<urn:x:flag> ex:on true .
ex:users ex:more 1 .
other:one ex:of ex:users, ex:orders .
"""
TWO = """@prefix : <urn:x:> .
@prefix y: <urn:y:> .
:backend a :Service ; :address "127.0.0.1:80" .
y:spare :of :backend . # a spare one
y:twice :limit [ :rate 1 ] .
y:twice :limit [ :rate 2 ] ."""
TOUCHY = (
    'ex:text ex:of """of\nmany .\nlines""" .\n',
    "@prefix ex: <urn:y:> .\n",
    "ex:list ex:timeout _:shared .\n_:shared a ex:Timeout .\n",
    "ex:a ex:b ex:c {| ex:d ex:e |} .\n",
    "[] a ex:Timeout .\n",
    "ex:backend ex:also 1 .\n",
    "# ex:users .\n",
    "ex:users\n    # of lines .\n    ex:far 1 ; # and on.\n    ex:away 2 .\n",
)


def documents(rng: random.Random) -> list[Document]:
    texts = [ONE, TWO][: rng.randrange(1, 3)]
    if rng.random() < 0.4:
        texts[0] += rng.choice(TOUCHY)
    if rng.random() < 0.2:
        lines = texts[0].splitlines(keepends=True)
        at = rng.randrange(3, len(lines))
        texts[0] = "".join((*lines[:at], rng.choice(TOUCHY), *lines[at:]))
    return [text_document(text, f"d{number}.ttl") for number, text in enumerate(texts)]


def change(rng: random.Random, source: SourceGraph) -> Delta:
    removed = rng.sample(source.triples, min(len(source.triples) - 2, rng.randrange(0, 3)))
    if rng.random() < 0.3:
        subject = rng.choice(source.triples).subject
        removed += [triple for triple in source.triples if triple.subject == subject]
    nodes = [t.subject for t in source.triples] + [ox.NamedNode(f"urn:x:n{rng.randrange(9)}")]
    added = []
    for _ in range(rng.randrange(0, 4)):
        value = rng.choice([ox.Literal(rng.randrange(9)), ox.Literal('a "b"\n'), ox.NamedNode("urn:y:spare")])
        added.append(ox.Triple(rng.choice(nodes), ox.NamedNode(f"urn:x:p{rng.randrange(4)}"), value))
    return Delta(tuple(added), tuple(removed))


def throughout(found: Sequence[Document], delta: Delta) -> list[str]:
    texts = rewritten(found, delta.added, delta.removed)
    return [texts.get(number, document.text) for number, document in enumerate(found)]


def test_it_is_what_going_through_the_whole_gives() -> None:
    rng = random.Random("amended")
    narrowly = 0
    for number in range(EDITS):
        found = documents(rng)
        try:
            source = SourceGraph.of_documents(found)
        except ConfigError:  # a line stands where none may
            continue
        delta = change(rng, source)
        wanted = applied(source, delta)
        real = Delta(
            tuple(dict.fromkeys(t for t in delta.added if t not in source.triples)),
            tuple(t for t in delta.removed if t not in delta.added),
        )
        try:
            made = amended(source, delta.added, delta.removed)
        except Uncertain:
            continue
        narrowly += 1
        texts = [document.text for document in made.documents]
        assert texts == throughout(found, real), (number, delta)
        assert made.digest == SourceGraph.of_documents(made.documents).digest, (number, texts)
        assert without_names(made.triples).digest == without_names(wanted.triples).digest, (number, texts)
        assert made.stated_once
        for subject in {row[0] for row in made.rows}:
            assert made.stated(subject) == SourceGraph.of_documents(made.documents).stated(subject), (number, subject)
    assert narrowly > EDITS // 3


@pytest.mark.parametrize("text", (TOUCHY[0], TOUCHY[1], "ex:users ex:timeout _:shared .\n_:shared a ex:Timeout .\n"))
def test_what_is_not_certain_is_said(text: str) -> None:
    source = SourceGraph.of_documents([text_document(ONE.replace("# orders\n", text))])
    flag = next(triple for triple in source.triples if triple.predicate.value.endswith("more"))
    with pytest.raises(Uncertain):
        amended(source, (), [flag])


def test_a_route_comes_and_goes_in_the_file_that_speaks_of_its_service() -> None:
    source = SourceGraph.of_documents([text_document(ONE, "one.ttl"), text_document(TWO, "two.ttl")])
    new, of = ox.NamedNode("urn:x:new"), ox.NamedNode("urn:x:of")
    come = [ox.Triple(new, of, ox.NamedNode("urn:x:backend")), ox.Triple(new, of, ox.NamedNode("urn:y:spare"))]
    made = amended(source, come, ())
    assert made.documents[0] == source.documents[0]
    assert made.documents[1].text == TWO + "\n\n:new :of :backend, y:spare .\n"
    again = amended(made, (), come)
    assert again.documents[1].text == TWO + "\n\n"
    assert again.digest == source.digest


def test_one_value_among_many_is_changed_without_reading_the_rest() -> None:
    lines = "".join(f"ex:r{n} ex:limit [ ex:rate {n} ] . # route {n}\n" for n in range(3000))
    source = SourceGraph.of_documents([text_document("@prefix ex: <urn:x:> .\n" + lines)])
    (link,) = source.stated(ox.NamedNode("urn:x:r1500"))
    (rate,) = source.stated(link[2])  # type: ignore[arg-type]
    made = amended(source, [ox.Triple(rate[0], rate[1], ox.Literal(7))], [ox.Triple(*rate)])
    assert made.documents[0].text == source.documents[0].text.replace("ex:rate 1500 ", "ex:rate 7 ")
    assert made.step is not None and made.step.parent is source.identity
    assert len(made.step.removed) <= 4


def test_a_part_of_a_list_is_not_cut_out() -> None:
    source = SourceGraph.of_documents([text_document(ONE)])
    link = next(triple for triple in source.triples if triple.predicate.value.endswith("#rest"))
    with pytest.raises(Uncertain):
        amended(source, (), [link])
