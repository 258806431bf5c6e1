"""What a configuration states, field by field of the model: each thing that a target has to say or report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import Enum
from typing import Any

from api_gateway_service_mesh.model import Mesh

from .feature import CLASSES, FEATURES, IDENTITY, STRUCTURE

__all__ = ["Stated", "stated", "text_of"]


@dataclass(frozen=True, slots=True)
class Stated:
    """A field that says something else than its default, or has none.

    ``subject`` is the IRI of the thing it belongs to (or the nearest above it that has one), ``holders`` the IRIs of
    all above, nearest first; ``above`` the terms of the fields on the way down. ``name`` is what people call the
    nearest route, service or gateway.
    """

    feature: str
    term: str | None
    subject: str
    holders: tuple[str, ...]
    above: tuple[str, ...]
    name: str
    value: object
    kind: str = ""
    """The ontology's class of the thing, where that matters."""


def stated(mesh: Mesh) -> Iterator[Stated]:
    """Everything that `mesh` states, each feature after the one that holds it."""
    yield from _walk(mesh, mesh.iri, (), (), mesh.name)


def _walk(thing: Any, subject: str, holders: tuple[str, ...], above: tuple[str, ...], name: str) -> Iterator[Stated]:
    kind = type(thing).__name__
    iri = getattr(thing, "iri", "") or subject
    if iri != subject:
        holders = (subject, *holders)
    name = getattr(thing, "name", "") or name if kind in ("Route", "Upstream", "Mesh") else name
    for field in fields(thing):
        value = getattr(thing, field.name)
        feature = f"{kind}.{field.name}"
        if field.name in IDENTITY or feature in IDENTITY:
            continue
        term = FEATURES.get(feature)
        listed = value if isinstance(value, tuple) else (value,)
        held = [item for item in listed if is_dataclass(item)]
        if feature not in STRUCTURE and not _is_default(field, value):
            plain = tuple(item for item in listed if not is_dataclass(item))
            for item in plain or (value,):
                yield Stated(feature, term, iri, holders, above, name, item, CLASSES.get(kind, ""))
        for item in held:
            yield from _walk(item, iri, holders, above if term is None else (*above, term), name)


def _is_default(field: Field[Any], value: object) -> bool:
    if value is None or value == () or value == frozenset():
        return True
    if field.default is MISSING:
        return field.default_factory is not MISSING and value == field.default_factory()
    return bool(value == field.default)


def text_of(value: object) -> str:
    """A value as the table of capabilities writes it."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
