"""One part of a decision, and the triples that carry it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api_gateway_service_mesh.vocabulary import NAMESPACE

__all__ = ["Citation", "Part", "cite", "number", "unless_default"]


@dataclass(frozen=True, slots=True)
class Citation:
    """A triple: subject and predicate as full IRIs, the object as an IRI or a literal's text."""

    subject: str
    predicate: str
    object: str


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the decision: its name (``rate limit``), the IRI of the thing that decides, what it comes to."""

    name: str
    iri: str
    text: str
    citations: tuple[Citation, ...] = ()


def number(value: float) -> str:
    """A number as people write it: 5, 0.5."""
    return f"{value:g}" if value != int(value) else str(int(value))


def cite(subject: str, term: str, value: str) -> Citation:
    """The triple that states `term` of agw's vocabulary."""
    return Citation(subject, NAMESPACE + term, value)


def unless_default(subject: str, stated: Iterable[tuple[str, float | None, float | None]]) -> list[Citation]:
    """The triples of those terms whose value is another than its default."""
    return [
        cite(subject, term, number(value)) for term, value, default in stated if value is not None and value != default
    ]
