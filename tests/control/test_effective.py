"""Every policy of a route, the way it came, and what it overrode."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.control.build import Build, build
from api_gateway_service_mesh.control.effective import effective, render_effective, route_named
from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.routing import ExplainRequest
from tests.support.turtle import configuration

TEXT = configuration("""\
ex:gateway a agw:ApiGateway ; agw:hasTimeout ex:slow ; agw:hasRetryPolicy ex:again ; agw:hasRateLimiter ex:total .
ex:Payments rdfs:subClassOf agw:Route ; agw:hasTimeout ex:quick ; agw:withoutPolicy agw:hasRetryPolicy .
ex:pay a ex:Payments ; agw:routePath "/pay" ; agw:hostname "shop.test" ; agw:hasBackendService ex:cards .
ex:shop a agw:VirtualService ; agw:hostname "shop.test" ; agw:hasTimeout ex:middling .
ex:slow a agw:Timeout ; agw:timeoutSeconds 60 .
ex:quick a agw:Timeout ; agw:timeoutSeconds 2 .
ex:middling a agw:Timeout ; agw:timeoutSeconds 10 .
ex:again a agw:RetryPolicy ; agw:retryAttempts 2 .
ex:total a agw:RateLimiter ; agw:requestsPerSecond 1000 .
ex:Guarded rdfs:subClassOf agw:BackendService ; agw:hasConnectionPool [ a agw:ConnectionPool ; agw:maxConnections 9 ] .
ex:cards a ex:Guarded ; agw:address "cards:8080" .
""")
EX = "https://example.com/"


def _build() -> Build:
    return build(SourceGraph.parse(TEXT, "shop.ttl"))


def test_the_whole_list_for_people() -> None:
    made = _build()
    assert (
        render_effective(effective(made, EX + "pay"), made)
        == """\
route ex:pay
  agw:hasBackendService: ex:cards
    by route ex:pay (shop.ttl:9:96)
  agw:hasRateLimiter: ex:total
    by gateway ex:gateway (shop.ttl:7:105)
  agw:hasRetryPolicy: none: declined
    by class ex:Payments: declines it (shop.ttl:8:85)
    overrides gateway ex:gateway: ex:again (shop.ttl:7:75)
  agw:hasTimeout: ex:quick
    by class ex:Payments (shop.ttl:8:56)
    overrides virtual service ex:shop: ex:middling (shop.ttl:10:74)
    overrides gateway ex:gateway: ex:slow (shop.ttl:7:46)

service ex:cards
  agw:hasConnectionPool: (without a name)
    by class ex:Guarded (shop.ttl:16:71)
"""
    )


@pytest.mark.parametrize("name", [EX + "pay", f"<{EX}pay>", "ex:pay", "pay"])
def test_a_route_is_named_as_people_name_it(name: str) -> None:
    assert route_named(_build(), name) == EX + "pay"


def test_a_misspelt_route_is_told_its_neighbour() -> None:
    with pytest.raises(ClientError) as refused:
        route_named(_build(), "ex:pays")
    assert refused.value.remedy == "did you mean ex:pay?"


def test_what_a_route_inherits_is_cited_where_it_is_stated() -> None:
    found = _build().explain(ExplainRequest("GET", "shop.test", "/pay", "", {}))
    cited = {(citation.subject, citation.object) for citation in found.citations}
    assert {(EX + "Payments", EX + "quick"), (EX + "gateway", EX + "total")} <= cited
    assert (EX + "pay", EX + "quick") not in cited
