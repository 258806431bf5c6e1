"""What each target can say of the ontology, as ``ontology/target.ttl`` states it: the table feature × target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from pyoxigraph import NamedNode

from api_gateway_service_mesh.vocabulary import AGW, RDFS

from .ontology import agw_ontology
from .terms import Term, lexical

__all__ = ["Capabilities", "Level", "Note", "capabilities"]


class Level(StrEnum):
    """How well a target says something."""

    FULL = "yes"
    PART = "part"
    NONE = "no"


@dataclass(frozen=True, slots=True)
class Note:
    """Why a target cannot say a term (or one value of it), or how it says it otherwise."""

    level: Level
    text: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """One target. ``levels`` by term; a term that stands nowhere is taken for one that it cannot say.

    ``whole``: it carries the configuration itself, so that there is nothing to lose. ``notes`` by term, and by the
    value or the class of the ontology that they are about ("" for all).
    """

    name: str
    title: str
    whole: bool
    levels: Mapping[str, Level] = field(repr=False)
    notes: Mapping[tuple[str, str], Note] = field(repr=False)

    def level(self, term: str | None, value: str = "", kind: str = "") -> Level:
        """How well the target says `term` with `value`, of a thing of class `kind`."""
        if self.whole:
            return Level.FULL
        if term is None:
            return Level.NONE
        note = self._special(term, value, kind)
        return note.level if note is not None else self.levels.get(term, Level.NONE)

    def note(self, term: str | None, value: str = "", kind: str = "") -> Note | None:
        """What is to be said about it."""
        if term is None:
            return None
        return self._special(term, value, kind) or self.notes.get((term, ""))

    def _special(self, term: str, value: str, kind: str) -> Note | None:
        found = (self.notes.get((term, about)) for about in (value, kind) if about)
        return next((note for note in found if note is not None), None)


_PROPERTIES = {AGW.supports: Level.FULL, AGW.supportsPartly: Level.PART, AGW.lacks: Level.NONE}


@cache
def capabilities() -> Mapping[str, Capabilities]:
    """All targets by name, in the order of their names."""
    index = agw_ontology().index
    targets: dict[str, Capabilities] = {}
    for subject in index.instances(NamedNode(AGW.RenderTarget)):
        if not isinstance(subject, NamedNode):
            continue
        levels: dict[str, Level] = {}
        for name, level in _PROPERTIES.items():
            levels |= {lexical(term): level for term in index.values(subject, NamedNode(name))}
        name = _text(subject, RDFS.label)
        whole = _text(subject, AGW.carriesConfiguration) == "true"
        targets[name] = Capabilities(name, _text(subject, RDFS.comment), whole, levels, _notes(subject, levels))
    return dict(sorted(targets.items()))


def _notes(target: NamedNode, levels: Mapping[str, Level]) -> dict[tuple[str, str], Note]:
    index = agw_ontology().index
    notes: dict[tuple[str, str], Note] = {}
    for node in index.values(target, NamedNode(AGW.hasCapabilityNote)):
        term, level = _text(node, AGW.aboutTerm), _text(node, AGW.capabilityLevel)
        note = Note(
            Level(level) if level else levels.get(term, Level.NONE),
            _text(node, RDFS.comment),
            _text(node, AGW.capabilityRemedy) or None,
        )
        about = [*index.values(node, NamedNode(AGW.aboutValue)), *index.values(node, NamedNode(AGW.aboutClass))]
        notes |= {(term, lexical(value)): note for value in about} if about else {(term, ""): note}
    return notes


def _text(subject: Term, predicate: str) -> str:
    value = agw_ontology().index.value(subject, NamedNode(predicate))
    return "" if value is None else lexical(value)
