"""What answers tell browsers to be careful about (``agw:SecurityHeaders``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SecurityHeaders"]


@dataclass(frozen=True, slots=True)
class SecurityHeaders:
    """``transport_seconds``: of Strict-Transport-Security. ``content`` None: no Content-Security-Policy is set.
    ``sets``: as ``Name: value``; ``removes``: names in lower case."""

    iri: str
    transport_seconds: int = 365 * 86400
    subdomains: bool = False
    content: str | None = None
    referrer: str = "strict-origin-when-cross-origin"
    frames: str = "DENY"
    sets: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
