"""An answer that sends the client elsewhere (``agw:Redirect``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Redirect"]


@dataclass(frozen=True, slots=True)
class Redirect:
    """What is None stays as the client asked it; the query always does. ``full_path`` and ``prefix`` (which takes the
    place of the route's) exclude each other."""

    iri: str
    status: int = 302
    scheme: str | None = None
    host: str | None = None
    port: int | None = None
    full_path: str | None = None
    prefix: str | None = None
