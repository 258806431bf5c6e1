"""Versions of an API (``agw:ApiVersion``), and how they are withdrawn (``agw:DeprecationPolicy``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ApiVersion", "Deprecation", "VersionedBy"]


class VersionedBy(StrEnum):
    """What tells versions apart."""

    PATH = "PATH"
    HEADER = "HEADER"
    QUERY = "QUERY"
    MEDIA_TYPE = "MEDIA_TYPE"


@dataclass(frozen=True, slots=True)
class ApiVersion:
    """A version that is not told apart by path. ``field``: the header field in lower case, the query parameter, or the
    media type with ``{version}``. ``is_default``: requests that name none mean it."""

    iri: str
    name: str
    by: VersionedBy
    field: str
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Deprecation:
    """``deprecated_at`` and ``sunset_at``: seconds since 1970. ``refuses``: requests are refused from the sunset on.
    ``successor``, ``page``: URIs. ``segments``: of the path, what stands for the version, and what for its
    successor."""

    iri: str
    deprecated_at: float | None = None
    sunset_at: float | None = None
    refuses: bool = False
    successor: str | None = None
    page: str | None = None
    segments: tuple[str, str] | None = None
