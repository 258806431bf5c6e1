"""What a change touches is what compiling anew shows to be different."""

from __future__ import annotations

import os
import random
from functools import lru_cache

import pytest

from api_gateway_service_mesh.control.build import build, inspect
from api_gateway_service_mesh.control.impact import Impact, impact, impact_of, render_impact, thing_named
from api_gateway_service_mesh.errors import AgwError, ClientError, ConfigError
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.terms import lexical
from api_gateway_service_mesh.manifests import TARGETS, render
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


def brute(old: Mesh, new: Mesh, requests: dict[str, int]) -> Impact:
    """The same by comparing everything, as text, of two meshes that were compiled from nothing."""
    before, after = plainly(old), plainly(new)
    routes = {iri for iri in before.keys() | after.keys() if before.get(iri) != after.get(iri)}
    one, other = ({item["iri"]: item for item in encode(mesh)["upstreams"]} for mesh in (old, new))
    services = {iri for iri in one.keys() | other.keys() if one.get(iri) != other.get(iri)}
    hosts = {
        host for mesh in (old, new) for route in mesh.routes if route.iri in routes for host in route.match.hosts or "*"
    }
    written = [manifests(mesh) for mesh in (old, new)]
    files = {name for name in written[0].keys() | written[1].keys() if written[0].get(name) != written[1].get(name)}
    rest = [
        {name: value for name, value in encode(mesh).items() if name not in ("routes", "upstreams", "exemptions")}
        for mesh in (old, new)
    ]
    share = sum(count for iri, count in requests.items() if iri in routes) / sum(requests.values())
    return Impact(*(tuple(sorted(found)) for found in (routes, services, hosts, files)), rest[0] != rest[1], share)


@lru_cache(maxsize=2)
def manifests(mesh: Mesh) -> dict[str, str]:
    found = {}
    for target in TARGETS:
        try:
            written = render(mesh, target, allow_loss=True).manifests
        except AgwError:
            continue
        assert all(item.path.startswith(target + "/") for item in written)
        found |= {str(item.path): item.text for item in written}
    return found


@pytest.mark.timeout(120 + 5 * EDITS)
def test_it_is_what_compiling_anew_shows() -> None:
    source = SourceGraph.parse(BASE)
    base, whole = build(source), inspect(source).mesh
    rng = random.Random(13)
    requests = {route.iri: rng.randrange(1, 1000) for route in base.mesh.routes}
    touching = 0
    for _ in range(EDITS):
        rows, names = edited(source.rows, rng)
        changed = SourceGraph.of(triples(rows))
        try:
            made = build(changed, previous=base)
        except ConfigError:
            continue
        found = impact(base.mesh, made.mesh, requests)
        assert found == brute(whole, inspect(changed).mesh, requests), names
        touching += bool(found.routes)
    assert touching


def test_of_each_thing_it_is_what_compiling_without_it_shows() -> None:
    source = SourceGraph.parse(BASE)
    base, whole = build(source), inspect(source).mesh
    requests = {route.iri: number for number, route in enumerate(base.mesh.routes, 1)}
    touching = 0
    for thing in dict.fromkeys(row[0] for row in source.rows):
        without = SourceGraph.of(triples([row for row in source.rows if row[0] != thing]))
        found = impact_of(base, lexical(thing), requests)
        assert found == brute(whole, inspect(without).mesh, requests), thing
        touching += bool(found.routes)
    assert touching > 10


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
    nothing = impact(base.mesh, base.mesh, {})
    assert render_impact(nothing) == "it touches nothing that is served\n"
    assert nothing.share is None
    assert impact_of(base, EX + "patience", manifests=False).manifests is None
    assert thing_named(base, "ex:patience") == thing_named(base, f"<{EX}patience>") == EX + "patience"
    with pytest.raises(ClientError, match="nothing is said of") as caught:
        thing_named(base, "ex:patence")
    assert caught.value.remedy == f"did you mean <{EX}patience>?"
