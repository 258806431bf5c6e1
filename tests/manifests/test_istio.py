"""Istio manifests mean what the table means."""

from __future__ import annotations

from typing import Any

import re2
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.errors import Severity
from api_gateway_service_mesh.manifests import Rendering, render
from api_gateway_service_mesh.model import Endpoint, MtlsMode, Retry, RetryCondition, Upstream
from api_gateway_service_mesh.routing import compile_table
from tests.support.mesh_model import published, shop
from tests.support.routes import EX, Request, mesh, oracle, requests, route, route_sets


def objects(rendering: Rendering, kind: str) -> list[dict[str, Any]]:
    documents = [yaml.safe_load(manifest.text) for manifest in rendering]
    return [document for document in documents if document["kind"] == kind]


def one(rendering: Rendering, kind: str) -> dict[str, Any]:
    (found,) = objects(rendering, kind)
    return found


# --- Envoy's reading of a VirtualService, said plainly -----------------------------------------------------------


def _value(test: dict[str, str], got: str | None) -> bool:
    if got is None:
        return False
    if "exact" in test:
        return got == test["exact"]
    if "prefix" in test:
        return got.startswith(test["prefix"])
    return not test or bool(re2.fullmatch(test["regex"], got))


def _holds(match: dict[str, Any], request: Request) -> bool:
    parameters = dict(reversed([pair.split("=") for pair in request.query.split("&") if pair]))
    return (
        _value(match["uri"], request.path)
        and _value(match.get("method", {"regex": ".*"}), request.method)
        and all(_value(test, request.fields.get(name)) for name, test in match.get("headers", {}).items())
        and all(_value(test, parameters.get(name)) for name, test in match.get("queryParams", {}).items())
    )


def envoy(services: list[dict[str, Any]], request: Request) -> str | None:
    """The name of the HTTP route that takes the request: most specific host, then the first in the list."""

    def rank(host: str) -> tuple[int, int] | None:
        if host == request.host:
            return (0, 0)
        if host == "*":
            return (2, 0)
        return (1, -len(host)) if host.startswith("*.") and request.host.endswith(host[1:]) else None

    hosts = [(rank(host), service) for service in services for host in service["spec"]["hosts"]]
    best = min((pair for pair in hosts if pair[0] is not None), key=lambda pair: pair[0] or (9, 0), default=None)
    if best is None:
        return None
    for http in best[1]["spec"]["http"]:
        if "match" not in http or any(_holds(match, request) for match in http["match"]):
            return str(http["name"])
    return None


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


@settings(max_examples=100, deadline=None)
@given(route_sets(max_size=10))
def test_every_route_that_can_answer_stands_in_precedence_order(routes) -> None:
    table = compile_table(mesh(*routes))
    rendering = render(mesh(*routes), "istio")
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
    rendering = render(published(), "istio")
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
    rule = one(rendering, "DestinationRule")["spec"]
    assert rule["host"] == "products-service"
    assert rule["trafficPolicy"]["connectionPool"]["tcp"]["maxConnections"] == 100
    assert rule["trafficPolicy"]["outlierDetection"]["consecutive5xxErrors"] == 5
    assert rule["trafficPolicy"]["outlierDetection"]["baseEjectionTime"] == "30s"
    assert rule["trafficPolicy"]["tls"] == {"mode": "ISTIO_MUTUAL"}
    for_mesh, for_service = objects(rendering, "PeerAuthentication")
    assert for_mesh["spec"] == {"mtls": {"mode": "STRICT"}}
    assert for_mesh["metadata"]["name"] == "default"
    assert for_service["spec"] == {
        "selector": {"matchLabels": {"app": "products-service"}},
        "mtls": {"mode": "STRICT"},
    }
    assert one(rendering, "Gateway")["spec"]["servers"][0]["port"]["number"] == 8080


def test_every_object_leads_back_to_the_graph() -> None:
    for manifest in render(shop(), "istio"):
        annotations = yaml.safe_load(manifest.text)["metadata"]["annotations"]
        assert annotations["agw.ggen.ai/gateway"] == EX + "gateway"
    service = next(
        s for s in objects(render(shop(), "istio"), "VirtualService") if s["spec"]["hosts"] == ["shop.example.com"]
    )
    assert service["metadata"]["annotations"]["agw.ggen.ai/routes"].split()[0] == service["spec"]["http"][0]["name"]


def test_a_host_of_its_own_also_lists_the_routes_of_wider_hosts() -> None:
    services = objects(render(shop(), "istio"), "VirtualService")
    listed = {tuple(s["spec"]["hosts"]): [h["name"].removeprefix(EX) for h in s["spec"]["http"]] for s in services}
    wide = ["ghost", "get", "head", "pay", "all"]
    assert [name for name in listed[("*",)] if name != "get"] == ["ghost", "head", "pay", "all"]
    assert set(wide) <= set(listed[("shop.example.com",)])
    assert listed[("shop.example.com",)][0] == "me"


def test_a_head_route_keeps_its_requests_from_a_get_route_before_it() -> None:
    (service,) = (s for s in objects(render(shop(), "istio"), "VirtualService") if s["spec"]["hosts"] == ["*"])
    methods = [
        (h["name"].removeprefix(EX), h["match"][0]["method"]) for h in service["spec"]["http"] if "thing" in str(h)
    ]
    assert methods == [("get", {"exact": "GET"}), ("head", {"exact": "HEAD"}), ("get", {"exact": "HEAD"})]


def test_services_outside_the_cluster() -> None:
    entries = {e["metadata"]["name"]: e["spec"] for e in objects(render(shop(), "istio"), "ServiceEntry")}
    assert entries["payments"] == {
        "hosts": ["api.payments.example"],
        "location": "MESH_EXTERNAL",
        "ports": [{"number": 443, "name": "https-443", "protocol": "HTTPS"}],
        "resolution": "DNS",
    }
    assert entries["search"]["resolution"] == "STATIC"
    assert entries["search"]["endpoints"] == [
        {"address": "10.0.0.1", "weight": 3},
        {"address": "2001:db8::1", "ports": {"http-9200": 9201}},
    ]
    assert set(entries) == {"payments", "search"}


def test_destination_rules() -> None:
    rules = {r["metadata"]["name"]: r["spec"] for r in objects(render(shop(), "istio"), "DestinationRule")}
    assert rules["payments"]["trafficPolicy"]["tls"] == {
        "mode": "MUTUAL",
        "credentialName": "client-cert",
        "sni": "payments.example",
        "subjectAltNames": ["payments.example"],
    }
    ports = rules["orders-v1"]["trafficPolicy"]["portLevelSettings"]  # two services on one host
    assert [(each["port"]["number"], each["tls"]["mode"]) for each in ports] == [(80, "ISTIO_MUTUAL"), (81, "DISABLE")]
    assert rules["search"]["trafficPolicy"]["loadBalancer"] == {"consistentHash": {"httpHeaderName": "x-user"}}
    assert rules["users"]["trafficPolicy"]["outlierDetection"]["interval"] == "2500ms"
    assert "consecutiveErrors" not in str(rules)


def test_what_istio_cannot_say_is_told() -> None:
    report = render(shop(), "istio").report
    told = {(f.code, f.subject): f.message for f in report.findings}
    assert "rate limit of 5/s is missing" in told[("not-expressible", EX + "me")]
    assert "'client-cert'" in told[("expressed-differently", EX + "client-cert")]
    assert all(f.severity is not Severity.VIOLATION for f in report.findings)
    assert not any(f.code == "not-expressible" for f in render(published(), "istio").report.findings)


def test_a_split_with_weights() -> None:
    http = [h for s in objects(render(shop(), "istio"), "VirtualService") for h in s["spec"]["http"]]
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
    service = one(render(mesh(plain, unsent, post, upstreams=(upstream,)), "istio"), "VirtualService")
    assert {h["name"].removeprefix(EX): h["retries"] for h in service["spec"]["http"]} == {
        "plain": {"attempts": 0},
        "post": {"attempts": 0},
        "unsent": {"attempts": 1, "retryOn": "connect-failure,refused-stream", "backoff": "25ms"},
    }


def test_without_listeners_named_hosts_hang_on_the_sidecars() -> None:
    upstream = Upstream(EX + "u", "ex:u", (Endpoint(EX + "u", "u", 80),), mtls_mode=MtlsMode.PERMISSIVE)
    rendering = render(mesh(route("a", "/", hosts=("u",), upstream=upstream.iri), upstreams=(upstream,)), "istio")
    assert not objects(rendering, "Gateway")
    assert "gateways" not in one(rendering, "VirtualService")["spec"]
    assert "tls" not in one(rendering, "DestinationRule")["spec"]["trafficPolicy"]
