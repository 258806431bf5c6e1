"""The quick verdict on a node is the one that the full account gives."""

from __future__ import annotations

import random

import pytest

from api_gateway_service_mesh.graph import SourceGraph, infer
from api_gateway_service_mesh.graph.shacl import Run, in_order, shape_results, shipped_shapes
from tests.support.edits import BASE, edited, triples


@pytest.mark.parametrize("seed", range(40))
def test_a_shape_passes_a_node_exactly_when_it_has_no_result_for_it(seed: int) -> None:
    rows, _ = edited(SourceGraph.parse(BASE).rows, random.Random(f"checks {seed}"))
    inferred = infer(SourceGraph.of(triples(rows)))
    shapes = shipped_shapes()
    for partial in (False, True):
        run = Run(inferred.index, lambda: inferred.data, partial=partial)
        by_hand = {}
        for number, shape in enumerate(shapes.targeted):
            for focus in dict.fromkeys(node for target in shape.targets for node in run.target_nodes(target)):
                results = run.results(shape, focus)
                assert run.conforms(shape, focus) == (not results)
                assert run.is_focus(shape, focus)
                if results:
                    by_hand[number, focus] = tuple(results)
        found = shape_results(run, shapes)
        assert found == by_hand
        assert len(in_order(found)) == len({result for results in by_hand.values() for result in results})
