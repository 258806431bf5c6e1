"""What Envoy takes is what agw takes."""

from __future__ import annotations

import random

from api_gateway_service_mesh.manifests import render
from tests.support.istio import envoy, objects
from tests.support.mesh_model import shop
from tests.support.routes import EX, mesh, oracle, random_request, random_routes


def _one_test_a_name(r) -> bool:
    names = [h.name for h in r.match.headers] + [q.name for q in r.match.query]
    return len(names) == len(set(names))


def test_envoy_takes_the_route_that_agw_takes() -> None:
    rng = random.Random(3)
    for _ in range(120):
        routes = tuple(r for r in random_routes(rng, rng.randint(1, 12)) if _one_test_a_name(r))
        services = objects(render(mesh(*routes), "istio", allow_loss=True), "VirtualService")
        for _ in range(20):
            asked = random_request(rng)
            expected = oracle(routes, asked)
            assert envoy(services, asked) == (expected.iri if expected else None), asked


def test_a_head_route_keeps_its_requests_from_a_get_route_before_it() -> None:
    (service,) = (
        s for s in objects(render(shop(), "istio", allow_loss=True), "VirtualService") if s["spec"]["hosts"] == ["*"]
    )
    methods = [
        (h["name"].removeprefix(EX), h["match"][0]["method"]) for h in service["spec"]["http"] if "thing" in str(h)
    ]
    assert methods == [("get", {"exact": "GET"}), ("head", {"exact": "HEAD"}), ("get", {"exact": "HEAD"})]
