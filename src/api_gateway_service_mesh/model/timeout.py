"""How long a request may take (``agw:Timeout``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["DeadlineTrust", "Timeout"]


class DeadlineTrust(StrEnum):
    """``agw:deadlineTrust``: whose deadline header is believed."""

    TRUSTED_PROXIES = "trusted-proxies"
    ANYONE = "anyone"


@dataclass(frozen=True, slots=True)
class Timeout:
    """``total_seconds`` from the request's head to the response's head, retries included; ``per_attempt_seconds`` for
    each try. None: no such bound. An upgraded connection (WebSocket) is bound only until it is upgraded.
    ``idle_seconds``: how long nothing may move, before the answer and within it; None: five minutes.

    ``deadline_header`` (lower case) is the field in which callers whom ``deadline_trust`` names say how long they wait,
    and in which backends are told what is left."""

    iri: str
    total_seconds: float | None = None
    per_attempt_seconds: float | None = None
    deadline_header: str | None = None
    deadline_trust: DeadlineTrust = DeadlineTrust.TRUSTED_PROXIES
    idle_seconds: float | None = None
