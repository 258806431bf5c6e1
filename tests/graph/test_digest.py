"""The digest of a set of lines says which set it is, however it came about."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.digest import TripleSetDigest
from tests.support.turtle import configuration

LINES = st.lists(st.sampled_from([b"line %d" % number for number in range(40)]), max_size=30)


@given(LINES, LINES, LINES)
def test_a_changed_set_has_the_digest_of_the_set(first: list[bytes], removed: list[bytes], added: list[bytes]) -> None:
    before = TripleSetDigest(first)
    told = before.hex
    made = before.changed(removed, added)
    assert made.hex == TripleSetDigest((set(first) - set(removed)) | set(added)).hex
    assert before.hex == told == TripleSetDigest(reversed(first)).hex
    assert (made.hex == told) == (set(first) == (set(first) - set(removed)) | set(added))


def test_the_digest_of_a_graph_follows_its_changes() -> None:
    text = configuration('ex:a a agw:Route ; agw:routePath "/a" , "/b" ; agw:priority 3 .')
    graph = SourceGraph.parse(text)
    assert graph.digest == SourceGraph.parse(text.replace('"/a" , "/b"', '"/b" , "/a"')).digest
    gone = next(row for row in graph.rows if row[2].value == "/a")
    changed = graph.changed([gone], [])
    assert changed.digest == SourceGraph.of(changed.triples).digest != graph.digest
    again = changed.changed([], [gone, gone])
    assert again.digest == graph.digest
    assert again.rows != graph.rows  # it stands behind the others now
