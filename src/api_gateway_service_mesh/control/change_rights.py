"""Whether somebody may make a change: every statement that comes or goes must be covered by a right of theirs.

Rules of this module (``agw:ChangeRight`` says what a right is):

- The rights that count are those in force before the change; a change cannot grant itself.
- What a subject is, is what it was before; only of a subject that nothing was said of, what the change says.
- That a subject is a member of a class (``rdf:type``) is a statement about that class too: a right that names classes
  covers it for those classes alone.
- Statements about rights, and statements that make something one, take a right that may grant.
- A subject without a name of its own is judged by all that hold it, so nobody gains a thing by pointing at it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pyoxigraph import NamedNode, Triple

from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.graph.tbox import SUB_CLASS
from api_gateway_service_mesh.graph.terms import GENID, RDF_TYPE, lexical
from api_gateway_service_mesh.model import ChangeRight
from api_gateway_service_mesh.policies.authorization import pattern_holds
from api_gateway_service_mesh.vocabulary import AGW, NAMESPACE

if TYPE_CHECKING:
    from api_gateway_service_mesh.graph import InferredGraph

    from .audit import Audit
    from .build import Build
    from .delta import Delta
    from .history import Author

__all__ = ["RightMissing", "guard_change", "require_rights", "uncovered"]

_RIGHT = AGW.ChangeRight
_SHOWN = 5


class RightMissing(ClientError):
    """Somebody wants to change what is not theirs to change."""

    status = 403
    problem = "change-right-missing"


async def guard_change(before: Build, delta: Delta, author: Author, audit: Audit) -> None:
    """`require_rights` of the configuration in force; a refusal stands in the audit log.

    Raises:
        RightMissing: as `require_rights`.
    """
    try:
        await asyncio.to_thread(require_rights, before.mesh.change_rights, author.who, delta, before.inferred)
    except RightMissing as missing:
        audit.denied(author, missing.message, missing.remedy)
        raise


def require_rights(rights: Sequence[ChangeRight], who: str, delta: Delta, before: InferredGraph) -> None:
    """Let `who` make the change `delta` of the configuration `before`, if `rights` cover all of it.

    Raises:
        RightMissing: they do not; the message names statements (their subjects and properties, never their values).
    """
    if not rights:
        return
    missing = uncovered(rights, who, delta, before)
    if not missing:
        return
    shown = "; ".join(_said(triple, added) for triple, added in missing[:_SHOWN])
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    first = missing[0][0]
    kinds = sorted(_kinds(first, delta, before))
    granting = " ; agw:mayGrant true" if _RIGHT in kinds or first.object == NamedNode(_RIGHT) else ""
    about = f" ; agw:onClass {_short(kinds[0])}" if kinds else ""
    raise RightMissing(
        f"{who} has no right to make this change: {shown}{more}",
        remedy=f'it takes a right such as: [] a agw:ChangeRight ; agw:grantedTo "{who}" ; agw:onSubject '
        f'"{lexical(first.subject)}"{about} ; agw:onProperty {_short(first.predicate.value)}{granting} . Ask who may '
        "grant it",
    )


def uncovered(
    rights: Sequence[ChangeRight], who: str, delta: Delta, before: InferredGraph
) -> list[tuple[Triple, bool]]:
    """The statements of `delta` that no right of `who` covers, each with whether it is one that comes."""
    mine = [right for right in rights if any(pattern_holds(name, who) for name in right.granted_to)]
    holders = _Holders(delta, before)
    found = []
    for triples, added in ((delta.removed, False), (delta.added, True)):
        for triple in triples:
            kinds = _kinds(triple, delta, before)
            names = holders.names(lexical(triple.subject))
            if not any(_covers(right, triple, kinds, names, before) for right in mine):
                found.append((triple, added))
    return found


def _covers(
    right: ChangeRight, triple: Triple, kinds: frozenset[str], names: Iterable[str], before: InferredGraph
) -> bool:
    member = triple.predicate == RDF_TYPE
    becomes = _above([lexical(triple.object)], before) if member else frozenset()
    if (_RIGHT in kinds or _RIGHT in becomes) and not right.may_grant:
        return False
    if right.properties and triple.predicate.value not in right.properties:
        return False
    if right.classes and not kinds & set(right.classes):
        return False
    if right.classes and member and not becomes & set(right.classes):
        return False
    return not right.subjects or all(any(pattern_holds(each, name) for each in right.subjects) for name in names)


def _kinds(triple: Triple, delta: Delta, before: InferredGraph) -> frozenset[str]:
    """The classes that the subject of `triple` belongs to, and those above them."""
    index, subject = before.index, triple.subject
    stated = [lexical(kind) for kind in index.values(subject, RDF_TYPE)]
    if not stated and not index.properties(subject):
        stated = [lexical(t.object) for t in delta.added if t.subject == subject and t.predicate == RDF_TYPE]
    return _above(stated, before)


def _above(kinds: Iterable[str], before: InferredGraph) -> frozenset[str]:
    found = set(kinds)
    todo = list(found)
    while todo:
        kind = NamedNode(todo.pop())
        for index in (before.index, before.ontology.index):
            for upper in index.values(kind, SUB_CLASS):
                if type(upper) is NamedNode and upper.value not in found:
                    found.add(upper.value)
                    todo.append(upper.value)
    return frozenset(found)


class _Holders:
    """Who holds subjects without names of their own; looked for only when there is one."""

    def __init__(self, delta: Delta, before: InferredGraph) -> None:
        self._delta = delta
        self._before = before
        self._by_object: dict[str, set[str]] | None = None

    def names(self, subject: str) -> tuple[str, ...]:
        """`subject`, or the named subjects at the ends of all ways that lead to it."""
        if not subject.startswith(GENID):
            return (subject,)
        if self._by_object is None:
            self._by_object = defaultdict(set)
            for one, _, other in self._before.source.rows:
                if type(other) is NamedNode and other.value.startswith(GENID):
                    self._by_object[other.value].add(lexical(one))
            for triple in self._delta.added:
                other = triple.object
                if type(other) is NamedNode and other.value.startswith(GENID):
                    self._by_object[other.value].add(lexical(triple.subject))
        found: set[str] = set()
        seen, todo = {subject}, [subject]
        while todo:
            for holder in self._by_object.get(todo.pop(), ()):
                if not holder.startswith(GENID):
                    found.add(holder)
                elif holder not in seen:
                    seen.add(holder)
                    todo.append(holder)
        return tuple(sorted(found)) or (subject,)


def _said(triple: Triple, added: bool) -> str:
    return f"{'add' if added else 'remove'} <{lexical(triple.subject)}> {_short(triple.predicate.value)}"


def _short(iri: str) -> str:
    return f"agw:{iri.removeprefix(NAMESPACE)}" if iri.startswith(NAMESPACE) else f"<{iri}>"
