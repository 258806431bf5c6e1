"""One request put to one route, predicate by predicate."""

from __future__ import annotations

from hypothesis import given, settings

from api_gateway_service_mesh.routing.decision import ExplainRequest, reason, rung, verdicts
from api_gateway_service_mesh.routing.entry import RouteEntry
from tests.support.routes import Request, header, oracle, parameter, requests, route, route_sets


@settings(max_examples=60)
@given(route_sets(max_size=1), requests())
def test_all_verdicts_hold_exactly_when_the_route_holds(routes, asked: Request) -> None:
    request = ExplainRequest(asked.method, asked.host, asked.path, asked.query, asked.fields)
    entry = RouteEntry(routes[0])
    holds = oracle(routes, asked) is not None
    assert all(verdict.held for verdict in verdicts(entry, request)) is holds
    assert (rung(entry, request) is not None) is holds


def test_verdicts_say_what_was_wanted_and_what_came() -> None:
    r = route(
        "r",
        "/a/*",
        hosts=("x.org", "*.y.org"),
        methods=("GET",),
        headers=(header("h", "[0-9]", "RegularExpression"),),
        query=(parameter("q", "1"),),
    )
    request = ExplainRequest("POST", "z.org", "/b", "q=2", {"H": "x"})
    assert [(v.predicate, v.wanted, v.got, v.held) for v in verdicts(RouteEntry(r), request)] == [
        ("host", "x.org or *.y.org", "z.org", False),
        ("path (Prefix)", "/a/*", "/b", False),
        ("method", "GET", "POST", False),
        ("header h", "~ '[0-9]'", "x", False),
        ("query q", "= '1'", "2", False),
    ]


def test_the_reason_is_the_first_element_that_differs() -> None:
    request = ExplainRequest("GET", "h", "/a")
    high, low = (rung(RouteEntry(route(n, "/a", priority=p)), request) for n, p in (("b", 1), ("a", 0)))
    assert high and low
    assert reason(high, low) == "its agw:priority is higher"
