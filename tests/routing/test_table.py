"""The table finds what a plain scan of all routes finds, whatever the order of the source."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.routing import RoutingTable, compile_table
from tests.support.routes import (
    Request,
    header,
    mesh,
    oracle,
    parameter,
    random_request,
    random_routes,
    requests,
    route,
    route_sets,
)

# Making many routes takes its time on a machine that is busy with other things, and says nothing of the table.
PATIENT = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


def find(table: RoutingTable, method: str, url: str, **headers: str) -> str | None:
    host, slash, rest = url.partition("/")
    path, _, query = (slash + rest).partition("?")
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    entry = table.find(host, method, path, query, fields)
    return entry.route.name.removeprefix("ex:") if entry else None


@settings(PATIENT, max_examples=60)
@given(route_sets(), st.lists(requests(), min_size=1, max_size=12))
def test_find_is_the_first_route_in_precedence_order_that_holds(routes, asked: list[Request]) -> None:
    table = compile_table(mesh(*routes))
    for request in asked:
        entry = table.find(request.host, request.method, request.path, request.query, request.fields)
        expected = oracle(routes, request)
        assert (entry.route.iri if entry else None) == (expected.iri if expected else None), request


def test_find_is_the_first_route_in_many_random_tables() -> None:
    rng = random.Random(8)
    for _ in range(1500):
        routes = random_routes(rng, rng.randint(1, 40))
        table = compile_table(mesh(*routes))
        for _ in range(8):
            asked = random_request(rng)
            entry = table.find(asked.host, asked.method, asked.path, asked.query, asked.fields)
            expected = oracle(routes, asked)
            assert (entry.route if entry else None) is expected, (routes, asked)


@settings(PATIENT, max_examples=40)
@given(route_sets(), st.randoms(use_true_random=False))
def test_shuffling_the_source_never_changes_the_table(routes, rng: random.Random) -> None:
    shuffled = list(routes)
    rng.shuffle(shuffled)
    one, other = compile_table(mesh(*routes)), compile_table(mesh(*shuffled))
    assert [entry.route for entry in one.entries] == [entry.route for entry in other.entries]
    assert [entry.index for entry in one.entries] == list(range(len(routes)))
    assert one.findings == other.findings


@settings(PATIENT, max_examples=40)
@given(route_sets(), requests())
def test_allow_names_exactly_the_methods_that_could_be_routed(routes, request_: Request) -> None:
    table = compile_table(mesh(*routes))
    allowed = table.allowed_methods(request_.host, request_.path)
    plain = tuple(r for r in routes if not r.match.headers and not r.match.query)
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
        asked = Request(method, request_.host, request_.path)
        if allowed and oracle(plain, asked):
            assert method in allowed
        if method in allowed:  # some route takes it, given the right headers and parameters
            lenient = tuple(_without_conditions(r) for r in routes)
            assert oracle(lenient, asked)


def _without_conditions(r):
    return replace(r, match=replace(r.match, headers=(), query=()))


def test_a_better_path_that_fails_on_a_predicate_gives_way_to_the_next() -> None:
    table = compile_table(
        mesh(
            route("exact", "/a/b", methods=("POST",), hosts=("shop.example.com",)),
            route("template", "/a/{x}", headers=(header("x-tenant", "1"),), hosts=("shop.example.com",)),
            route("prefix", "/a/*", query=(parameter("v", "2"),), hosts=("shop.example.com",)),
            route("expression", "/a/[a-z]", "RegularExpression", methods=("GET",), hosts=("*.example.com",)),
            route("all", "/*"),
        )
    )
    assert find(table, "POST", "shop.example.com/a/b") == "exact"
    assert find(table, "GET", "shop.example.com/a/b", x_tenant="1") == "template"
    assert find(table, "GET", "shop.example.com/a/b?v=2") == "prefix"
    assert find(table, "GET", "shop.example.com/a/b") == "expression"
    assert find(table, "PUT", "shop.example.com/a/b") == "all"
    assert find(table, "GET", "elsewhere/a/b") == "all"


def test_whole_segments_and_empty_ones() -> None:
    table = compile_table(mesh(route("p", "/a/*"), route("t", "/t/{id}")))
    assert find(table, "GET", "h/a") == find(table, "GET", "h/a/") == find(table, "GET", "h/a/b//c") == "p"
    assert find(table, "GET", "h/ab") is None
    assert find(table, "GET", "h/t/") is None
    assert find(table, "GET", "h/t/1/") is None
    assert find(table, "GET", "h/t/%2F") == "t"


def test_paths_are_compared_as_sent() -> None:
    table = compile_table(mesh(route("exact", "/A%20b"), route("any", "/é.*", "RegularExpression")))
    assert find(table, "GET", "h/A%20b") == "exact"
    assert find(table, "GET", "h/a%20b") is None
    assert find(table, "GET", "h/A b") is None
    raw = b"/\xff".decode("utf-8", "surrogateescape")
    assert table.find("h", "GET", raw, "", {}) is None


def test_head_follows_get_unless_a_route_states_it() -> None:
    table = compile_table(
        mesh(
            route("get", "/a", methods=("GET",)),
            route("any", "/a"),
            route("get-b", "/b", methods=("GET",), priority=9),
            route("head-b", "/b", methods=("HEAD",)),
        )
    )
    assert find(table, "HEAD", "h/a") == "get"
    assert find(table, "HEAD", "h/b") == "head-b"
    assert table.allowed_methods("h", "/b") == ("GET", "HEAD")
    assert table.allowed_methods("h", "/a") == ()
    assert table.allowed_methods("h", "/none") == ()


def test_hosts() -> None:
    table = compile_table(
        mesh(
            route("exact", "/", hosts=("A.Example.com.",)),
            route("long", "/", hosts=("*.b.example.com",)),
            route("short", "/", hosts=("*.example.com",)),
            route("any", "/"),
        )
    )
    assert find(table, "GET", "a.example.com/") == find(table, "GET", "a.example.com./") == "exact"
    assert find(table, "GET", "x.b.example.com/") == find(table, "GET", "x.y.b.example.com/") == "long"
    assert find(table, "GET", "b.example.com/") == "short"
    assert find(table, "GET", "example.com/") == find(table, "GET", "/") == "any"
    assert find(table, "GET", "." * 5000 + "example.com/") == "short"


def test_the_star_of_an_options_request_is_no_path_below_a_prefix() -> None:
    assert compile_table(mesh(route("all", "/*"))).find("h", "OPTIONS", "*", "", {}) is None


@pytest.mark.parametrize(
    ("bad", "code", "says"),
    [
        (route("r", "/a(", "RegularExpression"), "invalid-regular-expression", "missing )"),
        (route("r", "/a(?=b)", "RegularExpression"), "invalid-regular-expression", "RE2"),
        (route("r", "/{x}/{x}"), "duplicate-template-name", "{x} stands twice"),
        (route("r", "/v{x}"), "malformed-template", "'v{x}'"),
        (route("r", "/{x", "Template"), "malformed-template", "'{x'"),
        (route("r", "/{}/a"), "malformed-template", "'{}'"),
        (route("r", "/a/*/b", "Template"), "malformed-template", "'*'"),
        (route("r", "a"), "malformed-path", "begin with a slash"),
        (route("r", "/a?b=1"), "malformed-path", "a query"),
        (route("r", "/", hosts=("shop.example.com:8080",)), "malformed-hostname", "shop.example.com:8080"),
        (route("r", "/", hosts=("a.*.com",)), "malformed-hostname", "a.*.com"),
        (route("r", "/", headers=(header("x", "(", "RegularExpression"),)), "invalid-regular-expression", "header 'x'"),
        (route("r", "/", query=(parameter("x", "(", "RegularExpression"),)), "invalid-regular-expression", "'x'"),
    ],
)
def test_malformed_routes_are_refused_with_place_and_remedy(bad, code: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_table(mesh(route("good", "/good"), bad))
    (finding,) = caught.value.report.violations
    assert finding.code == code
    assert says in finding.message
    assert finding.subject and finding.predicate and finding.remedy


def test_a_path_that_clients_send_encoded_is_a_warning() -> None:
    table = compile_table(mesh(route("r", "/café")))
    (finding,) = table.findings
    assert finding.code == "unencoded-path"
    assert "/caf%C3%A9" in (finding.remedy or "")


def test_repr_is_a_status_line() -> None:
    table = compile_table(mesh(route("a", "/a"), route("b", "/b", hosts=("x.org",))))
    assert repr(table) == "<RoutingTable ex:gateway: 2 routes, 2 host groups>"
    assert repr(table.entries[0]) == "<RouteEntry 0 ex:b>"


def test_find_costs_the_same_in_a_large_table() -> None:
    def fastest(count: int) -> float:
        kinds = ("/api/exact%d", "/api/t%d/{id}", "/api/p%d/*")
        table = compile_table(mesh(*(route(f"r{i}", kinds[i % 3] % i) for i in range(count))))
        last = (count - 1) // 3 * 3
        best = 1.0
        for _ in range(5):
            start = time.perf_counter()
            for _ in range(2000):
                table.find("h", "GET", f"/api/exact{last}", "", {})
                table.find("h", "GET", f"/api/t{last - 2}/7", "", {})
                table.find("h", "GET", f"/api/p{last - 1}/x/y", "", {})
            best = min(best, time.perf_counter() - start)
        return best

    assert fastest(9001) < 4 * fastest(31)
