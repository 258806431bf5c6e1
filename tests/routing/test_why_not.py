"""The edit that is told makes the route win; the reasons are those of the order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.model import Route
from api_gateway_service_mesh.routing import ExplainRequest, compile_table
from api_gateway_service_mesh.routing.why_not import edited, render_why_not, why_not, why_not_json
from tests.support.routes import EX, Request, header, mesh, requests, route, route_sets


@settings(max_examples=150, deadline=None)
@given(route_sets(max_size=6), requests(), st.integers(0, 5))
def test_with_the_edit_the_route_wins(routes: tuple[Route, ...], asked: Request, number: int) -> None:
    table = compile_table(mesh(*routes))
    wanted = routes[number % len(routes)].iri
    found = why_not(table, ExplainRequest(asked.method, asked.host, asked.path, asked.query, asked.fields), wanted)
    key = (asked.host, asked.method, asked.path, asked.query, asked.fields)
    now = table.find(*key)
    assert (found.steps == ()) == (now is not None and now.route.iri == wanted)
    then = edited(table, found).find(*key)
    assert then is not None
    assert then.route.iri == wanted


SHOP = mesh(
    route("users", "/users/{id}", methods=("GET",)),
    route("me", "/users/me"),
    route("beta", "/users/{id}", headers=(header("x-beta", "1"),)),
)


def told(method: str, path: str, wanted: str) -> dict[str, object]:
    return why_not_json(why_not(compile_table(SHOP), ExplainRequest(method, "a.example", path), EX + wanted))


def test_which_predicate_failed_and_what_would_do() -> None:
    found = told("POST", "/users/7", "users")
    assert found["failed"] == [{"predicate": "method", "wanted": "GET", "got": "POST"}]
    assert found["edit"] == ["let it state the method POST"]
    assert found["example"] == "GET http://example.com/users/1"
    beta = told("GET", "/users/7", "beta")
    assert beta["failed"] == [{"predicate": "header x-beta", "wanted": "= '1'", "got": None}]
    assert beta["beaten_by"] == [{"route": "ex:users", "why": "it states the method"}]


def test_which_route_comes_first_and_why() -> None:
    found = told("GET", "/users/me", "users")
    assert found["failed"] == []
    assert found["beaten_by"] == [{"route": "ex:me", "why": "its path is more specific"}]
    assert found["edit"] == ["give it the host a.example"]
    assert 'agw:hostname "a.example"' in str(found["update"])


def test_a_route_that_wins_and_one_that_is_not_there() -> None:
    table, request = compile_table(SHOP), ExplainRequest("GET", "a", "/users/me")
    assert render_why_not(why_not(table, request, EX + "me")) == "ex:me takes this request\n"
    assert "The smallest edit" in render_why_not(why_not(table, request, EX + "beta"))
    with pytest.raises(KeyError):
        why_not(table, request, EX + "nobody")
