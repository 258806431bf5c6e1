from __future__ import annotations

from api_gateway_service_mesh.model import Canary, CanaryStep
from tests.support.configuration import EX, assembled, mesh_of, only_finding

TEXT = """
ex:s a agw:BackendService ; agw:address "s:80" . ex:t a agw:BackendService ; agw:address "t:80" .
ex:r a agw:Route ; agw:routePath "/" ; agw:hasTrafficSplit ex:a , ex:b .
ex:a a agw:TrafficSplit ; agw:weight 100 ; agw:targetService ex:s .
ex:b a agw:CanaryDeployment ; agw:targetService ex:t ; agw:hasCanaryStep ex:two , ex:one ; agw:maximumErrorRate 0.02 ;
    agw:maximumErrorIncrease 0.01 ; agw:maximumLatency "PT0.5S"^^xsd:dayTimeDuration ; agw:maximumLatencyRatio 1.5 ;
    agw:latencyPercentile 99 ; agw:minimumStepRequests 7 ; agw:paused true ; agw:rolloutName "v2" .
ex:one a agw:CanaryStep ; agw:stepWeight 5 .
ex:two a agw:CanaryStep ; agw:stepWeight %s ; agw:stepDuration "PT10M"^^xsd:dayTimeDuration .
"""


def test_steps_come_in_the_order_of_their_weights() -> None:
    (route,) = mesh_of(TEXT % 25).routes
    steps = (CanaryStep(EX + "one", 5, 60.0), CanaryStep(EX + "two", 25, 600.0))
    assert route.splits[1].canary == Canary(EX + "b", steps, 7, 0.02, 0.01, 0.5, 1.5, 99, True, "v2")
    assert [split.weight for split in route.splits] == [100, 0]


def test_two_steps_alike_have_no_order() -> None:
    finding = only_finding(assembled(TEXT % 5))
    assert finding.code == "canary-steps-alike"
    assert "two steps of weight 5" in finding.message
