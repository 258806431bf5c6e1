"""How long a request may take (``agw:Timeout``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Timeout"]


@dataclass(frozen=True, slots=True)
class Timeout:
    """``total_seconds`` from the request's head to the response's head, retries included; ``per_attempt_seconds`` for
    each try. None: no such bound. An upgraded connection (WebSocket) is bound only until it is upgraded."""

    iri: str
    total_seconds: float | None = None
    per_attempt_seconds: float | None = None
