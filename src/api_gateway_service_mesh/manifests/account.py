"""The account of what a target does with each thing that a configuration states: said, said otherwise, or lost.

The table of capabilities (``ontology/target.ttl``) is what decides. A renderer that knows more of a case says so
itself; what it said is not said again. A feature that the table does not know counts as lost, so nothing is dropped in
silence.
"""

from __future__ import annotations

from collections.abc import Iterable

from api_gateway_service_mesh.errors import Finding
from api_gateway_service_mesh.graph.capability import Capabilities, Level
from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.vocabulary import NAMESPACE

from .gap import LOSS, differs, lost
from .stated import Stated, stated, text_of

__all__ = ["account"]


def account(mesh: Mesh, target: Capabilities, said: Iterable[Finding]) -> list[Finding]:
    """What of `mesh` the `target` cannot say, or says otherwise, beside what `said` says already."""
    if target.whole:
        return []
    found: list[Finding] = []
    told = {(finding.subject, finding.predicate) for finding in said}
    gone = {(finding.subject, finding.predicate) for finding in said if finding.code == LOSS}
    for one in stated(mesh):
        level = target.level(one.term, text_of(one.value), one.kind)
        if level is Level.FULL or _heard(one, told) or _within(one, target, gone):
            continue
        note = target.note(one.term, text_of(one.value), one.kind)
        if level is Level.PART and note is None:
            continue  # it depends on the case: the renderer tells where it differs
        finding = _finding(one, target, level)
        told.add((one.subject, one.term))
        found.append(finding)
    return found


def _heard(one: Stated, told: set[tuple[str | None, str | None]]) -> bool:
    """Whether this very thing was spoken of, at its own subject or at what holds it."""
    own = getattr(one.value, "iri", None)
    return any((subject, one.term) in told for subject in (own, one.subject, *one.holders[:-1]))


def _within(one: Stated, target: Capabilities, gone: set[tuple[str | None, str | None]]) -> bool:
    """Whether what it belongs to is lost as a whole, and said to be."""
    if any(target.level(term) is Level.NONE for term in one.above):
        return True
    return any((subject, term) in gone for subject in (one.subject, *one.holders[:-1]) for term in one.above)


def _finding(one: Stated, target: Capabilities, level: Level) -> Finding:
    value = text_of(one.value)
    note = target.note(one.term, value, one.kind)
    if note is not None:
        message, remedy = note.text, note.remedy
    else:
        what = f"agw:{one.term.removeprefix(NAMESPACE)}" if one.term else one.feature
        message, remedy = f"{target.name} cannot say {what}; it is left out", "keep agw in front"
    made = lost if level is Level.NONE else differs
    return made(one.subject, one.term, f"{one.name}: {message}", remedy)
