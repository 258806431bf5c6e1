from __future__ import annotations

from tests.support.configuration import assembled, only_finding

TEXT = """
ex:s a agw:BackendService ; agw:address "s:80" .
ex:r a agw:Route ; agw:routePath "/" ; agw:hasBackendService ex:s ; agw:hasMaintenance ex:m .
ex:m a agw:MaintenanceMode ; agw:bypassAddress "10.0.0.1/8" .
"""


def test_a_block_has_no_host_bits() -> None:
    assert "has host bits set" in only_finding(assembled(TEXT)).message
