"""The cases, in the order of the table of goals. Each module has ``ABOUT`` and ``run(bench) -> CaseResult``."""

from __future__ import annotations

__all__ = ["NAMES"]

NAMES = (
    "plain", "chain", "tls", "routes", "latency", "caching", "bodies", "stream", "idle", "http2", "websocket", "events",
    "decisions", "tracing", "workers", "hostile",
)  # fmt: skip
