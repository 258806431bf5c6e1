"""Names of blank nodes: stable under reordering, reformatting and edits inside; unique always."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import BlankNode, Literal, NamedNode

from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.skolem import rename, skolem_names
from api_gateway_service_mesh.graph.terms import GENID, Row
from tests.support.turtle import configuration

EX = "https://example.com/"
AGW_TIMEOUT = "https://ggen.ai/ontology/api-gateway#hasTimeout"


def names(text: str) -> set[str]:
    return {str(term.value) for row in SourceGraph.parse(configuration(text)).rows for term in (row[0], row[2])
            if isinstance(term, NamedNode) and term.value.startswith(GENID)}  # fmt: skip


def test_a_name_can_be_read() -> None:
    (name,) = names("ex:products agw:hasTimeout [ agw:timeoutSeconds 5 ] .")
    assert name.startswith(GENID + "products.hasTimeout.")
    assert len(name.rsplit(".", 1)[1]) == 8


def test_an_edit_inside_keeps_the_name() -> None:
    assert names("ex:r agw:hasTimeout [ agw:timeoutSeconds 5 ] .") == names(
        "ex:r agw:hasTimeout [ agw:timeoutSeconds 6 ] ."
    )


def test_reformatting_and_labels_keep_the_name() -> None:
    assert names("ex:r agw:hasTimeout [ agw:timeoutSeconds 5 ] .") == names(
        "_:x agw:timeoutSeconds 5 .\n# a comment\nex:r agw:hasTimeout _:x ."
    )


def test_equal_local_names_of_different_owners_stay_apart() -> None:
    assert len(names("<http://a/r> agw:hasTimeout [] . <http://b/r> agw:hasTimeout [] .")) == 2


def test_several_under_one_property_are_told_apart_by_content() -> None:
    before = names("ex:r ex:limit [ ex:n 1 ] , [ ex:n 2 ] .")
    assert before == names("ex:r ex:limit [ ex:n 2 ] , [ ex:n 1 ] .")
    after = names("ex:r ex:limit [ ex:n 1 ] , [ ex:n 3 ] .")
    assert len(before & after) == 1


def test_equal_ones_stay_two() -> None:
    assert len(names("ex:r ex:limit [ ex:n 1 ] , [ ex:n 1 ] .")) == 2


def test_list_nodes_are_named_after_their_head() -> None:
    found = sorted(names("ex:r ex:list ( 1 2 3 ) ."))
    assert len(found) == 3
    assert [name.split(".")[1:-1] for name in found] == [["list", "2"], ["list", "3"], ["list"]]


def test_unowned_and_cyclic_nodes_are_named_after_their_content() -> None:
    text = "[] ex:p 1 . [] ex:p 2 . _:a ex:q _:b . _:b ex:q _:a ; ex:p 3 ."
    assert names(text) == names("_:n ex:p 3 ; ex:q _:m . _:m ex:q _:n . [ ex:p 2 ] . [ ex:p 1 ] .")
    assert len(names(text)) == 4


def test_a_node_of_two_owners_has_one_name() -> None:
    text = "ex:b agw:hasTimeout _:t . ex:a agw:hasTimeout _:t . _:t agw:timeoutSeconds 1 ."
    assert {name.split(".")[0] for name in names(text)} == {GENID + "a"}


def test_a_very_long_list_is_no_trouble() -> None:
    assert len(names("ex:r ex:list ( " + "1 " * 5000 + ") .")) == 5000


def test_a_long_chain_is_no_trouble() -> None:
    chain = "ex:r ex:p _:n0 . " + " ".join(f"_:n{i} ex:p _:n{i + 1} ." for i in range(3000))
    found = names(chain)
    assert len(found) == 3001
    assert max(map(len, found)) < 160


blanks = st.sampled_from([BlankNode(name) for name in "abcdef"])
iris = st.sampled_from([NamedNode(EX + name) for name in "xyz"])
rows = st.tuples(
    st.one_of(blanks, iris),
    st.sampled_from([NamedNode(EX + "p"), NamedNode(EX + "q")]),
    st.one_of(blanks, iris, st.integers(0, 3).map(Literal)),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(rows, max_size=14, unique=True), st.randoms(use_true_random=False))
def test_any_graph_in_any_order(graph: list[Row], rng: random.Random) -> None:
    named = skolem_names(graph)
    assert len({name.value for name in named.values()}) == len(named)
    relabelled = {BlankNode(old): BlankNode(new) for old, new in zip("abcdef", rng.sample("uvwxyz", 6), strict=True)}
    shuffled = [tuple(relabelled.get(term, term) for term in row) for row in graph]  # type: ignore[call-overload]
    rng.shuffle(shuffled)
    again = skolem_names(shuffled)  # type: ignore[arg-type]
    assert sorted(name.value for name in named.values()) == sorted(name.value for name in again.values())


def test_blank_nodes_inside_triple_terms_are_renamed() -> None:
    graph = SourceGraph.parse(configuration("ex:a ex:p <<( _:x ex:q _:y )>> ."))
    (row,) = graph.rows
    assert "_:" not in str(row[2])
    assert rename(Literal("x"), {}) == Literal("x")
