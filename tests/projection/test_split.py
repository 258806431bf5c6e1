from __future__ import annotations

from api_gateway_service_mesh.errors import Severity
from api_gateway_service_mesh.model import SplitTarget
from tests.support.configuration import AGW, EX, assembled, mesh_of, only_finding

SERVICES = 'ex:s a agw:BackendService ; agw:address "s:80" . ex:t a agw:BackendService ; agw:address "t:80" .\n'
ROUTE = 'ex:r a agw:Route ; agw:routePath "/" ; agw:hasTrafficSplit ex:a, ex:b .\n'


def test_splits() -> None:
    (route,) = mesh_of(
        SERVICES
        + ROUTE
        + """
        ex:a a agw:CanaryDeployment ; agw:weight 10 ; agw:targetService ex:t .
        ex:b a agw:TrafficSplit ; agw:weight 90 ; agw:targetService ex:s ."""
    ).routes
    assert route.splits == (SplitTarget(EX + "a", EX + "t", 10), SplitTarget(EX + "b", EX + "s", 90))


def test_weights_that_do_not_sum_are_shown_added_up() -> None:
    finding = only_finding(
        assembled(
            SERVICES
            + ROUTE
            + """
        ex:a a agw:TrafficSplit ; agw:weight 10 ; agw:targetService ex:t .
        ex:b a agw:TrafficSplit ; agw:weight 80 ; agw:targetService ex:s ."""
        )
    )
    assert finding.code == "weights-do-not-sum"
    assert "make 90 (a 10 + b 80), not 100" in finding.message
    assert finding.location and finding.location.line == 3


def test_a_split_of_the_published_vocabulary_without_target_shares_nothing_out() -> None:
    found = assembled(
        SERVICES
        + """ex:r a agw:Route ; agw:routePath "/" ; agw:hasBackendService ex:s ;
        agw:hasTrafficSplit [ a agw:CanaryDeployment ; agw:weight 10 ] ."""
    )
    finding = only_finding(found)
    assert (finding.code, finding.severity) == ("split-without-target", Severity.WARNING)
    assert finding.predicate == AGW + "targetService"  # where the shape says the same, and is heard instead
    assert found.mesh.routes[0].splits == ()
    assert found.mesh.routes[0].upstream == EX + "s"
