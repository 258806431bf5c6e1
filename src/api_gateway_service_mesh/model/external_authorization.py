"""Services that are asked who may do what (``agw:ExternalAuthorization``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["AuthorizationFailureMode", "ExternalAuthorization"]


class AuthorizationFailureMode(StrEnum):
    """``agw:authorizationFailureMode``."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class ExternalAuthorization:
    """``upstream`` is the IRI of the service. ``sends`` and ``takes`` are names of header fields in lower case."""

    iri: str
    upstream: str
    failure_mode: AuthorizationFailureMode
    path_prefix: str = ""
    timeout_seconds: float = 0.2
    sends: tuple[str, ...] = ("authorization",)
    takes: tuple[str, ...] = ()
    passes_denial: bool = False
    lifetime_seconds: float | None = None
