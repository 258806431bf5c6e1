"""Calls of gRPC: GRPCRoutes where a host has nothing else, HTTPRoutes where it has."""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.importers import import_texts
from api_gateway_service_mesh.manifests import Rendering, render
from api_gateway_service_mesh.model import Endpoint, HttpProtocol, Mesh, Route, Timeout, Upstream
from tests.manifests.gateway_api.test_route import objects
from tests.support.routes import EX, route

CARTS = Upstream(EX + "carts", "carts", (Endpoint(EX + "c", "carts", 50051),), protocol=HttpProtocol.HTTP2)


def call(name: str, service: str, method: str = "*", **more: Any) -> Route:
    path = f"/{service}/{method}"
    more = {"methods": ("POST",), "upstream": CARTS.iri, "grpc_service": service, **more}
    return route(name, path, **more)


def rendered(*routes: Route, upstream: Upstream = CARTS) -> Rendering:
    return render(Mesh(EX + "gateway", "gateway", routes, (upstream,)), "gateway-api", allow_loss=True)


def kinds(rendering: Rendering) -> dict[str, str]:
    return {
        host: kind
        for kind in ("GRPCRoute", "HTTPRoute")
        for each in objects(rendering, kind)
        for host in each["spec"].get("hostnames", ["*"])
    }


def why(rendering: Rendering) -> list[str]:
    return [finding.message for finding in rendering.report.findings if "an HTTPRoute says it" in finding.message]


def test_a_service_and_its_methods() -> None:
    (found,) = objects(rendered(call("one", "shop.Cart"), call("two", "shop.Cart", "Add")), "GRPCRoute")
    assert [rule["matches"] for rule in found["spec"]["rules"]] == [
        [{"method": {"type": "Exact", "service": "shop.Cart", "method": "Add"}}],
        [{"method": {"type": "Exact", "service": "shop.Cart"}}],
    ]


def test_what_a_grpc_route_cannot_say_is_an_http_route() -> None:
    slow = call("slow", "shop.Cart", timeout=Timeout(EX + "t", 5))
    made = rendered(slow)
    assert kinds(made) == {"*": "HTTPRoute"}
    assert why(made) == ["ex:slow: an HTTPRoute says it, by POST and path, as a GRPCRoute has no time (ex:slow)"]
    plain = Upstream(CARTS.iri, "carts", CARTS.endpoints)
    assert "not spoken to in HTTP/2" in why(rendered(call("one", "shop.Cart"), upstream=plain))[0]
    assert "a service and a method alone" in why(rendered(call("one", "shop.Cart", "{which}")))[0]
    assert rendered(call("one", "shop.Cart")).report.findings  # the class, and the Service's appProtocol
    assert why(rendered(call("one", "shop.Cart"))) == []


def test_one_kind_where_hosts_meet() -> None:
    calls, page = call("calls", "shop.Cart", hosts=("a.b.com",)), route("page", "/", hosts=("www.com",))
    page = Route(page.iri, page.name, page.match, CARTS.iri)
    assert kinds(rendered(calls, page)) == {"a.b.com": "GRPCRoute", "www.com": "HTTPRoute"}
    wide = route("wide", "/w", hosts=("*.b.com",))
    far = call("far", "shop.Far", hosts=("*.c.com",))
    made = rendered(calls, wide, far)
    assert kinds(made) == {"a.b.com": "HTTPRoute", "*.b.com": "HTTPRoute", "*.c.com": "GRPCRoute"}
    # all calls by itself, but below a host that has others
    below = rendered(call("any", "shop.Any"), route("page", "/p", hosts=("x.com",)))
    assert kinds(below) == {"x.com": "HTTPRoute", "*": "HTTPRoute"}
    assert "ex:page beside it is no call of gRPC" in why(below)[0]
    assert "its host meets" in why(made)[0] or "beside it" in why(made)[0]


def test_calls_come_back() -> None:
    made = rendered(call("one", "shop.Cart"), call("two", "shop.Cart", "Add"))
    back = import_texts("gateway-api", {manifest.path: manifest.text for manifest in made})
    assert 'agw:grpcService "shop.Cart"' in back.turtle
    assert 'agw:grpcMethod "Add"' in back.turtle
    assert "agw:routePath" not in back.turtle
    assert 'agw:upstreamProtocol "h2"' in back.turtle
    assert [finding.message for finding in back.report.findings] == []
