"""VirtualServices: order, hosts, retries, splits."""

from __future__ import annotations

from hypothesis import given, settings

from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.model import Endpoint, Retry, RetryCondition, Upstream
from api_gateway_service_mesh.routing import compile_table
from tests.support.istio import objects, one
from tests.support.mesh_model import published, shop
from tests.support.routes import EX, mesh, route, route_sets


@settings(max_examples=20, deadline=None)
@given(route_sets(max_size=10))
def test_every_route_that_can_answer_stands_in_precedence_order(routes) -> None:
    table = compile_table(mesh(*routes))
    rendering = render(mesh(*routes), "istio", allow_loss=True)
    services = objects(rendering, "VirtualService")
    dead = {f.subject for f in table.findings}
    written = {http["name"] for service in services for http in service["spec"]["http"]}
    assert {entry.route.iri for entry in table.entries} - dead <= written
    any_host = [s for s in services if s["spec"]["hosts"] == ["*"]]
    for service in any_host:  # a list of one host group alone: the table's own order
        order = [entry.route.iri for entry in table.entries if not entry.route.match.hosts]
        seen = list(dict.fromkeys(http["name"] for http in service["spec"]["http"]))
        assert seen == [iri for iri in order if iri in seen]


def test_the_published_shape() -> None:
    rendering = render(published(), "istio", allow_loss=True)
    service = one(rendering, "VirtualService")
    assert service["apiVersion"] == "networking.istio.io/v1"
    assert service["metadata"]["namespace"] == "shop"
    first, rest = service["spec"]["http"]
    assert first["match"][0]["uri"] == {"exact": "/api/v1/products"}
    assert first["match"][1]["uri"] == {"prefix": "/api/v1/products/"}
    assert first["route"] == [{"destination": {"host": "products-service", "port": {"number": 8080}}}]
    assert first["timeout"] == "10s"
    assert first["retries"] == {
        "attempts": 3,
        "perTryTimeout": "2s",
        "retryOn": "connect-failure,gateway-error,reset",
        "backoff": "25ms",
    }
    assert first["match"][0]["method"]["regex"].split("|") == ["DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE"]
    assert "method" not in rest["match"][0]
    assert rest["retries"]["retryOn"] == "connect-failure,refused-stream"  # POST: only what never left


def test_a_host_of_its_own_also_lists_the_routes_of_wider_hosts() -> None:
    services = objects(render(shop(), "istio", allow_loss=True), "VirtualService")
    listed = {tuple(s["spec"]["hosts"]): [h["name"].removeprefix(EX) for h in s["spec"]["http"]] for s in services}
    wide = ["ghost", "get", "head", "pay", "all"]
    assert [name for name in listed[("*",)] if name != "get"] == ["ghost", "head", "pay", "all"]
    assert set(wide) <= set(listed[("shop.example.com",)])
    assert listed[("shop.example.com",)][0] == "me"


def test_a_split_with_weights() -> None:
    http = [h for s in objects(render(shop(), "istio", allow_loss=True), "VirtualService") for h in s["spec"]["http"]]
    (orders,) = (h for h in http if h["name"] == EX + "orders")
    assert [(r["destination"]["port"]["number"], r["weight"]) for r in orders["route"]] == [(80, 90), (81, 10)]
    assert orders["match"][0]["queryParams"] == {"v": {"exact": "y"}, "w": {"regex": ".*"}}


def test_no_retries_means_none() -> None:
    upstream = Upstream(EX + "u", "ex:u", (Endpoint(EX + "u", "u", 80),))
    plain = route("plain", "/", upstream=upstream.iri)
    unsent = route(
        "unsent",
        "/u",
        upstream=upstream.iri,
        retry=Retry(EX + "r", 1, conditions=frozenset({RetryCondition.CONNECT_FAILURE})),
    )
    post = route(
        "post",
        "/p",
        methods=("POST",),
        upstream=upstream.iri,
        retry=Retry(EX + "s", 1, conditions=frozenset({RetryCondition.RESET})),
    )
    service = one(render(mesh(plain, unsent, post, upstreams=(upstream,)), "istio", allow_loss=True), "VirtualService")
    assert {h["name"].removeprefix(EX): h["retries"] for h in service["spec"]["http"]} == {
        "plain": {"attempts": 0},
        "post": {"attempts": 0},
        "unsent": {"attempts": 1, "retryOn": "connect-failure,refused-stream", "backoff": "25ms"},
    }


def test_listed_statuses_are_codes_and_what_istio_cannot_say_of_retries_is_reported() -> None:
    service = Upstream(EX + "s", "ex:s", (Endpoint(EX + "s", "s", 80),))
    retry = Retry(
        EX + "t",
        conditions=frozenset({RetryCondition.RESET, RetryCondition.REFUSED_STREAM}),
        statuses=(409, 429),
        retry_idempotency_key=True,
        retry_non_idempotent=True,
    )
    rendering = render(
        mesh(route("r", "/", upstream=service.iri, retry=retry), upstreams=(service,)), "istio", allow_loss=True
    )
    (written,) = objects(rendering, "VirtualService")
    assert written["spec"]["http"][0]["retries"]["retryOn"] == "refused-stream,reset,409,429"
    said = {(finding.predicate or "").rpartition("#")[2] for finding in rendering.report.findings}
    assert {"retryBudgetPercent", "retryIdempotencyKey"} <= said
