"""When the gateway itself has too much to do (``agw:OverloadGuard``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OverloadGuard"]


@dataclass(frozen=True, slots=True)
class OverloadGuard:
    """What is too much. ``memory_share`` is of the memory that the process may have; None: not judged."""

    iri: str
    loop_lag_seconds: float = 0.1
    memory_share: float = 0.9
    active_requests: int | None = None
    client_connections: int | None = None
