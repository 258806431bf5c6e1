"""The audit log from triples to the model."""

from __future__ import annotations

from pathlib import Path

from api_gateway_service_mesh.model import AuditedKind
from api_gateway_service_mesh.projection.audit import AuditRow
from tests.support.configuration import assembled, mesh_of

assert AuditRow
GATEWAY = "ex:g a agw:ApiGateway ; agw:hasAuditLog ex:a . "


def test_what_is_stated_and_what_is_not() -> None:
    log = mesh_of(GATEWAY + 'ex:a a agw:AuditLog ; agw:auditFile "x/a.jsonl" .').audit
    assert log is not None and Path(log.file).is_absolute() and log.file.endswith("x/a.jsonl")
    assert log.kinds == tuple(AuditedKind) and log.allowed_percent == 100.0
    log = mesh_of(
        GATEWAY
        + """ex:a a agw:AuditLog ; agw:auditFile "a.jsonl" ; agw:auditedDecision "change", "authorization" ;
        agw:auditAllowedPercent 2.5 ; agw:auditMaximumBytes 70000 ."""
    ).audit
    assert log is not None and set(log.kinds) == {AuditedKind.CHANGE, AuditedKind.AUTHORIZATION}
    assert (log.allowed_percent, log.maximum_bytes) == (2.5, 70000)


def test_a_file_outside_is_refused() -> None:
    found = assembled(GATEWAY + 'ex:a a agw:AuditLog ; agw:auditFile "../../a.jsonl" .').findings
    assert [finding.code for finding in found] == ["file-outside-folder"]
