"""Who may change which statements (``agw:ChangeRight``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from api_gateway_service_mesh.model import ChangeRight
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["ChangeRightRow", "change_rights"]


@dataclass(frozen=True, slots=True)
class ChangeRightRow:
    """``change_right.rq``."""

    right: str
    property: str
    value: str


def change_rights(rows: Iterable[ChangeRightRow], reading: Reading) -> tuple[ChangeRight, ...]:
    """The rights, by IRI."""
    stated: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        stated[row.right][row.property].append(row.value)
    found = []
    for iri in sorted(stated):
        values = stated[iri]
        lists = (AGW.grantedTo, AGW.onSubject, AGW.onClass, AGW.onProperty)
        to, subjects, classes, properties = (tuple(sorted(values.get(term, ()))) for term in lists)
        granting = values.get(AGW.mayGrant)
        may_grant = reading.boolean(iri, AGW.mayGrant, granting[0] if granting else None)
        found.append(ChangeRight(iri, to, subjects, classes, properties, may_grant))
    return tuple(found)
