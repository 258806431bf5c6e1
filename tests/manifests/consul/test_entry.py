"""Consul's entries and the resources of consul-k8s: one thing in two spellings."""

from __future__ import annotations

import json
from typing import Any

import yaml

from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.manifests.consul.entry import as_resource, entry
from api_gateway_service_mesh.model import Mesh
from tests.support.mesh_model import published, shop


def entries(mesh: Mesh) -> dict[tuple[str, str], dict[str, Any]]:
    made = [json.loads(manifest.text) for manifest in render(mesh, "consul", plain=True, allow_loss=True)]
    return {(one["Kind"], one["Name"]): one for one in made}


def test_spellings() -> None:
    one = entry(
        "jwt-provider", "a", {"JSONWebKeySet": {"Remote": {"URI": "x"}}, "ClockSkewSeconds": 1}, service="urn:a"
    )
    made = as_resource(one, "shop")
    assert (made["kind"], made["metadata"]["namespace"]) == ("JWTProvider", "shop")
    assert made["spec"] == {"jsonWebKeySet": {"remote": {"uri": "x"}}, "clockSkewSeconds": 1}
    assert made["metadata"]["annotations"] == {"agw.ggen.ai/service": "urn:a"}


def test_both_forms_say_the_same() -> None:
    plain = {kind for kind, _ in entries(published())}
    resources = {yaml.safe_load(m.text)["kind"] for m in render(published(), "consul", allow_loss=True)}
    assert {"service-router", "service-defaults", "service-intentions", "api-gateway", "http-route"} <= plain
    assert {"ServiceRouter", "ServiceDefaults", "ServiceIntentions", "Gateway", "HTTPRoute", "MeshService"} <= resources


def test_only_idempotent_requests_are_tried_again_after_a_byte_was_sent() -> None:
    routes = entries(published())["service-router", "gateway-routes"]["Routes"]
    first, last = routes[0], routes[-1]
    assert "gateway-error" in first["Destination"]["RetryOn"]
    assert "POST" not in first["Match"]["HTTP"]["Methods"]
    assert last["Destination"]["RetryOn"] == ["connect-failure", "refused-stream"]


def test_a_prefix_is_by_whole_segments() -> None:
    routes = entries(shop())["service-router", "gateway-routes"]["Routes"]
    paths = [{k: v for k, v in each["Match"]["HTTP"].items() if k.startswith("Path")} for each in routes]
    at = paths.index({"PathExact": "/orders"})
    assert paths[at + 1] == {"PathPrefix": "/orders/"}
