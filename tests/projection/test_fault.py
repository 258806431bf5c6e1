from __future__ import annotations

from api_gateway_service_mesh.model import Fault
from tests.support.configuration import EX, assembled, mesh_of, only_finding

TEXT = """
ex:s a agw:BackendService ; agw:address "s:80" .
ex:r a agw:Route ; agw:routePath "/" ; agw:hasBackendService ex:s ; agw:hasFaultInjection ex:f .
ex:f a agw:FaultInjection ; agw:delayDuration "PT6M"^^xsd:dayTimeDuration .
"""


def test_a_delay_is_bounded() -> None:
    finding = only_finding(assembled(TEXT))
    assert (finding.code, finding.allowed) == ("delay-too-long", "at most 5 minutes")


def test_what_breaks_connections_and_answers() -> None:
    (route,) = mesh_of("""ex:r a agw:Route ; agw:routePath "/" ; agw:hasFaultInjection ex:f .
        ex:f a agw:FaultInjection ; agw:resetPercent 1.5 ; agw:truncatePercent 2 ; agw:truncateAfterBytes 100 .""").routes
    assert route.faults == (Fault(EX + "f", reset_percent=1.5, truncate_percent=2.0, truncate_bytes=100),)
