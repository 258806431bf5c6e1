"""Exemplars survive the cells, and the newest over all workers is told."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.policies.exemplar import EXEMPLAR_CELLS, Exemplar, ExemplarColumn, read_exemplar

ids = st.binary(min_size=16, max_size=16).map(bytes.hex)


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1e4), ids), max_size=6))
def test_the_newest_is_told_whole(noted: list[tuple[int, float, str]]) -> None:
    view = memoryview(array("d", bytes(8 * 3 * EXEMPLAR_CELLS)))
    assert read_exemplar(view, 0, 3) is None
    for when, (worker, seconds, trace_id) in enumerate(noted, 1):
        ExemplarColumn(view, 0, worker).note(seconds, float(when), trace_id.encode())
        assert read_exemplar(view, 0, 3) == Exemplar(seconds, float(when), trace_id)
