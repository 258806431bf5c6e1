"""Each part of the model in Envoy's words. What comes of them in front of backends is held by tests/parity."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from api_gateway_service_mesh.manifests.envoy.answer import direct_response
from api_gateway_service_mesh.manifests.envoy.authentication import authentication_filters, route_authentication
from api_gateway_service_mesh.manifests.envoy.balancer import hash_policy
from api_gateway_service_mesh.manifests.envoy.bootstrap import ControlPlane, dynamic_bootstrap
from api_gateway_service_mesh.manifests.envoy.condition import early_fields, header_matcher
from api_gateway_service_mesh.manifests.envoy.context import Context
from api_gateway_service_mesh.manifests.envoy.fault import fault_filters, route_faults
from api_gateway_service_mesh.manifests.envoy.listener import http_filters, listener_name
from api_gateway_service_mesh.manifests.envoy.rate_limit import STAGE, limit_actions, limit_filter
from api_gateway_service_mesh.manifests.envoy.refusal import local_replies, problem
from api_gateway_service_mesh.manifests.envoy.retry import retry_flavours
from api_gateway_service_mesh.manifests.envoy.rewrite import path_change
from api_gateway_service_mesh.manifests.envoy.route import Routes
from api_gateway_service_mesh.manifests.envoy.secret import secrets, trust_name, upstream_tls
from api_gateway_service_mesh.manifests.envoy.sticky import route_stickiness, sticky_filters
from api_gateway_service_mesh.manifests.envoy.typed import seconds
from api_gateway_service_mesh.manifests.envoy.upstream import cluster
from api_gateway_service_mesh.model import (
    Algorithm,
    ApiKey,
    Authentication,
    Balancer,
    Breaker,
    Certificate,
    ConditionSource,
    DirectResponse,
    Endpoint,
    Fault,
    Hedging,
    JwtAuthentication,
    KeyKind,
    Listener,
    RateLimit,
    RequestCondition,
    RequestKey,
    Retry,
    Rewrite,
    Route,
    StickyCookie,
    Timeout,
    Upstream,
    UpstreamTls,
    ValueKind,
)
from api_gateway_service_mesh.routing import RouteEntry, compile_table
from tests.support.routes import EX, mesh, route

SERVICE = Upstream(EX + "service", "service", (Endpoint(EX + "one", "127.0.0.1", 9000),))


def context(*routes: Route, upstreams: tuple[Upstream, ...] = (SERVICE,)) -> Context:
    made = mesh(*routes, upstreams=upstreams)
    return Context(made, compile_table(made), dynamic=True)


def served(of: Route) -> list[dict[str, Any]]:
    """The routes of Envoy's that a route becomes."""
    made = context(of)
    return [found for _, found in Routes(made)(RouteEntry(of))]


def test_durations_are_proto_json() -> None:
    assert [seconds(value) for value in (0, 1, 0.25, 1e-6, 90)] == ["0s", "1s", "0.25s", "0.000001s", "90s"]


def test_what_may_be_sent_twice_parts_from_what_may_not() -> None:
    tried = route("r", "/x", upstream=SERVICE.iri, retry=Retry(EX + "retry"))
    flavours = retry_flavours(context(tried), tried)
    assert [bool(asked) for asked, _ in flavours] == [True, False]
    assert [policy["retry_on"] for _, policy in flavours if policy] == [
        "connect-failure,gateway-error,reset",
        "connect-failure",
    ]
    reading = route("r", "/x", methods=("GET",), upstream=SERVICE.iri, retry=Retry(EX + "retry"))
    assert len(retry_flavours(context(reading), reading)) == 1


def test_a_limiter_is_one_bucket_for_all_routes_that_ask_it() -> None:
    limit = RateLimit(EX + "limit", 10, 20, (RequestKey(KeyKind.HEADER, "x-customer"),))
    both = [route(name, f"/{name}", upstream=SERVICE.iri, rate_limits=(limit,), request_cost=3) for name in "ab"]
    made = context(*both)
    asked = [limit_actions(made, each) for each in both]
    assert asked[0] == asked[1] and len(asked[0]) == 3 * 2  # with the field, and without
    found = limit_filter(made, STAGE)
    assert found is not None
    (bucket,) = found["typed_config"]["descriptors"]
    assert bucket["token_bucket"] == {"max_tokens": 20, "tokens_per_fill": 1, "fill_interval": "0.1s"}


def test_what_envoy_cannot_count_by_is_lost_and_said() -> None:
    limit = RateLimit(EX + "limit", 10, 20, (RequestKey(KeyKind.COOKIE, "session"),))
    limited = route("r", "/x", upstream=SERVICE.iri, rate_limits=(limit,))
    made = context(limited)
    assert limit_actions(made, limited) == []
    assert [finding.code for finding in made.findings] == ["not-expressible"]


def test_no_key_stands_in_what_envoy_is_told_but_its_hash() -> None:
    digest = sha256(b"agw_secret").hexdigest()
    demand = Authentication(EX + "r", api_keys=(ApiKey(EX + "acme", (digest,), owner="acme"),))
    guarded = route("r", "/x", upstream=SERVICE.iri, authentication=demand)
    own = route_authentication(guarded)
    assert own["agw.keys"]["filter_context"]["keys"] == {"h:x-api-key": {digest: {"iri": EX + "acme", "owner": "acme"}}}
    (script,) = authentication_filters(context(guarded))
    assert script["disabled"] is True


def test_scopes_and_claims_are_judged_behind_the_token() -> None:
    jwt = JwtAuthentication(EX + "jwt", "https://id.example/", ("a",), "file:/keys.json", required_scopes=("write",))
    guarded = route("r", "/x", upstream=SERVICE.iri, authentication=Authentication(EX + "r", jwt=(jwt,)))
    names = [each["name"] for each in http_filters(context(guarded))]
    assert names == ["agw.tokens", "agw.claims", "envoy.filters.http.router"]
    assert EX + "jwt" in route_authentication(guarded)["agw.claims"]["rbac"]["rules"]["policies"]


def test_faults_of_one_route_have_a_filter_each() -> None:
    asked = RequestCondition(EX + "c", ConditionSource.COOKIE, "chaos", ValueKind.PRESENT)
    faults = (Fault(EX + "f", 0.2), Fault(EX + "g", None, abort_status=503, triggered_by=(asked,)))
    struck = route("r", "/x", upstream=SERVICE.iri, faults=faults)
    made = context(struck)
    assert [each["name"] for each in fault_filters(made)] == list(route_faults(made, struck))
    assert header_matcher(asked)["name"] == "cookie"


def test_routes_with_a_balancer_or_a_breaker_of_their_own_have_a_cluster_of_their_own() -> None:
    ring = Balancer(EX + "ring", Algorithm.CONSISTENT_HASH, RequestKey(KeyKind.HEADER, "x-user"))
    plain = route("plain", "/a", upstream=SERVICE.iri)
    hashed = route("hashed", "/b", upstream=SERVICE.iri, balancer=ring, breaker=Breaker(EX + "b", 3, 10.0))
    made = context(plain, hashed)
    names = [made.cluster(each, SERVICE.iri, ()) for each in (plain, hashed, plain)]
    assert names[0] == names[2] == "service" and names[1] != "service"
    assert hash_policy(made, hashed) == [{"header": {"header_name": "x-user"}}]
    told = cluster(made, str(names[1]), made.uses[str(names[1])])
    assert told["lb_policy"] == "RING_HASH" and told["outlier_detection"]["consecutive_5xx"] == 3
    assert told["common_lb_config"]["healthy_panic_threshold"] == {"value": 0}


def test_sticky_sessions_take_a_filter() -> None:
    kept = Balancer(EX + "sticky", sticky=StickyCookie("session"))
    sticky = route("r", "/x", upstream=SERVICE.iri, balancer=kept)
    assert list(route_stickiness(sticky)) == [each["name"] for each in sticky_filters(context(sticky))]


def test_paths_are_replaced_by_expressions() -> None:
    def change(path: str, **rewrite: str) -> tuple[str, str]:
        entry = RouteEntry(route("r", path, rewrite=Rewrite(EX + "w", **rewrite)))
        found = path_change(context(entry.route), entry, entry.route.rewrite)  # type: ignore[arg-type]
        assert found is not None
        return found["pattern"]["regex"], found["substitution"]

    assert change("/api/*", prefix="/") == ("^/api/*", "/")
    assert change("/api/*", prefix="/v2/") == ("^/api", "/v2")
    assert change("/u/{id}/o/{n}", full_path="/o/{n}/of/{id}") == ("^/u/([^/]+)/o/([^/]+)$", "/o/\\2/of/\\1")


def test_answers_keep_their_fields() -> None:
    said = route("r", "/x", direct=DirectResponse(EX + "d", body="hi", fields=("Cache-Control: max-age=5",)))
    answer = direct_response(said)
    assert answer is not None
    assert [each["header"]["key"] for each in answer["response_headers_to_add"]] == ["content-type", "Cache-Control"]
    assert json.loads(problem(503, "no-endpoint", "nobody", EX + "r"))["type"] == "urn:agw:problem:no-endpoint"
    assert {mapper.get("status_code") for mapper in local_replies()["mappers"]} == {None, 502}


def test_what_no_word_of_envoy_says_is_reported() -> None:
    bound = Timeout(EX + "t", 1.0, deadline_header="x-deadline")
    slow = route("r", "/x", upstream=SERVICE.iri, hedging=Hedging(EX + "h"), timeout=bound)
    made = context(slow)
    Routes(made)(RouteEntry(slow))
    assert {finding.subject for finding in made.findings if finding.code == "not-expressible"} == {EX + "h", EX + "t"}
    assert served(route("r", "/x", upstream=EX + "nobody"))[0]["direct_response"]["status"] == 503


def test_keys_are_named_and_never_read(tmp_path: Path) -> None:
    shown = Certificate(EX + "c", str(tmp_path / "c.pem"), "env:KEY", str(tmp_path / "ca.pem"))
    place = Endpoint(EX + "one", "10.0.0.1", 443, tls=True)
    service = Upstream(EX + "s", "s", (place,), UpstreamTls(shown, "ledger.example"))
    made = context(route("r", "/x", upstream=service.iri), upstreams=(service,))
    socket = upstream_tls(made, service, service.endpoints)
    assert socket is not None and socket["typed_config"]["sni"] == "ledger.example"
    assert secrets(made)[shown.iri]["tls_certificate"]["private_key"] == {"environment_variable": "KEY"}
    assert trust_name(shown.iri) in secrets(made)


@pytest.mark.parametrize(("delta", "kind"), [(True, "DELTA_GRPC"), (False, "GRPC")])
def test_an_envoy_of_a_fleet_is_told_no_more_than_where_to_ask(delta: bool, kind: str, tmp_path: Path) -> None:
    plane = ControlPlane("agw.internal", 18000, tmp_path / "ca.pem")
    made = dynamic_bootstrap(plane, node="edge-1", admin=None, delta=delta)
    assert made["dynamic_resources"]["ads_config"]["api_type"] == kind
    (cluster_,) = made["static_resources"]["clusters"]
    assert cluster_["type"] == "STRICT_DNS" and "transport_socket" in cluster_


def test_listeners_are_called_by_their_address() -> None:
    assert listener_name(Listener(EX + "l", 8443, "127.0.0.1")) == "listener-127.0.0.1-8443"
    assert early_fields([]) == {"x-agw-path": "%PATH(NQ)%/"}
