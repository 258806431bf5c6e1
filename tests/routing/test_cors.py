"""What a CORS policy says, and whose policy it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.model import Cors
from api_gateway_service_mesh.routing import ExplainRequest, compile_table, explain
from api_gateway_service_mesh.routing.cors import CorsRules, cors_part, routed
from api_gateway_service_mesh.routing.outcome import Outcome, outcome
from tests.support.gateway import mesh_of, route

CORS = Cors("urn:c", ("http://localhost:3000", "https://*.a.example", "https://b.example"), headers=("x-a",))


@pytest.mark.parametrize(
    ("origin", "admitted"),
    [
        ("https://b.example", True),
        ("https://x.a.example", True),
        ("https://x.y.a.example", True),
        ("http://localhost:3000", True),
        ("https://a.example", False),
        ("http://x.a.example", False),
        ("https://x.a.example:8443", False),
        ("https://xa.example", False),
        ("https://b.example.evil.example", False),
        ("https://evil.example/.a.example", False),
        ("https://evil.example:1@x.a.example", False),
        ("https://.a.example", False),
        ("https://b.example, https://b.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_origins(origin: str, admitted: bool) -> None:
    assert CorsRules(CORS).admits(origin) is admitted


@given(st.text(alphabet="abc.:/@-*", max_size=12))
def test_below_a_domain_are_only_its_names(between: str) -> None:
    admitted = CorsRules(CORS).admits(f"https://{between}a.example")
    labels = between.split(".")
    named = labels[-1] == "" and all(label and set(label) <= set("abc-") for label in labels[:-1]) and len(labels) > 1
    assert admitted is named


def test_methods_and_fields() -> None:
    rules = CorsRules(CORS, ("GET", "PUT"))
    assert rules.objection("https://b.example", "PUT", "") is None
    assert rules.objection("https://b.example", "PUT", " X-A ,x-a") is None
    assert rules.objection("https://b.example", "DELETE", "") == "pages may call this with GET, PUT, not with DELETE"
    assert rules.objection("https://b.example", "PUT", "x-b") == "pages may not send the header field x-b here"
    assert rules.objection("https://c.example", "PUT", "") == "pages of https://c.example may not call this"
    assert CorsRules(CORS).methods == ("GET", "HEAD", "POST")
    anything = CorsRules(replace(CORS, origins=("*",), headers=("*",)))
    assert anything.objection("null", "GET", "x-anything") is None
    assert anything.objection("null", "GET", "authorization") is not None


def test_a_preflight_is_for_the_route_of_its_request() -> None:
    def taking(name: str, *methods: str, cors: Cors | None = None):  # type: ignore[no-untyped-def]
        made = route("/x=", name, cors=cors)
        return replace(made, match=replace(made.match, methods=methods))

    put, any_method = taking("put", "PUT", cors=CORS), taking("any", cors=replace(CORS, iri="urn:other"))
    delete = taking("delete", "DELETE")
    table = compile_table(mesh_of((put, any_method, delete)))
    fields = {"origin": "https://b.example", "access-control-request-method": "PUT"}

    def taken(fields: dict[str, str], method: str = "OPTIONS") -> str | None:
        entry = routed(table, "a", method, "/x", "", fields)
        return None if entry is None else entry.route.name

    assert taken(fields) == "put"
    assert taken(fields | {"access-control-request-method": "GET"}) == "any"
    assert taken(fields | {"access-control-request-method": "DELETE"}) is None
    assert taken({"origin": "https://b.example"}) == "any"
    assert taken(fields, "PUT") == "put"
    told = explain(table, ExplainRequest("OPTIONS", "a", "/x", "", fields))
    assert told.winner is not None
    assert told.winner.route.name == "put"
    assert told.parts[0].text.endswith("; answers the preflight 204")
    for asked, wanted in (("x-a", Outcome(put.iri, 204)), ("x-b", Outcome(put.iri, 403, "cors-refused"))):
        request = ExplainRequest("OPTIONS", "a", "/x", "", fields | {"access-control-request-headers": asked})
        got = outcome(table, request, lambda *_: (401, "no"), scheme="https", authority="a", client=None)
        assert got == wanted


def test_explain_says_who_may_call() -> None:
    whole = Cors("urn:c", ("https://b.example",), ("GET",), ("x-a",), ("etag",), True, 60)
    part = cors_part(route("/x", cors=whole), whole, None)
    assert part.text == "pages of https://b.example, with GET, sending x-a, reading etag, with credentials"
    assert [citation.object for citation in part.citations] == [
        "urn:c", "https://b.example", "GET", "x-a", "etag", "true",
    ]  # fmt: skip
    request = ExplainRequest("GET", "a", "/x", "", {"origin": "https://c.example"})
    assert "no page of https://c.example gets to see" in cors_part(route("/x", cors=whole), whole, request).text
