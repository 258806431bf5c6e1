"""A table made of the one before it is the table that compiling gives, and does not change the one before."""

from __future__ import annotations

import random
from dataclasses import replace

from api_gateway_service_mesh.routing import RoutingTable, compile_table, recompile_table, render_table
from tests.support.routes import mesh, oracle, random_request, random_routes

EDITS = 400


def assert_same(made: RoutingTable, whole: RoutingTable, rng: random.Random) -> None:
    assert render_table(made) == render_table(whole)
    assert made.findings == whole.findings
    assert [[leaf.order for leaf in chain[0].all_leaves()] for chain in made.chains] == [
        [leaf.order for leaf in chain[0].all_leaves()] for chain in whole.chains
    ]
    indices = [entry.index for entry in made.entries]
    assert len(set(indices)) == len(indices)
    assert sorted((*indices, *made.free)) == list(range(made.width))
    for _ in range(6):
        asked = random_request(rng)
        entry = made.find(asked.host, asked.method, asked.path, asked.query, asked.fields)
        expected = oracle(made.mesh.routes, asked)
        assert (entry.route if entry else None) is expected, asked
        assert made.allowed_methods(asked.host, asked.path) == whole.allowed_methods(asked.host, asked.path)


def test_random_changes() -> None:
    rng = random.Random(5)
    table = compile_table(mesh(*random_routes(rng, 60)))
    for number in range(EDITS):
        routes = {route.iri: route for route in table.mesh.routes}
        others = {route.iri: route for route in random_routes(rng, 60)}
        for iri in rng.sample(sorted(others), rng.randint(0, 4)):
            if rng.random() < 0.4 and len(routes) > 30:
                routes.pop(iri, None)
            else:
                routes[iri] = others[iri]
        shown, before = render_table(table), table
        changed = mesh(*routes.values())
        table = recompile_table(table, changed)
        assert table.mesh is changed
        assert_same(table, compile_table(changed), rng)
        if number % 20 == 0:
            assert render_table(before) == shown
            assert_same(before, compile_table(before.mesh), rng)


def test_what_did_not_change_is_shared() -> None:
    routes = random_routes(random.Random(1), 50)
    before = compile_table(mesh(*routes))
    after = recompile_table(before, mesh(*routes[1:], replace(routes[0], upstream="ex:other")))
    kept = {entry.route.iri: entry for entry in before.entries if entry.route is not routes[0]}
    assert all(kept.get(entry.route.iri, entry) is entry for entry in after.entries)
    assert after.width == before.width
