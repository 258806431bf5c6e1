from __future__ import annotations

from api_gateway_service_mesh.errors import Severity
from tests.support.configuration import assembled, only_finding

TEXT = """
ex:s a agw:BackendService ; agw:address "s:80" .
ex:r a agw:Route ; agw:routePath "/" ; agw:hasBackendService ex:s ; agw:hasTrafficMirroring ex:m .
ex:m a agw:TrafficMirroring .
"""


def test_a_mirror_without_target_copies_nothing() -> None:
    found = assembled(TEXT)
    finding = only_finding(found)
    assert (finding.code, finding.severity) == ("mirror-without-target", Severity.WARNING)
    assert found.mesh.routes[0].mirrors == ()
