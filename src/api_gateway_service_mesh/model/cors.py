"""Which pages of other origins may call (``agw:CorsPolicy``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Cors"]


@dataclass(frozen=True, slots=True)
class Cors:
    """``origins``: in lower case; exact, ``scheme://*.domain``, or ``*`` alone. ``methods`` empty: those of the route.
    ``headers`` and ``exposed``: names in lower case, or ``*``. ``max_age_seconds`` None: browsers decide."""

    iri: str
    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    credentials: bool = False
    max_age_seconds: int | None = None
