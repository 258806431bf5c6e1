from __future__ import annotations

import pytest

from api_gateway_service_mesh.model import DeadlineTrust, Timeout
from tests.support.configuration import EX, assembled, mesh_of

ROUTE = 'ex:r a agw:Route ; agw:routePath "/" ; agw:hasTimeout ex:t . '


@pytest.mark.parametrize(
    ("stated", "timeout"),
    [
        ("", Timeout(EX + "t")),
        ("; agw:timeoutSeconds 5", Timeout(EX + "t", 5.0)),
        ('; agw:timeoutDuration "PT1M0.5S"^^xsd:dayTimeDuration', Timeout(EX + "t", 60.5)),
        (
            '; agw:deadlineHeader "Grpc-Timeout" ; agw:deadlineTrust "anyone"',
            Timeout(EX + "t", None, None, "grpc-timeout", DeadlineTrust.ANYONE),
        ),
        ('; agw:streamIdleTimeout "PT1H"^^xsd:dayTimeDuration', Timeout(EX + "t", idle_seconds=3600.0)),
        ('; agw:perAttemptTimeout "PT1S"^^xsd:dayTimeDuration', Timeout(EX + "t", None, 1.0)),
    ],
)
def test_timeouts(stated: str, timeout: Timeout) -> None:
    (route,) = mesh_of(ROUTE + f"ex:t a agw:Timeout {stated} .").routes
    assert route.timeout == timeout


def test_months_are_refused() -> None:
    found = assembled(ROUTE + 'ex:t a agw:Timeout ; agw:perAttemptTimeout "P1M"^^xsd:duration .')
    (finding,) = (finding for finding in found.findings if finding.code == "invalid-value")
    assert "years and months have no fixed length" in finding.message
