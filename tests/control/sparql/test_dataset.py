"""Secrets stay out of what queries see."""

from __future__ import annotations

import pyoxigraph as ox

from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.control.sparql.dataset import dataset_quads
from api_gateway_service_mesh.errors import Report
from api_gateway_service_mesh.graph import SourceGraph, ValidatedGraph, infer
from api_gateway_service_mesh.graph.shacl import shipped_shapes
from api_gateway_service_mesh.vocabulary import AGW, GRAPH_CONFIG, GRAPH_ONTOLOGY, RDFS
from tests.support.turtle import routes_turtle


def test_secret_literals_are_left_out_and_references_stay() -> None:
    below = ox.NamedNode("urn:own:secret")
    stated = [ox.Triple(below, ox.NamedNode(RDFS.subPropertyOf), ox.NamedNode(AGW.secretRef))]
    for name, value in (
        (AGW.privateKeyRef, "file:key.pem"),
        (AGW.privateKeyRef, "-----BEGIN PRIVATE KEY-----"),
        (AGW.secretRef, "env:TOKEN"),
        (AGW.secretRef, "hunter2"),
        (below.value, "hunter3"),
        (AGW.routePath, "/x"),
    ):
        stated.append(ox.Triple(ox.NamedNode("urn:c"), ox.NamedNode(name), ox.Literal(value)))
    # Validation would refuse it; what is left out is left out whoever lets it through.
    text = dataset_quads(ValidatedGraph(infer(SourceGraph.of(stated)), Report(), shipped_shapes(), {})).decode()
    assert all(word in text for word in ("file:key.pem", "env:TOKEN", "/x"))
    assert not any(word in text for word in ("BEGIN", "hunter"))


def test_the_graphs_are_those_of_a_store_of_the_build() -> None:
    awkward = 'ex:route0 rdfs:comment """ends . \n . and <urn:x> .\n""" .\n'
    made = build(SourceGraph.parse(routes_turtle(20) + awkward)).validated
    store = ox.Store()
    store.load(dataset_quads(made), format=ox.RdfFormat.N_QUADS)
    quads, wanted = set(store), set(made.store)

    def named(found: set[ox.Quad]) -> set[ox.Quad]:
        return {quad for quad in found if not {type(quad.subject), type(quad.object)} & {ox.BlankNode}}

    assert named(quads) == named(wanted)
    assert {quad.graph_name.value for quad in quads} >= {GRAPH_CONFIG, GRAPH_ONTOLOGY}
    assert len(quads) == len(wanted)
