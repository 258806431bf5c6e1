"""What the query processes are fed with: a build as N-Quads, or what is different from the build before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pyoxigraph as ox

from api_gateway_service_mesh.graph.excerpt import secret_properties
from api_gateway_service_mesh.graph.secrets import is_reference
from api_gateway_service_mesh.graph.terms import CONFIG_GRAPH, INFERRED_GRAPH, Row
from api_gateway_service_mesh.vocabulary import GRAPH_HISTORY

from .build import Build
from .history import Revision, revision_triples
from .sparql.dataset import dataset_quads

__all__ = ["Feed"]

_REVISIONS = 1000
_HISTORY = ox.NamedNode(GRAPH_HISTORY)


class Feed:
    """Keeps the build that was fed last, until its difference to the next one is known."""

    def __init__(self) -> None:
        self._fed: Build | None = None

    def next(
        self, made: Build, revisions: Sequence[Revision]
    ) -> tuple[Callable[[], bytes], Callable[[], tuple[bytes, bytes]] | None]:
        """What makes the N-Quads of `made`, and what makes those that go and come since the one before."""
        before, self._fed = self._fed, made
        told = revisions[-_REVISIONS:]

        def quads() -> bytes:
            return dataset_quads(made.validated) + _nquads(_history(told, secret_properties(made.inferred)))

        return quads, None if before is None else _Step(before, made, told[-1:])


class _Step:
    """The difference between two builds, made once and then without them."""

    def __init__(self, old: Build, new: Build, told: Sequence[Revision]) -> None:
        self._builds: tuple[Build, Build] | None = (old, new)
        self._told = told
        self._made = (b"", b"")

    def __call__(self) -> tuple[bytes, bytes]:
        if self._builds is not None:
            gone, come = _difference(*self._builds)
            secrets = frozenset[ox.NamedNode]().union(*(secret_properties(each.inferred) for each in self._builds))
            self._made = (_nquads(gone), _nquads((*come, *_history(self._told, secrets))))
            self._builds = None
        return self._made


def _difference(old: Build, new: Build) -> tuple[set[ox.Quad], set[ox.Quad]]:
    """The quads of config and inferred that go and come; values that may be secrets are in neither."""
    gone, come = set[ox.Quad](), set[ox.Quad]()
    before, after = old.inferred, new.inferred
    if new.change is not None and new.since is old.source.identity:
        for subject in new.change.subjects:
            for build, quads in ((old, gone), (new, come)):
                inferred = build.inferred
                for predicate, values in inferred.index.properties(subject).items():
                    for value in values:
                        row: Row = (subject, predicate, value)
                        follows = row in inferred.because or row in inferred.rules
                        quads.add(ox.Quad(*row, INFERRED_GRAPH if follows else CONFIG_GRAPH))
        gone, come = gone - come, come - gone
        return gone, _told(come, old, new)
    stated = set(before.source.rows), set(after.source.rows)
    follow = {*before.because, *before.rules}, {*after.because, *after.rules}
    for (one, two), graph in ((stated, CONFIG_GRAPH), (follow, INFERRED_GRAPH)):
        gone.update(ox.Quad(*triple, graph) for triple in one - two)
        come.update(ox.Quad(*triple, graph) for triple in two - one)
    return gone, _told(come, old, new)


def _told(come: set[ox.Quad], old: Build, new: Build) -> set[ox.Quad]:
    """`come` without what may be a secret written by mistake."""
    secret = secret_properties(new.inferred) | secret_properties(old.inferred)
    return {quad for quad in come if quad.predicate not in secret or _is_shown(quad.object)}


def _is_shown(value: object) -> bool:
    return not isinstance(value, ox.Literal) or is_reference(value.value)


def _history(revisions: Iterable[Revision], secrets: frozenset[ox.NamedNode]) -> Iterable[ox.Quad]:
    for item in revisions:
        for t in revision_triples(item, secrets=secrets):
            yield ox.Quad(t.subject, t.predicate, t.object, _HISTORY)


def _nquads(quads: Iterable[ox.Quad]) -> bytes:
    return ox.serialize(quads, format=ox.RdfFormat.N_QUADS) or b""
