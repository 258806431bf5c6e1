"""References to secrets, as a sticky cookie's key states one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.configuration import assembled, mesh_of, only_finding

ROUTE = """ex:r a agw:Route ; agw:routePath "/r" ; agw:hasBackendService ex:s ; agw:hasLoadBalancer ex:b .
    ex:s a agw:BackendService ; agw:address "s:1" .
    ex:b a agw:LoadBalancer ; agw:stickyCookie "at" ; agw:stickyCookieKeyRef """


def test_a_file_is_found_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("x")
    balancer = mesh_of(f'{ROUTE} "file:key" .', base_dir=tmp_path).routes[0].balancer
    assert balancer is not None
    assert balancer.sticky is not None
    assert balancer.sticky.key_ref == f"file:{tmp_path}/key"


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("hunter2", "literal-secret"),
        ("env:", "literal-secret"),
        ("env:AGW_TEST_NO_SUCH", "secret-missing"),
        ("file:none", "secret-missing"),
        ("file:../key", "file-outside-folder"),
    ],
)
def test_what_cannot_be_had_is_told_without_what_was_written(reference: str, code: str, tmp_path: Path) -> None:
    finding = only_finding(assembled(f'{ROUTE} "{reference}" .', base_dir=tmp_path))
    assert finding.code == code
    assert "hunter2" not in str(finding)
