"""What Envoy takes is what agw takes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.manifests import render
from tests.support.istio import envoy, objects
from tests.support.mesh_model import shop
from tests.support.routes import EX, Request, mesh, oracle, requests, route_sets


def _one_test_a_name(r) -> bool:
    names = [h.name for h in r.match.headers] + [q.name for q in r.match.query]
    return len(names) == len(set(names))


@settings(max_examples=150, deadline=None)
@given(route_sets(max_size=8), st.lists(requests(), min_size=1, max_size=10))
def test_envoy_takes_the_route_that_agw_takes(routes, asked: list[Request]) -> None:
    routes = tuple(r for r in routes if _one_test_a_name(r))
    services = objects(render(mesh(*routes), "istio"), "VirtualService")
    for request in asked:
        expected = oracle(routes, request)
        assert envoy(services, request) == (expected.iri if expected else None), request


def test_a_head_route_keeps_its_requests_from_a_get_route_before_it() -> None:
    (service,) = (s for s in objects(render(shop(), "istio"), "VirtualService") if s["spec"]["hosts"] == ["*"])
    methods = [
        (h["name"].removeprefix(EX), h["match"][0]["method"]) for h in service["spec"]["http"] if "thing" in str(h)
    ]
    assert methods == [("get", {"exact": "GET"}), ("head", {"exact": "HEAD"}), ("get", {"exact": "HEAD"})]
