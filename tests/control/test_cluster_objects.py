"""Which objects of a cluster state routes of this gateway."""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.control.cluster_objects import HOST, PATH, RESOURCES, wanted


def told(**kinds: dict[tuple[str, str], dict[str, Any]]) -> dict[str, dict[tuple[str, str], dict[str, Any]]]:
    return {kind: kinds.get(kind, {}) for kind in RESOURCES}


def thing(age: str = "", annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x", "annotations": annotations or {}, "creationTimestamp": age}, "spec": spec}


def test_only_what_hangs_on_a_gateway_of_the_class() -> None:
    route = thing(parentRefs=[{"name": "edge"}], rules=[{"backendRefs": [{"name": "users", "port": 80}]}])
    other = thing(parentRefs=[{"name": "edge", "namespace": "other"}], rules=[])
    found = wanted(
        told(
            Gateway={("shop", "edge"): thing(gatewayClassName="agw"), ("other", "edge"): thing(gatewayClassName="x")},
            HTTPRoute={("shop", "a"): route, ("shop", "b"): other},
            Service={("shop", "users"): thing(), ("shop", "carts"): thing()},
        ),
        "agw",
    )
    assert list(found) == [("Gateway", "shop", "edge"), ("Service", "shop", "users"), ("HTTPRoute", "shop", "a")]
    assert found["Service", "shop", "users"]["apiVersion"] == "v1"
    assert found["HTTPRoute", "shop", "a"]["apiVersion"] == "gateway.networking.k8s.io/v1"


def test_the_oldest_comes_first() -> None:
    parents = {"parentRefs": [{"name": "edge"}]}
    routes = {("shop", "a"): thing("2026-01-02", **parents), ("shop", "b"): thing("2026-01-01", **parents)}
    found = wanted(told(Gateway={("shop", "edge"): thing(gatewayClassName="agw")}, HTTPRoute=routes), "agw")
    assert [name for kind, _, name in found if kind == "HTTPRoute"] == ["b", "a"]


def test_a_service_asks_for_a_route_by_annotation() -> None:
    asking = thing(annotations={PATH: "/users", HOST: "a.example"}, ports=[{"port": 80, "name": "http"}])
    found = wanted(told(Service={("shop", "users"): asking, ("shop", "carts"): thing()}), "agw")
    assert list(found) == [("Service", "shop", "users"), ("Service route", "shop", "users")]
    route = found["Service route", "shop", "users"]
    assert route["spec"]["hostnames"] == ["a.example"]
    assert route["spec"]["rules"][0]["backendRefs"] == [{"name": "users", "port": 80}]
