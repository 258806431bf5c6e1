"""What a change touches is what compiling anew shows to be different."""

from __future__ import annotations

import os
import random

import pytest

from api_gateway_service_mesh.control.build import build, inspect
from api_gateway_service_mesh.control.impact import impact, impact_of, render_impact
from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.model.codec import encode
from tests.support.edits import BASE, edited, triples

EDITS = int(os.environ.get("AGW_IMPACT_EDITS", "60"))
EX = "https://example.com/"


def plainly(mesh: Mesh) -> dict[str, object]:
    """All that a route is and reaches, as text; what the gateway does stands in each."""
    services = {item["iri"]: item for item in encode(mesh)["upstreams"]} if mesh.upstreams else {}
    rest = {name: value for name, value in encode(mesh).items() if name not in ("routes", "upstreams", "exemptions")}
    found = {}
    for route in mesh.routes:
        targets = [route.upstream, *(split.upstream for split in route.splits)]
        found[route.iri] = (encode(route), [services.get(iri) for iri in targets], rest)
    return found


@pytest.mark.timeout(120 + EDITS)
def test_it_is_what_compiling_anew_shows() -> None:
    source = SourceGraph.parse(BASE)
    base = build(source)
    before = plainly(base.mesh)
    rng = random.Random(13)
    touching = 0
    for _ in range(EDITS):
        rows, names = edited(source.rows, rng)
        changed = SourceGraph.of(triples(rows))
        try:
            made = build(changed, previous=base)
        except ConfigError:
            continue
        found = impact(base.mesh, made.mesh)
        after = plainly(inspect(changed).mesh)  # from nothing
        wanted = {iri for iri in before.keys() | after.keys() if before.get(iri) != after.get(iri)}
        assert set(found.routes) == wanted, names
        touching += bool(wanted)
    assert touching


def test_what_hangs_on_a_thing() -> None:
    base = build(SourceGraph.parse(BASE))
    found = impact_of(base, EX + "patience", {EX + "users": 3, EX + "orders": 1})
    assert EX + "users" in found.routes
    assert found.share == 0.75 or EX + "orders" in found.routes
    assert found.services == ()
    assert found.manifests
    service = impact_of(base, EX + "ordersService")
    assert EX + "orders" in service.routes
    assert service.services == (EX + "ordersService",)
    nothing = impact_of(base, EX + "nobody", {})
    assert render_impact(nothing) == "it touches nothing that is served\n"
    assert nothing.share is None
