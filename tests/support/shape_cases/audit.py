"""The audit log."""

from __future__ import annotations

from .case import Case, integer, right, warned, wrong

LOGGED = "ex:gateway agw:hasAuditLog ex:audit . ex:audit a agw:AuditLog"
LOG = f'{LOGGED} ; agw:auditFile "audit/gateway.jsonl"'

AUDIT: list[Case] = [
    *right(
        "AuditLog",
        f"{LOG} .",
        f'{LOG} ; agw:auditedDecision "change" , "authorization" ; agw:auditAllowedPercent 0.5 .',
        f"{LOG} ; agw:auditAllowedPercent 100 .",
    ),
    *wrong(
        "AuditLog",
        (f"{LOGGED} .", "names no file"),
        ("ex:gateway agw:hasAuditLog ex:service .", "agw:hasAuditLog must point to one"),
        (
            f'{LOG} . ex:gateway agw:hasAuditLog ex:b . ex:b a agw:AuditLog ; agw:auditFile "b.jsonl" .',
            "must point to one",
        ),
        (f"ex:route agw:hasAuditLog ex:audit . {LOG} .", "nothing would be recorded"),
        (f'{LOGGED} ; agw:auditFile "/etc/passwd" .', "agw:auditFile must be"),
        (f'{LOGGED} ; agw:auditFile "../gateway.jsonl" .', "agw:auditFile must be"),
        (f'{LOGGED} ; agw:auditFile "gateway.ttl" .', "agw:auditFile must be"),
        (f'{LOG} , "b.jsonl" .', "agw:auditFile must be"),
        (f'{LOG} ; agw:auditedDecision "changes" .', "agw:auditedDecision must be"),
        (f"{LOG} ; agw:auditAllowedPercent 101 .", "agw:auditAllowedPercent must be"),
        (f"{LOG} ; agw:auditAllowedPercent -0.5 .", "agw:auditAllowedPercent must be"),
        ('ex:service agw:auditFile "a.jsonl" .', "belong to an agw:AuditLog"),
    ),
    *integer("auditMaximumBytes", LOG, 65536, 1073741824),
    *warned(
        "AuditLog",
        ("ex:audit a agw:AuditLog .", "nothing is recorded"),
        (f"{LOG} ; agw:recordedTotal 1 .", "agw:recordedTotal is live state"),
        (f"{LOG} ; agw:droppedTotal 1 .", "agw:droppedTotal is live state"),
        (f'{LOG} ; agw:chainHead "ab" .', "agw:chainHead is live state"),
    ),
]
