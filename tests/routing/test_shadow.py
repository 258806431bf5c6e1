"""Dead and tied routes: what is reported is true, and what is dead for a plain reason is reported."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings

from api_gateway_service_mesh.errors import Finding, Severity
from api_gateway_service_mesh.routing import compile_table
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


def findings(*routes) -> list[tuple[str, str]]:
    return [(f.code, (f.subject or "").rpartition("/")[2]) for f in compile_table(mesh(*routes)).findings]


def only(*routes) -> Finding:
    (finding,) = compile_table(mesh(*routes)).findings
    assert finding.severity is Severity.WARNING
    assert finding.remedy
    return finding


@settings(max_examples=60)
@given(route_sets(), requests())
def test_a_route_reported_dead_never_answers(routes, request_: Request) -> None:
    table = compile_table(mesh(*routes))
    dead = {f.subject for f in table.findings if f.code in ("shadowed-route", "unsatisfiable-route")}
    dead |= {f.subject for f in table.findings if f.code == "tied-routes" and "never does" in f.message}
    winner = oracle(routes, request_)
    assert winner is None or winner.iri not in dead


def test_what_is_reported_is_true_in_many_random_tables() -> None:
    rng = random.Random(11)
    reported = 0
    for _ in range(400):
        routes = random_routes(rng, 12)
        table = compile_table(mesh(*routes))
        dead = {f.subject for f in table.findings if f.code != "tied-routes" or "never does" in f.message}
        reported += len(dead)
        for _ in range(20):
            winner = oracle(routes, random_request(rng))
            assert winner is None or winner.iri not in dead
    assert reported > 100


def test_tied_routes_name_a_witness() -> None:
    finding = only(route("a", "/x/{id}", methods=("GET",)), route("b", "/x/{name}", methods=("GET",)))
    assert finding.code == "tied-routes"
    assert finding.subject == "https://example.org/b"
    assert "GET http://example.com/x/1 → ex:a answers, ex:b never does" in finding.message


def test_a_tie_on_one_host_of_several_is_a_tie_but_not_dead() -> None:
    finding = only(route("a", "/", hosts=("x.org", "y.org")), route("b", "/", hosts=("y.org", "z.org")))
    assert finding.code == "tied-routes"
    assert "GET http://y.org/ → ex:a answers, ex:b does not" in finding.message


def test_priority_settles_a_tie_and_leaves_the_other_dead() -> None:
    finding = only(route("a", "/"), route("b", "/", priority=1))
    assert finding.code == "shadowed-route"
    assert "GET http://example.com/ → ex:b answers, ex:a never does" in finding.message


def test_different_headers_or_methods_are_no_tie() -> None:
    assert not findings(route("a", "/", headers=(header("x", "1"),)), route("b", "/", headers=(header("x", "2"),)))
    assert not findings(route("a", "/", methods=("GET",)), route("b", "/", methods=("POST",)), route("c", "/"))
    assert not findings(route("a", "/"), route("b", "/", query=(parameter("p", "1"),)))


@pytest.mark.parametrize(
    "routes",
    [
        # two routes together take every method of the third
        (
            route("a", "/", methods=("GET",)),
            route("b", "/", methods=("POST",)),
            route("z", "/", methods=("GET", "POST"), priority=-1),
        ),
        # a present header is weaker than a certain value of it
        (
            route("a", "/", headers=(header("x", "", "Present"),), priority=1),
            route("z", "/", headers=(header("x", "1"),)),
        ),
        # a prefix of everything leaves nothing for an expression
        (route("a", "/*"), route("z", "/a/.*", "RegularExpression", headers=(header("x", "1"),))),
        (route("a", "/api/*"), route("z", "/api/v[0-9]+/x", "RegularExpression", methods=("GET",))),
        (route("a", "/{x}/*", "Prefix"), route("z", "/api/v[0-9]+/x", "RegularExpression")),
        (route("a", "/a.b"), route("z", r"^/a\.b$", "RegularExpression")),
    ],
)
def test_shadowed(routes) -> None:
    assert findings(*routes) == [("shadowed-route", "z")]
    assert " → ex:" in compile_table(mesh(*routes)).findings[0].message


@pytest.mark.parametrize(
    "routes",
    [
        (route("a", "/api/*"), route("z", "/api.*", "RegularExpression")),
        (route("a", "/api/*"), route("z", "/api/x|/b", "RegularExpression")),
        (route("a", "/a/*"), route("z", "/a/?b", "RegularExpression")),
        (route("a", "/*", methods=("GET",)), route("z", "/a.*", "RegularExpression")),
        (route("a", "/api/*", hosts=("x.org",)), route("z", "/api/v[0-9]", "RegularExpression")),
    ],
)
def test_not_shadowed(routes) -> None:
    assert findings(*routes) == []


def test_contradicting_predicates() -> None:
    both = (header("x", "1"), header("x", "2"))
    assert only(route("a", "/", headers=both)).code == "unsatisfiable-route"
    odd = (parameter("p", "a"), parameter("p", "[0-9]", "RegularExpression"))
    assert "cannot be 'a' and match '[0-9]'" in only(route("a", "/", query=odd)).message


def test_a_witness_carries_the_headers_and_parameters_it_needs() -> None:
    asked = {
        "headers": (header("x-tenant", "[a-c]{2}(one|two)", "RegularExpression"),),
        "query": (parameter("v", "a b"),),
    }
    finding = only(route("a", "/", **asked), route("b", "/", **asked))
    assert "GET http://example.com/?v=a+b with x-tenant: aaone → ex:a answers" in finding.message


def test_comparing_routes_takes_time_in_proportion_to_their_number() -> None:
    def seconds(count: int) -> float:
        routes = [route(f"r{i}", f"/api/v{i % (count // 2)}/{{id}}") for i in range(count)]  # each tied with another
        table = compile_table(mesh(*routes))
        start = time.process_time()
        assert len(table.findings) == count // 2
        return time.process_time() - start

    few, many = (min(seconds(count) for _ in range(3)) for count in (1_000, 8_000))
    assert many < few * 8 * 3  # every route with every other would be 64 times as much


def test_the_prefix_of_everything_covers_every_expression() -> None:
    """A path begins with a slash (RFC 9110 §4.1), whatever the expression would take besides."""
    assert findings(route("a", "/*"), route("z", ".*", "RegularExpression")) == [("shadowed-route", "z")]
