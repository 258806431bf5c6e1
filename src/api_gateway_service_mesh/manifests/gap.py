"""What a target cannot say, or says otherwise: findings for the rendering's report."""

from __future__ import annotations

from api_gateway_service_mesh.errors import Finding, Severity

__all__ = ["LOSS", "differs", "lost"]

#: The code of findings about what is missing from the manifests.
LOSS = "not-expressible"


def lost(subject: str, predicate: str | None, message: str, remedy: str | None = None) -> Finding:
    """A warning: something of the configuration has no counterpart and is missing from the manifests."""
    return Finding(
        code=LOSS,
        message=message,
        severity=Severity.WARNING,
        subject=subject,
        predicate=predicate,
        remedy=remedy,
    )


def differs(subject: str, predicate: str | None, message: str, remedy: str | None = None) -> Finding:
    """A note: it is there, but works otherwise than in agw, or needs something besides the manifests."""
    return Finding(
        code="expressed-differently",
        message=message,
        severity=Severity.INFO,
        subject=subject,
        predicate=predicate,
        remedy=remedy,
    )
