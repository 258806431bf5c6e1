"""A change of host and path on the way to the backend (``agw:Rewrite``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Rewrite"]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """``full_path``, ``prefix`` (which takes the place of the route's) and ``pattern`` (RE2, with ``substitution``)
    exclude each other."""

    iri: str
    host: str | None = None
    full_path: str | None = None
    prefix: str | None = None
    pattern: str | None = None
    substitution: str = ""
