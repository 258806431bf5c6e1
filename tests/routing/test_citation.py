"""Citations: only triples whose deletion changes the outcome (the property test is in test_explain)."""

from __future__ import annotations

from api_gateway_service_mesh.routing import compile_table
from api_gateway_service_mesh.routing.citation import match_citations
from api_gateway_service_mesh.routing.decision import ExplainRequest
from api_gateway_service_mesh.vocabulary import NAMESPACE
from tests.support.routes import EX, mesh, route


def cited(method: str, path: str, *routes) -> set[tuple[str, str, str]]:
    table = compile_table(mesh(*routes))
    request = ExplainRequest(method, "h", path)
    winner = table.find("h", method, path, "", {})
    found = match_citations(table.entries, request, winner)
    return {
        (c.subject.removeprefix(EX), c.predicate.removeprefix(NAMESPACE), c.object) for c in found[1 if winner else 0 :]
    }


def test_a_method_that_changes_nothing_is_not_cited() -> None:
    assert cited("GET", "/a", route("a", "/a", methods=("GET",))) == {("a", "routePath", "/a")}


def test_a_method_that_keeps_the_lead_is_cited() -> None:
    found = cited("GET", "/a", route("b", "/a", methods=("GET",)), route("a", "/a"))
    assert found == {("b", "routePath", "/a"), ("b", "httpMethod", "GET")}


def test_what_alone_keeps_another_route_from_winning_is_cited() -> None:
    found = cited("GET", "/a/b", route("p", "/a/*"), route("x", "/a/b", hosts=("other.org",)))
    assert found == {("p", "routePath", "/a/*"), ("x", "hostname", "other.org")}


def test_the_kind_of_path_is_cited_where_the_text_alone_reads_otherwise() -> None:
    assert ("r", "pathMatchType", "RegularExpression") in cited("GET", "/ab", route("r", "/a.", "RegularExpression"))
    assert ("e", "pathMatchType", "Exact") in cited("GET", "/a/*", route("e", "/a/*", "Exact"), route("t", "/a/{x}"))
    assert ("r", "pathMatchType", "RegularExpression") in cited(
        "GET", "/a/b", route("r", "/a/{1}.*|.*", "RegularExpression")
    )
