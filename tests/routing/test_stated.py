"""Citations in the graph's own spelling."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh import ApiGateway
from tests.support.configuration import HEAD

TEXT = f"""{HEAD}
ex:r a agw:Route ; agw:routePath "/a" ; agw:hostname "API.Example.com" , "b.example" ; agw:hasBackendService ex:s ;
    agw:hasTimeout ex:t ; agw:hasCircuitBreaker ex:b ; agw:hasRateLimiter ex:l .
ex:l a agw:RateLimiter ; agw:requestsPerSecond "050"^^xsd:int ; agw:limitKey "header:X-Tenant" .
ex:b a agw:CircuitBreaker ; agw:failureThreshold 7 ; agw:openDuration "PT1M"^^xsd:dayTimeDuration .
ex:t a agw:Timeout ; agw:timeoutDuration "PT2.50S"^^xsd:dayTimeDuration ;
    agw:perAttemptTimeout "PT1.0S"^^xsd:dayTimeDuration .
ex:s a agw:BackendService ; agw:address "http://127.0.0.1:9000" .
"""


@pytest.mark.parametrize("host", ["api.example.com", "b.example"])
def test_every_cited_triple_is_in_the_graph(host: str) -> None:
    gateway = ApiGateway.from_turtle(TEXT)
    stated = {(str(s), str(p), str(o)) for s, p, o in gateway.graph}
    cited = {(c.subject, c.predicate, c.object) for c in gateway.explain("GET", f"http://{host}/a").citations}
    assert len(cited) > 10
    assert cited <= stated
