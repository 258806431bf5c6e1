"""Secrets stay out of what queries see."""

from __future__ import annotations

import pyoxigraph as ox

from api_gateway_service_mesh.control.sparql.dataset import dataset_quads
from api_gateway_service_mesh.vocabulary import AGW, GRAPH_CONFIG, GRAPH_ONTOLOGY, RDFS


def test_secret_literals_are_left_out_and_references_stay() -> None:
    store = ox.Store()
    config, ontology = ox.NamedNode(GRAPH_CONFIG), ox.NamedNode(GRAPH_ONTOLOGY)
    below = ox.NamedNode("urn:own:secret")
    store.add(ox.Quad(below, ox.NamedNode(RDFS.subPropertyOf), ox.NamedNode(AGW.secretRef), ontology))
    for name, value in (
        (AGW.privateKeyRef, "file:key.pem"),
        (AGW.privateKeyRef, "-----BEGIN PRIVATE KEY-----"),
        (AGW.secretRef, "env:TOKEN"),
        (AGW.secretRef, "hunter2"),
        (below.value, "hunter3"),
        (AGW.routePath, "/x"),
    ):
        store.add(ox.Quad(ox.NamedNode("urn:c"), ox.NamedNode(name), ox.Literal(value), config))
    text = dataset_quads(store).decode()
    assert all(word in text for word in ("file:key.pem", "env:TOKEN", "/x"))
    assert not any(word in text for word in ("BEGIN", "hunter"))
