"""An index and its copies: what one changes, the other never sees."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import NamedNode

from api_gateway_service_mesh.graph.index import TripleIndex
from api_gateway_service_mesh.graph.terms import Row

NODES = [NamedNode(f"urn:{name}") for name in "abcd"]
rows = st.lists(st.tuples(*(st.sampled_from(NODES),) * 3), max_size=14)
changes = st.lists(st.one_of(st.sampled_from(NODES), rows), max_size=4)


def _seen(index: TripleIndex) -> object:
    """Everything an index answers."""
    return (
        set(index),
        {s: {p: list(v) for p, v in held.items()} for s, held in index.by_subject().items()},
        {p: (set(index.users(p)), {v: set(h) for v, h in index.inverse(p).items()}) for p in index.predicates()},
        {p: set(index.pairs(p)) for p in index.predicates()},
    )


@settings(max_examples=200, deadline=None)
@given(rows, st.lists(changes, min_size=1, max_size=3), st.booleans())
def test_a_copy_changes_alone_and_answers_like_one_made_anew(
    stated: list[Row], steps: list[list[NamedNode | list[Row]]], inverted: bool
) -> None:
    index, expected = TripleIndex(stated), dict.fromkeys(stated)
    for step in steps:
        if inverted:
            for predicate in index.predicates():
                index.inverse(predicate)
        before = _seen(index)
        twin = index.copy()
        for change in step:
            if isinstance(change, list):
                twin.extend(change)
                expected.update(dict.fromkeys(change))
            else:
                twin.without([change])
                expected = {row: None for row in expected if row[0] != change}
        assert _seen(index) == before
        made = TripleIndex(expected)
        assert _seen(twin) == _seen(made)
        assert len(twin) == len(expected)
        index = twin
