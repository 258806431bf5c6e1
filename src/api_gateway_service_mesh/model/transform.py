"""What is changed on the way (``agw:RequestTransformation``, ``agw:ResponseTransformation``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RequestTransformation", "ResponseTransformation"]


@dataclass(frozen=True, slots=True)
class RequestTransformation:
    """In this order: ``copies`` (names, from and to), ``removes`` (names), ``sets`` and ``adds`` (names and values) of
    header fields; of the query ``removes_parameters``, ``sets_parameters`` and ``adds_parameters``, not encoded; of
    JSON bodies, by pointer, ``removes_members``, ``renames_members`` (to a name) and ``sets_members`` (to JSON). Names
    of fields are as they were written, but for those that are removed and copied, which are in lower case."""

    iri: str
    sets: tuple[tuple[str, str], ...] = ()
    adds: tuple[tuple[str, str], ...] = ()
    removes: tuple[str, ...] = ()
    copies: tuple[tuple[str, str], ...] = ()
    sets_parameters: tuple[tuple[str, str], ...] = ()
    adds_parameters: tuple[tuple[str, str], ...] = ()
    removes_parameters: tuple[str, ...] = ()
    removes_members: tuple[str, ...] = ()
    renames_members: tuple[tuple[str, str], ...] = ()
    sets_members: tuple[tuple[str, str], ...] = ()
    body_bytes: int = 1 << 20
    """Up to which size a body is changed; larger ones are refused."""
    expression: str | None = None
    """JMESPath: what it makes of a JSON body takes its place, once its members are changed."""
    template: str | None = None
    """JSON with places: what it comes to takes the body's place, last of all."""


@dataclass(frozen=True, slots=True)
class ResponseTransformation:
    """In this order: ``removes``, ``sets`` and ``adds``, and of JSON bodies the members, as of a request."""

    iri: str
    sets: tuple[tuple[str, str], ...] = ()
    adds: tuple[tuple[str, str], ...] = ()
    removes: tuple[str, ...] = ()
    removes_members: tuple[str, ...] = ()
    renames_members: tuple[tuple[str, str], ...] = ()
    sets_members: tuple[tuple[str, str], ...] = ()
    body_bytes: int = 1 << 20
    """Up to which size a body is changed."""
    passes_unchangeable: bool = False
    """What cannot be changed goes on as it is; otherwise it is refused."""
    expression: str | None = None
    """As of a request, for successes (2xx) alone."""
    template: str | None = None
    """Likewise."""
