from __future__ import annotations

from api_gateway_service_mesh.errors import Severity
from tests.support.configuration import EX, assembled, mesh_of, only_finding

SERVICE = 'ex:s a agw:BackendService ; agw:address "s:80" .\n'


def test_predicates_and_targets() -> None:
    (route,) = mesh_of(
        SERVICE
        + """ex:r a agw:Route ; agw:routePath "/a" ; agw:httpMethod "post", "GET" ; agw:priority 7 ;
        agw:hostname "B.example.com.", "*.example.com" ; agw:hasBackendService ex:s ."""
    ).routes
    assert route.name == "r"
    assert route.upstream == EX + "s"
    assert route.match.methods == ("GET", "POST")
    assert route.match.hosts == ("*.example.com", "b.example.com")
    assert route.match.priority == 7


def test_a_star_among_the_methods_is_any() -> None:
    (route,) = mesh_of('ex:r a agw:Route ; agw:routePath "/a" ; agw:httpMethod "GET", "*" .').routes
    assert route.match.methods == ()


def test_policies_may_be_shared_between_routes() -> None:
    first, second = mesh_of("""
        ex:a a agw:Route ; agw:routePath "/a" ; agw:hasRateLimiter ex:l ; agw:hasCircuitBreaker ex:c .
        ex:b a agw:Route ; agw:routePath "/b" ; agw:hasRateLimiter ex:l ; agw:hasCircuitBreaker ex:c .
        ex:l a agw:RateLimiter ; agw:requestsPerSecond 5 . ex:c a agw:CircuitBreaker .
    """).routes
    assert first.rate_limits[0] is second.rate_limits[0]
    assert first.breaker is second.breaker


def test_members_of_a_class_inherit_its_policies() -> None:
    (route,) = mesh_of("""
        ex:Payments rdfs:subClassOf agw:Route ; agw:hasTimeout ex:t . ex:t a agw:Timeout ; agw:timeoutSeconds 2 .
        ex:r a ex:Payments ; agw:routePath "/pay" .
    """).routes
    assert route.timeout and route.timeout.total_seconds == 2.0


def test_no_target_is_a_warning_with_a_place() -> None:
    finding = only_finding(assembled('ex:r a agw:Route ; agw:routePath "/a" .'))
    assert (finding.code, finding.severity) == ("route-without-target", Severity.WARNING)
    assert finding.location and finding.location.line == 2


def test_a_service_without_address_is_a_warning() -> None:
    finding = only_finding(
        assembled('ex:r a agw:Route ; agw:routePath "/" ; agw:hasBackendService ex:s . ex:s a agw:BackendService .')
    )
    assert (finding.code, finding.severity) == ("service-without-address", Severity.WARNING)


def test_a_dangling_backend_is_refused_at_its_line() -> None:
    finding = only_finding(
        assembled(SERVICE + 'ex:r a agw:Route ;\n agw:routePath "/a" ;\n agw:hasBackendService ex:t .')
    )
    assert finding.code == "dangling-reference"
    assert finding.location and finding.location.line == 5
    assert finding.suggestion == f"<{EX}s>"
