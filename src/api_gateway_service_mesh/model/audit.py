"""What is recorded so that nobody can change it unseen (``agw:AuditLog``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["AuditLog", "AuditedKind"]


class AuditedKind(StrEnum):
    """``agw:auditedDecision``."""

    AUTHENTICATION = "authentication"
    AUTHORIZATION = "authorization"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class AuditLog:
    """``file`` is an absolute path. Of the requests that are let through, ``allowed_percent`` are recorded; of what is
    refused, all. A file of ``maximum_bytes`` is put aside, and the chain goes on in a new one."""

    iri: str
    file: str
    kinds: tuple[AuditedKind, ...] = (AuditedKind.AUTHENTICATION, AuditedKind.AUTHORIZATION, AuditedKind.CHANGE)
    allowed_percent: float = 100.0
    maximum_bytes: int = 64 * 1024 * 1024
