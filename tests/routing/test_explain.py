"""An explanation agrees with the table, and cites exactly the triples that the decision hangs on."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings

from api_gateway_service_mesh.errors import ConfigError, Location
from api_gateway_service_mesh.model import (
    ApiKey,
    Authentication,
    Breaker,
    Endpoint,
    JwtAuthentication,
    KeyKind,
    PathKind,
    PathMatch,
    RateLimit,
    RequestKey,
    Retry,
    Route,
    SplitTarget,
    Timeout,
    Upstream,
)
from api_gateway_service_mesh.routing import (
    ExplainRequest,
    compile_table,
    explain,
    explanation_json,
    render_explanation,
)
from api_gateway_service_mesh.vocabulary import NAMESPACE
from tests.support.routes import EX, Request, header, mesh, parameter, requests, route, route_sets


def asked(request: Request) -> ExplainRequest:
    return ExplainRequest(request.method, request.host, request.path, request.query, request.fields)


@settings(max_examples=50)
@given(route_sets(), requests())
def test_the_winner_is_what_the_table_finds(routes, request_: Request) -> None:
    table = compile_table(mesh(*routes))
    told = explain(table, asked(request_))
    found = table.find(request_.host, request_.method, request_.path, request_.query, request_.fields)
    assert told.winner is found
    if found is not None:
        assert told.status is None
        assert told.candidates[0].entry is found
        assert all(verdict.held for verdict in told.candidates[0].verdicts)
    else:
        assert told.status in (404, 405)
        assert not any(candidate.held for candidate in told.candidates)
    for candidate in told.candidates:
        assert candidate.held == all(verdict.held for verdict in candidate.verdicts)


def _deletions(r: Route):
    """Each triple of a match, and the route without it (None: the configuration is refused)."""
    match = r.match
    for host in match.hosts:
        yield (r.iri, "hostname", host), replace(match, hosts=tuple(h for h in match.hosts if h != host))
    for method in match.methods:
        yield (r.iri, "httpMethod", method), replace(match, methods=tuple(m for m in match.methods if m != method))
    for field in match.headers:
        yield (
            (r.iri, "matchesHeader", field.iri),
            replace(match, headers=tuple(h for h in match.headers if h is not field)),
        )
    for field in match.query:
        kept = tuple(q for q in match.query if q is not field)
        yield (r.iri, "matchesQueryParameter", field.iri), replace(match, query=kept)
    if match.priority:
        yield (r.iri, "priority", str(match.priority)), replace(match, priority=0)
    if match.path.kind is PathKind.REGULAR_EXPRESSION:
        text = match.path.text
        kind = PathKind.PREFIX if text.endswith("/*") else PathKind.EXACT
        yield (
            (r.iri, "pathMatchType", "RegularExpression"),
            replace(match, path=PathMatch(kind, text.removesuffix("/*"))),
        )


@settings(max_examples=60)
@given(route_sets(max_size=5), requests())
def test_deleting_a_cited_triple_changes_the_decision_and_deleting_another_does_not(routes, request_: Request) -> None:
    routes = tuple(_with_own_fields(r) for r in routes)
    told = explain(compile_table(mesh(*routes)), asked(request_))
    before = told.winner.route.iri if told.winner else (told.status, told.allow)
    cited = {(c.subject, c.predicate.removeprefix(NAMESPACE), c.object) for c in told.citations}
    for r in routes:
        for triple, match in _deletions(r):
            changed = tuple(replace(other, match=match) if other is r else other for other in routes)
            try:
                then = explain(compile_table(mesh(*changed)), asked(request_))
                after = then.winner.route.iri if then.winner else (then.status, then.allow)
            except ConfigError:
                after = "refused"
            if told.winner is not None or after != "refused":
                assert (triple in cited) == (before != after and not (after == "refused" and r.iri != before)), triple


def _with_own_fields(r: Route) -> Route:
    """Header and query predicates get an IRI of their own, as in a graph."""
    headers = tuple(replace(h, iri=f"{r.iri}-h{i}") for i, h in enumerate(r.match.headers))
    query = tuple(replace(q, iri=f"{r.iri}-q{i}") for i, q in enumerate(r.match.query))
    return replace(r, match=replace(r.match, headers=headers, query=query))


def shop():
    users = Upstream(EX + "users", "ex:users", (Endpoint(EX + "users", "users", 8080),))
    one = Upstream(
        EX + "v1",
        "ex:v1",
        (Endpoint(EX + "v1a", "10.0.0.1", 80), Endpoint(EX + "v1b", "::1", 443, tls=True, weight=3)),
    )
    two = Upstream(EX + "v2", "ex:v2")
    return mesh(
        route(
            "users",
            "/users/{id}",
            methods=("GET",),
            upstream=EX + "users",
            rate_limits=(RateLimit(EX + "limit", 200, 200),),
            breaker=Breaker(EX + "breaker", 3, 30.0),
            timeout=Timeout(EX + "timeout", 5.0),
            retry=Retry(EX + "retry", 3),
        ),
        route("me", "/users/me", methods=("GET",), headers=(header("x-beta", "1"),), upstream=EX + "users"),
        route(
            "canary",
            "/products/*",
            splits=(SplitTarget(EX + "s1", EX + "v1", 90), SplitTarget(EX + "s2", EX + "v2", 10)),
        ),
        route("search", "/search", query=(parameter("q", "", "Present"),)),
        upstreams=(users, one, two),
    )


def test_an_explanation_for_people() -> None:
    def locate(subject: str, predicate: str | None, value: str | None) -> Location | None:
        stated = {("users", "routePath", "/users/{id}"): 4, ("breaker", "failureThreshold", "3"): 9}
        key = (subject.removeprefix(EX), (predicate or "").removeprefix(NAMESPACE), value)
        line = stated.get(key)  # type: ignore[arg-type]
        return Location("shop.ttl", line) if line else None

    told = explain(compile_table(shop()), ExplainRequest("GET", "h", "/users/me", "", {"X-Other": "1"}))
    assert (
        render_explanation(told, locate)
        == """\
GET http://h/users/me
→ ex:users <https://example.org/users>
  it is the only route that holds for this request

What it does
  rate limit       200 requests/s, burst 200
  circuit breaker  opens after 3 failures in a row, for 30 s, then 1 probe
  timeout          5 s in all
  retry            up to 3 more, on connect-failure, gateway-error, reset, timeout; at most 20 % of the requests or 3/s
  upstream         ex:users
  endpoint         http://users:8080

Candidates
  ✔ ex:users
      ✔ path (Template) /users/{id}
      ✔ method GET
  ✘ ex:me
      ✔ path (Exact) /users/me
      ✔ method GET
      ✘ header x-beta = '1', got nothing

Because of
  <https://example.org/users> a agw:Route
  <https://example.org/users> agw:routePath "/users/{id}"  shop.ttl:4:1
  <https://example.org/me> agw:matchesHeader <https://example.org/header-x-beta-1>
  <https://example.org/header-x-beta-1> agw:headerName "x-beta"
  <https://example.org/header-x-beta-1> agw:headerValue "1"
  <https://example.org/users> agw:hasRateLimiter <https://example.org/limit>
  <https://example.org/limit> agw:requestsPerSecond "200"
  <https://example.org/users> agw:hasCircuitBreaker <https://example.org/breaker>
  <https://example.org/breaker> agw:failureThreshold "3"  shop.ttl:9:1
  <https://example.org/users> agw:hasTimeout <https://example.org/timeout>
  <https://example.org/timeout> agw:timeoutSeconds "5"
  <https://example.org/users> agw:hasRetryPolicy <https://example.org/retry>
  <https://example.org/retry> agw:retryAttempts "3"
  <https://example.org/users> agw:hasBackendService <https://example.org/users>
  <https://example.org/users> agw:address "users:8080"
"""
    )


def test_why_the_winner_beat_the_next() -> None:
    told = explain(compile_table(shop()), ExplainRequest("GET", "h", "/users/me", "", {"X-Beta": "1"}))
    assert told.winner and told.winner.route.name == "ex:me"
    assert told.why == "before ex:users: its path is more specific"


def test_a_split_names_its_targets_and_endpoints() -> None:
    told = explain(compile_table(shop()), ExplainRequest("POST", "h", "/products/7"))
    assert [(part.name, part.text) for part in told.parts] == [
        ("traffic split", "90 % to ex:v1"),
        ("upstream", "ex:v1"),
        ("endpoint", "http://10.0.0.1:80"),
        ("endpoint", "https://[::1]:443, weight 3"),
        ("traffic split", "10 % to ex:v2"),
        ("upstream", "ex:v2: no endpoint, answers 503"),
    ]


def test_404_and_405() -> None:
    table = compile_table(shop())
    told = explain(table, ExplainRequest("DELETE", "h", "/users/7"))
    assert (told.status, told.allow) == (405, ("GET", "HEAD"))
    assert "→ 405 Method Not Allowed; Allow: GET, HEAD" in render_explanation(told)
    cited = [(c.subject, c.predicate.rpartition("#")[2], c.object) for c in told.citations]
    assert cited == [
        (EX + "users", "type", NAMESPACE + "Route"),  # without these two it would be a 404
        (EX + "users", "routePath", "/users/{id}"),
        (EX + "users", "httpMethod", "GET"),
    ]
    told = explain(table, ExplainRequest("GET", "h", "/search"))
    assert (told.status, told.allow) == (404, ())
    assert "✘ query q is present, got nothing" in render_explanation(told)
    told = explain(table, ExplainRequest("GET", "h", "/Users/7"))
    assert told.status == 404


def test_near_is_what_a_person_may_have_meant() -> None:
    table = compile_table(mesh(route("u", "/v1/users/{id}"), route("p", "/v1/products/*"), route("o", "/orders")))

    def near(path: str) -> list[str]:
        return [c.entry.route.name for c in explain(table, ExplainRequest("GET", "h", path)).candidates]

    assert near("/v1/users/7/x") == near("/V1/users/{ID}") == near("/v1/users") == near("/v1/user/7") == ["ex:u"]
    assert near("/v1/product/7/8") == ["ex:p"]
    assert near("/order") == ["ex:o"]
    assert near("/") == near("/v2") == near("/v1/things/7") == []


def test_candidates_are_bounded() -> None:
    table = compile_table(mesh(*(route(f"r{i:02}", "/a", methods=(f"M{i}",)) for i in range(100))))
    told = explain(table, ExplainRequest("GET", "h", "/a"))
    assert len(told.candidates) == 20
    assert told.omitted == 80


def test_json_has_the_same_facts() -> None:
    told = explain(compile_table(shop()), ExplainRequest("GET", "h", "/users/7", "a=b"))
    data = explanation_json(told, lambda s, p, o: Location("shop.ttl", 1) if p == NAMESPACE + "routePath" else None)
    assert data["winner"] == {"iri": EX + "users", "name": "ex:users", "index": 2}
    assert data["status"] is None
    assert {
        "subject": EX + "users",
        "predicate": NAMESPACE + "routePath",
        "object": "/users/{id}",
        "location": {"file": "shop.ttl", "line": 1, "column": 1},
    } in data["citations"]  # type: ignore[operator]


def test_a_hostile_name_cannot_draw_on_the_terminal() -> None:
    table = compile_table(mesh(replace(route("a", "/"), name="ex:\x1b[31m\nGET")))
    assert "\x1b" not in render_explanation(explain(table, ExplainRequest("GET", "h", "/")))


def test_who_may_call_is_told_between_the_limits_and_no_hash_with_it() -> None:
    jwt = JwtAuthentication(EX + "jwt", "https://id/", ("shop",), "https://id/keys", required_scopes=("read",))
    demand = Authentication(EX + "gateway", (jwt,), (ApiKey(EX + "key", ("ab" * 32,), owner="acme"),))
    by_address = RateLimit(EX + "address", 5, 5, (RequestKey(KeyKind.CLIENT_ADDRESS),))
    by_caller = RateLimit(EX + "caller", 5, 5, (RequestKey(KeyKind.CLAIM, "sub"),))
    table = compile_table(mesh(replace(route("r", "/a"), authentication=demand, rate_limits=(by_caller, by_address))))
    told = explain(table, ExplainRequest("GET", "h", "/a", "", {}))
    text = render_explanation(told)
    assert text.index("each client-address") < text.index("a token of https://id/ for shop, scope read")
    assert text.index("the key of acme in X-API-Key") < text.index("each claim:sub")
    assert "ab" * 32 not in text + str(explanation_json(told))
    cited = {(one.subject, one.predicate.removeprefix(NAMESPACE), one.object) for one in told.citations}
    assert (EX + "gateway", "hasAuthentication", EX + "jwt") in cited
    assert (EX + "jwt", "requiredScope", "read") in cited
