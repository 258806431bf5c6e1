"""Limits in EnvoyFilters."""

from __future__ import annotations

from dataclasses import replace

from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.model import KeyKind, RateLimit, RequestKey
from tests.support.istio import objects, one
from tests.support.mesh_model import published
from tests.support.routes import EX


def test_a_limit_for_all_callers_is_kept_by_each_pod() -> None:
    (products,) = published().routes
    limited = replace(products, rate_limits=(RateLimit(EX + "l", 50, 80, fields=True),))
    rendering = render(replace(published(), routes=(limited,)), "istio")
    first, second = one(rendering, "EnvoyFilter")["spec"]["configPatches"]
    assert first["applyTo"] == "HTTP_FILTER"
    assert second["match"]["routeConfiguration"]["vhost"]["route"]["name"] == products.iri
    (config,) = second["patch"]["value"]["typed_per_filter_config"].values()
    assert config["value"]["token_bucket"] == {"max_tokens": 80, "tokens_per_fill": 50, "fill_interval": "1s"}
    assert config["value"]["enable_x_ratelimit_headers"] == "DRAFT_VERSION_03"


def test_limits_by_caller_are_lost() -> None:
    (products,) = published().routes
    limit = RateLimit(EX + "l", 50, 80, (RequestKey(KeyKind.CLIENT_ADDRESS),))
    rendering = render(
        replace(published(), routes=(replace(products, rate_limits=(limit,)),)), "istio", allow_loss=True
    )
    assert objects(rendering, "EnvoyFilter") == []
    assert any("for all callers together" in loss.message for loss in rendering.losses)
