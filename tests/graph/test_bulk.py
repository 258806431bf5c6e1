"""Shapes asked of many nodes at once say what they say of one after the other."""

from __future__ import annotations

import random

import pytest

from api_gateway_service_mesh.graph import SourceGraph, infer
from api_gateway_service_mesh.graph.bulk import Bulk
from api_gateway_service_mesh.graph.shacl import Run, shipped_shapes
from api_gateway_service_mesh.graph.shapes import ShapesGraph
from tests.support.edits import BASE, edited, triples

_OTHERS = """\
@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix agw: <https://ggen.ai/ontology/api-gateway#> . @prefix x: <urn:x:> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
x:a sh:targetSubjectsOf agw:routePath ; sh:closed true ; sh:property [ sh:path agw:routePath ] ;
    sh:xone ( [ sh:class agw:Route ] [ sh:property [ sh:path agw:httpMethod ; sh:minCount 1 ] ] ) .
x:b sh:targetObjectsOf agw:hasBackendService ; sh:nodeKind sh:IRI ; sh:not [ sh:class agw:BackendService ] ;
    sh:property [ sh:path [ sh:inversePath agw:hasBackendService ] ; sh:maxCount 1 ; sh:class agw:Route ] .
x:c sh:targetClass agw:Route ; sh:property [ sh:path agw:httpMethod ; sh:hasValue "GET" ] ,
    [ sh:path agw:priority ; sh:lessThan agw:requestCost ; sh:equals agw:requestCost ] ,
    [ sh:path agw:hasTimeout ; sh:node [ sh:property [ sh:path agw:timeoutSeconds ; sh:minCount 1 ] ] ] ;
    sh:and ( [ sh:property [ sh:path agw:routePath ; sh:pattern "^/u" ] ] [ sh:class agw:Route ] ) .
x:d sh:targetNode agw:Route , <https://example.com/users> ; sh:hasValue agw:Route ; sh:maxCount 0 .
x:e sh:targetClass agw:RetryPolicy ; sh:property [ sh:path agw:retryOn ; sh:in ( "5xx" ) ; sh:minCount 2 ] ,
    [ sh:path agw:retryAttempts ; sh:deactivated true ; sh:maxCount 0 ] .
"""


@pytest.mark.parametrize("seed", range(30))
def test_one_by_one_and_all_at_once(seed: int) -> None:
    rows, _ = edited(SourceGraph.parse(BASE).rows, random.Random(f"bulk {seed}"))
    inferred = infer(SourceGraph.of(triples(rows)))
    run = Run(inferred.index, lambda: inferred.data)
    bulk = Bulk(run)
    others = ShapesGraph(SourceGraph.parse(_OTHERS).rows) if seed % 3 == 0 else None
    for shape in others or shipped_shapes():
        nodes = frozenset(node for target in shape.targets for node in run.target_nodes(target))
        (failing,) = bulk.of_targets([shape], nodes)
        assert failing == {node for node in nodes if not run.conforms(shape, node)}, shape.node
        assert bulk.failing(shape, frozenset(list(nodes)[:2])) <= failing
