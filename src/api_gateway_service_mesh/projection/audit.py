"""The audit log of a gateway (``agw:AuditLog``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from api_gateway_service_mesh.model import AuditedKind, AuditLog
from api_gateway_service_mesh.vocabulary import AGW

from .file import written_file
from .reading import Reading

__all__ = ["AuditRow", "audit_logs"]


@dataclass(frozen=True, slots=True)
class AuditRow:
    """``audit.rq``."""

    gateway: str
    audit: str
    file: str | None
    decision: str | None
    allowed_percent: str | None
    maximum_bytes: str | None


def audit_logs(rows: Iterable[AuditRow], reading: Reading) -> Mapping[str, AuditLog]:
    """The audit log of each gateway, by its IRI."""
    found: dict[str, AuditLog] = {}
    for row in rows:
        iri, made = row.audit, found.get(row.gateway)
        if made is None:
            if row.file is None:  # which the shapes see to
                continue
            standard = AuditLog(iri, "")
            made = AuditLog(
                iri,
                written_file(iri, AGW.auditFile, row.file, reading),
                (),
                reading.number(iri, AGW.auditAllowedPercent, row.allowed_percent, standard.allowed_percent),
                reading.integer(iri, AGW.auditMaximumBytes, row.maximum_bytes, standard.maximum_bytes),
            )
        if row.decision is not None and made.iri == iri:
            kind = reading.choice(iri, AGW.auditedDecision, row.decision, AuditedKind, AuditedKind.CHANGE)
            made = replace(made, kinds=tuple(sorted({*made.kinds, kind})))
        found[row.gateway] = made
    standard = AuditLog("", "")
    return {gateway: log if log.kinds else replace(log, kinds=standard.kinds) for gateway, log in found.items()}
