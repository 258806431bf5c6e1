"""Callers who show a key (``agw:ApiKey``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ApiKey"]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One caller. ``hashes`` are SHA-256 digests of the keys that are accepted, in 64 lower-case hexadecimal digits
    each; no key ever stands in the model. ``header`` is lower case. ``expires`` is in seconds since 1970 (UTC);
    ``scopes`` are what the caller may do."""

    iri: str
    hashes: tuple[str, ...]
    header: str = "x-api-key"
    query_parameter: str | None = None
    owner: str | None = None
    expires: float | None = None
    scopes: tuple[str, ...] = ()
