"""Rewrites (``agw:Rewrite``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import Rewrite

__all__ = ["RewriteRow", "rewrites"]


@dataclass(frozen=True, slots=True)
class RewriteRow:
    """``rewrite.rq``."""

    route: str
    rewrite: str
    host: str | None
    full_path: str | None
    prefix: str | None
    pattern: str | None
    substitution: str | None


def rewrites(rows: Iterable[RewriteRow]) -> Mapping[str, Rewrite]:
    """The rewrite of each route, by route IRI. Whether it fits the route is judged where the table is made."""
    found: dict[str, Rewrite] = {}
    for row in rows:
        host = row.host.lower() if row.host is not None else None
        made = Rewrite(row.rewrite, host, row.full_path, row.prefix, row.pattern, row.substitution or "")
        found.setdefault(row.route, made)
    return found
