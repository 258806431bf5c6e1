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


def test_one_side_of_blue_and_green_is_active() -> None:
    sides = """
        ex:a a agw:BlueGreenDeployment ; agw:active {} ; agw:targetService ex:t .
        ex:b a agw:BlueGreenDeployment ; agw:active true ; agw:targetService ex:s ."""
    (route,) = mesh_of(SERVICES + ROUTE + sides.format("false")).routes
    assert [(split.weight, split.active) for split in route.splits] == [(0, False), (100, True)]
    finding = only_finding(assembled(SERVICES + ROUTE + sides.format("true")))
    assert (finding.code, finding.message.split(":")[1].split(",")[0]) == (
        "not-one-active",
        " 2 of its 2 blue-green deployments are active",
    )


def test_keys_and_cookies_keep_callers_apart() -> None:
    text = SERVICES + 'ex:r a agw:Route ; agw:routePath "/" ; agw:hasBackendService ex:s ; '
    (route,) = mesh_of(text + 'agw:splitKey "header:X-User" .').routes
    assert (str(route.split_key), route.split_cookie) == ("header:x-user", None)
    (route,) = mesh_of(text + 'agw:splitCookie "side" .').routes
    assert (route.split_key, route.split_cookie) == (None, "side")


def test_a_route_delivers_one_canary_at_a_time() -> None:
    step = "agw:hasCanaryStep [ a agw:CanaryStep ; agw:stepWeight 10 ]"
    finding = only_finding(
        assembled(
            SERVICES
            + f"""ex:r a agw:Route ; agw:routePath "/" ; agw:hasTrafficSplit ex:a , ex:b , ex:c .
        ex:a a agw:TrafficSplit ; agw:weight 100 ; agw:targetService ex:s .
        ex:b a agw:CanaryDeployment ; agw:targetService ex:t ; {step} .
        ex:c a agw:CanaryDeployment ; agw:targetService ex:t ; {step} ."""
        )
    )
    assert finding.code == "several-canaries"
