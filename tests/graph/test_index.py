"""An index and its copies: what one changes, the other never sees."""

from __future__ import annotations

from random import Random

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


def test_copies_of_copies_hold_what_they_were_given_and_leave_the_others_alone() -> None:
    random = Random(11)

    def row() -> Row:
        name, value = random.randrange(12), random.randrange(4)
        return (NamedNode(f"urn:s{name}"), NamedNode(f"urn:p{random.randrange(3)}"), NamedNode(f"urn:o{value}"))

    first = {row(): None for _ in range(60)}
    made: list[tuple[TripleIndex, set[Row]]] = [(TripleIndex(first), set(first))]
    for _ in range(400):
        index, held = random.choice(made[-4:])
        twin, rows = index.copy(), set(held)
        for _ in range(random.randrange(4)):
            if random.random() < 0.5:
                subject = row()[0]
                twin.without([subject])
                rows = {each for each in rows if each[0] != subject}
            more = [row() for _ in range(random.randrange(6))]
            twin.extend(more)
            rows.update(more)
        made.append((twin, rows))
        for each, expected in (made[0], random.choice(made), made[-1]):
            assert set(each) == expected
            assert len(each) == len(expected) == len(list(each))
            probe = row()
            assert (probe in each) == (probe in expected)
            assert set(each.holders(probe[1], probe[2])) == {s for s, p, o in expected if (p, o) == probe[1:]}
