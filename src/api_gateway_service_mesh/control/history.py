"""What the gateway served, revision by revision: who changed what, when, why, from where (PROV-O).

`History` keeps the latest revisions with their triples, and knows older ones where its `archive` (a persistent store)
does. Any revision's graph is the one in force with the differences since then taken back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pyoxigraph as ox

from api_gateway_service_mesh.errors import ClientError, Report
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.excerpt import masked
from api_gateway_service_mesh.vocabulary import RDF_TYPE, XSD

from .delta import Delta, applied
from .differences import Differences

__all__ = ["Author", "History", "Revision", "UnknownRevision", "revision_iri", "revision_triples"]

_KEPT = 256
_KEPT_TRIPLES = 2_000_000
_SHOWN_TRIPLES = 500
_PROV = "http://www.w3.org/ns/prov#"
_DCTERMS = "http://purl.org/dc/terms/"
_CS = "http://purl.org/vocab/changeset/schema#"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


@dataclass(frozen=True, slots=True)
class Author:
    """Who wants a change (``who``: the admin principal, or what acted by itself), why (a message), from where (a file,
    a client's address, a store)."""

    who: str = "agw"
    why: str | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """One attempt to change what is served. ``number`` is None when it was refused, and ``refused`` says why.

    ``added`` and ``removed`` count triples; ``delta`` has them while they are kept (None: only the count is).
    ``seconds`` is how long it took to go live; ``rolled_back_to`` the revision whose graph this one has again.
    """

    number: int | None
    at: datetime
    digest: str | None
    routes: int
    seconds: float
    changed: Differences | None = None
    refused: Report | None = None
    author: Author = field(default_factory=Author)
    parent: int | None = None
    added: int = 0
    removed: int = 0
    delta: Delta | None = field(default=None, repr=False)
    rolled_back_to: int | None = None

    @classmethod
    def of(
        cls, number: int, at: datetime, digest: str, routes: int, delta: Delta, author: Author, parent: Revision | None
    ) -> Revision:
        """What is about to go live."""
        return cls(
            number,
            at,
            digest,
            routes,
            0.0,
            author=author,
            parent=parent.number if parent is not None else None,
            added=len(delta.added),
            removed=len(delta.removed),
            delta=delta,
        )


class UnknownRevision(ClientError):
    """There is no such revision, or nothing of it is kept any more."""

    status = 404
    problem = "unknown-revision"


class History:
    """The revisions of this gateway, oldest first.

    Args:
        archive: asked for the delta of a revision that is not in memory; None when it has none.
    """

    def __init__(self, archive: Callable[[int], Delta | None] | None = None) -> None:
        self._revisions: deque[Revision] = deque()
        self._source: SourceGraph | None = None
        self._triples = 0
        self._archive = archive

    def __iter__(self) -> Iterator[Revision]:
        return iter(self._revisions)

    def __len__(self) -> int:
        return len(self._revisions)

    @property
    def latest(self) -> Revision | None:
        """The revision in force."""
        return next((item for item in reversed(self._revisions) if item.number is not None), None)

    def revisions(self) -> tuple[Revision, ...]:
        """Those that went live, oldest first."""
        # The copy is one step, so that a thread may ask while the loop records.
        return tuple(item for item in tuple(self._revisions) if item.number is not None)

    def restore(self, revisions: Iterable[Revision]) -> None:
        """What an archive remembers of the time before this process."""
        self._revisions.extendleft(reversed(list(revisions)))

    def serve(self, source: SourceGraph) -> None:
        """The latest revision of an archive is in force again, with this graph."""
        self._source = source

    def record(self, revision: Revision, source: SourceGraph | None) -> None:
        """Add what went live (with its graph), or what was refused (without)."""
        if source is not None:
            self._source = source
        if revision.delta is not None:
            self._triples += len(revision.delta.added) + len(revision.delta.removed)
        self._revisions.append(revision)
        while len(self._revisions) > _KEPT and self._archive is None:
            self._forget(self._revisions.popleft())
        self._thin()

    def _forget(self, revision: Revision) -> None:
        if revision.delta is not None:
            self._triples -= len(revision.delta.added) + len(revision.delta.removed)

    def _thin(self) -> None:
        """Let go of the oldest deltas while there are too many triples, but never of the latest."""
        for index, item in enumerate(self._revisions):
            if self._triples <= _KEPT_TRIPLES or index == len(self._revisions) - 1:
                return
            if item.delta is not None:
                self._forget(item)
                self._revisions[index] = replace(item, delta=None)

    def revision(self, wanted: int | datetime) -> Revision:
        """A revision by its number, or the one that was in force at a moment.

        Raises:
            UnknownRevision: there was none.
        """
        found: Revision | None = None
        for item in self.revisions():
            if item.number == wanted or (isinstance(wanted, datetime) and _shown(item.at) <= wanted):
                found = item
        if found is None:
            known = [item.number for item in self.revisions()]
            span = f"; known are {known[0]} to {known[-1]}" if known else ""
            raise UnknownRevision(f"there is no revision {wanted}{span}")
        return found

    def graph_at(self, wanted: int | datetime) -> SourceGraph:
        """The configuration as it was in a revision (or at a moment).

        Raises:
            UnknownRevision: there was none, or what changed since is not kept any more.
        """
        target = self.revision(wanted)
        if self._source is None:
            raise UnknownRevision("nothing is served yet")
        source = self._source
        for item in reversed(self.revisions()):
            if item.number == target.number:
                return source
            source = applied(source, self._delta_of(item).reverse)
        raise UnknownRevision(f"there is no revision {wanted}")

    def delta(self, old: int | datetime, new: int | datetime) -> Delta:
        """The triples that came and went from one revision to another, which may be the earlier one.

        Raises:
            UnknownRevision: as for `graph_at`.
        """
        first, last = self.revision(old), self.revision(new)
        assert first.number is not None and last.number is not None
        if first.number > last.number:
            return self.delta(new, old).reverse
        added: dict[ox.Triple, None] = {}
        removed: dict[ox.Triple, None] = {}
        for item in self.revisions():
            if item.number is not None and first.number < item.number <= last.number:
                step = self._delta_of(item)
                for triple in step.removed:
                    if added.pop(triple, triple) is triple:
                        removed[triple] = None
                for triple in step.added:
                    if removed.pop(triple, triple) is triple:
                        added[triple] = None
        return Delta(tuple(added), tuple(removed))

    def _delta_of(self, item: Revision) -> Delta:
        delta = item.delta
        if delta is None and self._archive is not None and item.number is not None:
            delta = self._archive(item.number)
        if delta is None:
            raise UnknownRevision(f"what revision {item.number} changed is not kept any more")
        return delta


def _shown(moment: datetime) -> datetime:
    """A moment as it is told, to the millisecond: whoever asks with what was told gets what it was told of."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def revision_iri(number: int) -> str:
    """The name of a revision in the history graph."""
    return f"urn:agw:revision:{number}"


def revision_triples(
    item: Revision,
    name: str | None = None,
    before: str | None = None,
    *,
    secrets: frozenset[ox.NamedNode] = frozenset(),
) -> list[ox.Triple]:
    """One revision as PROV-O: an entity, the activity that made it and the agent behind that; and as a change set (the
    vocabulary of that name) with the triples it added and removed, while they are few.

    ``name`` and ``before`` are the IRIs of this revision and its parent, where they are not named by their numbers.
    Values of the properties ``secrets`` that are no references are masked."""
    assert item.number is not None
    entity = ox.NamedNode(name or revision_iri(item.number))
    parent = before if name else None if item.parent is None else revision_iri(item.parent)
    activity = ox.NamedNode(f"{entity.value}:change")
    agent = ox.NamedNode(f"urn:agw:agent:{_safe(item.author.who)}")
    kind = ox.NamedNode(RDF_TYPE)
    found: list[ox.Triple] = []

    def say(subject: ox.NamedNode, predicate: str, value: ox.NamedNode | ox.Literal) -> None:
        found.append(ox.Triple(subject, ox.NamedNode(predicate), value))

    moment = ox.Literal(item.at.isoformat(timespec="milliseconds"), datatype=ox.NamedNode(XSD.dateTime))
    found.append(ox.Triple(entity, kind, ox.NamedNode(_PROV + "Entity")))
    found.append(ox.Triple(activity, kind, ox.NamedNode(_PROV + "Activity")))
    found.append(ox.Triple(activity, kind, ox.NamedNode(_CS + "ChangeSet")))
    found.append(ox.Triple(agent, kind, ox.NamedNode(_PROV + "Agent")))
    say(agent, "http://www.w3.org/2000/01/rdf-schema#label", ox.Literal(item.author.who))
    say(entity, _PROV + "wasGeneratedBy", activity)
    say(entity, _PROV + "generatedAtTime", moment)
    if not name:
        say(entity, _DCTERMS + "identifier", ox.Literal(item.number))
    if item.digest is not None:
        say(entity, _DCTERMS + "hasVersion", ox.Literal(item.digest))
    say(activity, _PROV + "endedAtTime", moment)
    say(activity, _PROV + "wasAssociatedWith", agent)
    say(activity, _CS + "subjectOfChange", ox.NamedNode("urn:agw:graph:config"))
    if parent is not None:
        say(entity, _PROV + "wasRevisionOf", ox.NamedNode(parent))
        say(activity, _PROV + "used", ox.NamedNode(parent))
    if item.rolled_back_to is not None and not name:
        say(entity, _PROV + "alternateOf", ox.NamedNode(revision_iri(item.rolled_back_to)))
    if item.author.why:
        say(activity, _CS + "changeReason", ox.Literal(item.author.why))
    if item.author.where:
        say(activity, _DCTERMS + "source", ox.Literal(item.author.where))
    if item.delta is not None and item.added + item.removed <= _SHOWN_TRIPLES:
        for name, triples in (("addition", item.delta.added), ("removal", item.delta.removed)):
            found += _statements(activity, name, [masked(triple, secrets) for triple in triples])
    return found


def _statements(activity: ox.NamedNode, name: str, triples: Sequence[ox.Triple]) -> Iterator[ox.Triple]:
    for number, triple in enumerate(triples):
        node = ox.NamedNode(f"{activity.value}:{name}:{number}")
        yield ox.Triple(activity, ox.NamedNode(_CS + name), node)
        yield ox.Triple(node, ox.NamedNode(RDF_TYPE), ox.NamedNode(_RDF + "Statement"))
        parts = (("subject", triple.subject), ("predicate", triple.predicate), ("object", triple.object))
        for part, term in parts:
            yield ox.Triple(node, ox.NamedNode(_RDF + part), term)


def _safe(text: str) -> str:
    return "".join(character if character.isalnum() and character.isascii() else "-" for character in text)[:80]
