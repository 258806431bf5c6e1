from __future__ import annotations

from tests.support.configuration import assembled, only_finding

TEXT = """
ex:s a agw:BackendService ; agw:address "s:80" .
ex:r a agw:Route ; agw:routePath "/" ; agw:hasBackendService ex:s ; agw:hasFaultInjection ex:f .
ex:f a agw:FaultInjection ; agw:delayDuration "PT6M"^^xsd:dayTimeDuration .
"""


def test_a_delay_is_bounded() -> None:
    finding = only_finding(assembled(TEXT))
    assert (finding.code, finding.allowed) == ("delay-too-long", "at most 5 minutes")
