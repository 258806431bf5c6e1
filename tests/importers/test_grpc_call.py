"""GRPCRoute as others write it."""

from __future__ import annotations

from pathlib import Path

from api_gateway_service_mesh.model import PathKind
from tests.importers.test_gateway_api import loaded, said, taken

HEAD = "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: calls, namespace: shop}\nspec:\n"


def test_services_methods_and_expressions(tmp_path: Path) -> None:
    made = taken(
        HEAD
        + """\
  rules:
    - matches:
        - {method: {service: shop.v1.Cart}}
        - {method: {service: .shop.v1.Cart, method: Add}, headers: [{name: X-Beta, value: "on"}]}
        - {method: {method: Ping}}
        - {method: {type: RegularExpression, service: "shop[.].*", method: Get.*}}
        - {method: {type: Glob, service: "shop.*"}}
      backendRefs: [{name: carts, port: 50051}]
    - backendRefs: [{name: rest, port: 50051}]
"""
    )
    mesh = loaded(made, tmp_path).mesh
    asked = {(route.match.path.kind, route.match.path.text, route.match.methods) for route in mesh.routes}
    assert asked == {
        (PathKind.PREFIX, "/shop.v1.Cart", ("POST",)),
        (PathKind.EXACT, "/shop.v1.Cart/Add", ("POST",)),
        (PathKind.TEMPLATE, "/{p1}/Ping", ("POST",)),
        (PathKind.REGULAR_EXPRESSION, "/(?:shop[.].*)/(?:Get.*)", ("POST",)),
        (PathKind.PREFIX, "", ("POST",)),
    }
    assert {upstream.protocol.value for upstream in mesh.upstreams} == {"h2"}
    assert said(made) == [
        "f.yaml:11:20 not-imported: GRPCRoute calls.spec.rules[0].matches[4] is not taken over: 'Glob' is no way to "
        "match a call that agw knows"
    ]
