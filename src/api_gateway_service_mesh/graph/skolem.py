"""Names for blank nodes, so that runtime state can be kept by IRI.

A blank node is named after the path that leads to it: ``urn:agw:genid:products.hasTimeout.1f0c22ab`` is the timeout of
``products``; the last part is a hash of the owner's whole IRI and the property. So the name does not change when the
source is reordered or reformatted, nor when a value inside the node is edited. Only when one owner has several blank
nodes under one property does a hash of their content tell them apart (and an ordinal, if that is equal too). List nodes
are named after the head of their list. A node nobody points at is named after its content.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence

from pyoxigraph import BlankNode, NamedNode, Triple

from .terms import GENID, RDF_REST, Resource, Row, Term, local_name

__all__ = ["generated_names", "owned_nodes", "rename", "skolem_names"]

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_READABLE = 96
_REFINEMENTS = 64

Owned = dict[BlankNode, list[tuple[NamedNode, Term]]]


def skolem_names(rows: Iterable[Row]) -> dict[BlankNode, NamedNode]:
    """The IRI of every blank node that occurs in `rows`.

    Blank nodes of different documents must have different labels already. Linear in the number of triples that touch
    a blank node (times the depth, for cycles, at most `_REFINEMENTS` rounds); never recursive.
    """
    content: Owned = defaultdict(list)
    owners: dict[BlankNode, list[tuple[Resource, NamedNode]]] = defaultdict(list)
    nodes: dict[BlankNode, None] = {}
    for subject, predicate, value in rows:
        if type(subject) is BlankNode:
            nodes[subject] = None
            content[subject].append((predicate, value))
        if type(value) is BlankNode:
            nodes[value] = None
            owners[value].append((subject, predicate))
        elif type(value) is Triple:
            nodes.update(dict.fromkeys(_inside(value)))
    if not nodes:
        return {}
    return _Namer(content, owners, list(nodes)).run()


def rename(term: Term, names: dict[BlankNode, NamedNode]) -> Term:
    """`term` with its blank nodes (also inside triple terms) replaced by their names."""
    if type(term) is BlankNode:
        return names[term]
    if type(term) is Triple:
        subject, value = rename(term.subject, names), rename(term.object, names)
        return Triple(subject, term.predicate, value)  # type: ignore[arg-type]
    return term


def generated_names(row: Row) -> Iterator[str]:
    """The names of skolemised blank nodes that a triple has."""
    for node in (row[0], row[2]):
        if type(node) is NamedNode and node.value.startswith(GENID):
            yield node.value


def owned_nodes(rows: Iterable[Row]) -> Iterator[tuple[Term, Resource]]:
    """The skolemised blank nodes that are values, each with what it is a value of."""
    for row in rows:
        if type(row[2]) is NamedNode and row[2].value.startswith(GENID):
            yield row[2], row[0]


def _inside(term: Triple) -> list[BlankNode]:
    found: list[BlankNode] = []
    todo: list[Term] = [term]
    while todo:
        part = todo.pop()
        if type(part) is Triple:
            todo += (part.subject, part.object)
        elif type(part) is BlankNode:
            found.append(part)
    return found


class _Namer:
    def __init__(
        self, content: Owned, owners: dict[BlankNode, list[tuple[Resource, NamedNode]]], nodes: Sequence[BlankNode]
    ) -> None:
        self.content = content
        self.owners = owners
        self.nodes = nodes
        self.names: dict[BlankNode, NamedNode] = {}
        self.readable: dict[BlankNode, str] = {}
        self.in_list: dict[BlankNode, tuple[BlankNode, int]] = {}
        self.taken: set[str] = set()
        self.hashes: dict[BlankNode, str] = {}

    def run(self) -> dict[BlankNode, NamedNode]:
        rooted = [
            node for node in self.nodes if any(type(owner) is NamedNode for owner, _ in self.owners.get(node, ()))
        ]
        self._descend(rooted, first=True)
        # What no IRI leads to: nodes nobody points at first, then what is left of cycles; each names its dependants.
        for unowned_only in (True, False):
            loose = [n for n in self.nodes if n not in self.names and not (unowned_only and self.owners.get(n))]
            self._hash(loose)
            for node in sorted(loose, key=self.hashes.__getitem__):
                if node not in self.names:
                    self._name(node, "node", self.hashes[node][:12], ())
                    self._descend(self._children([node]), first=False)
        return self.names

    def _descend(self, level: list[BlankNode], *, first: bool) -> None:
        """Name `level` and everything below it, breadth first, so that the shortest path names a node."""
        while level:
            groups: dict[tuple[Resource, NamedNode], list[BlankNode]] = defaultdict(list)
            for node in level:
                groups[self._owner(node, named_only=first)].append(node)
            crowded = [node for group in groups.values() if len(group) > 1 for node in group]
            self._hash(crowded)
            for (owner, predicate), group in groups.items():
                for node in sorted(group, key=self.hashes.__getitem__) if len(group) > 1 else group:
                    self._name_owned(node, owner, predicate, crowded=len(group) > 1)
            level = self._children(level)
            first = False

    def _children(self, level: Iterable[BlankNode]) -> list[BlankNode]:
        below: dict[BlankNode, None] = {}
        for node in level:
            for _, value in self.content.get(node, ()):
                if type(value) is BlankNode and value not in self.names:
                    below[value] = None
        return list(below)

    def _owner(self, node: BlankNode, *, named_only: bool) -> tuple[Resource, NamedNode]:
        candidates: list[tuple[str, str, Resource, NamedNode]] = []
        for owner, predicate in self.owners[node]:
            if type(owner) is NamedNode:
                candidates.append((owner.value, predicate.value, owner, predicate))
            elif not named_only and owner in self.names:
                candidates.append((self.names[owner].value, predicate.value, owner, predicate))
        _, _, owner, predicate = min(candidates, key=lambda candidate: candidate[:2])
        return owner, predicate

    def _name_owned(self, node: BlankNode, owner: Resource, predicate: NamedNode, *, crowded: bool) -> None:
        extra = (self.hashes[node][:8],) if crowded else ()
        if type(owner) is NamedNode:
            label = f"{_safe(local_name(owner.value))}.{_safe(local_name(predicate.value))}"
            self._name(node, label, _digest(owner.value, predicate.value)[:8], extra)
        elif predicate == RDF_REST and not crowded:
            head, position = self.in_list.get(owner, (owner, 1))
            self.in_list[node] = (head, position + 1)
            label = f"{self.readable[head]}.{position + 1}"
            self._name(node, label, _digest(self.names[head].value, str(position + 1))[:8], ())
        else:
            label = f"{self.readable[owner]}.{_safe(local_name(predicate.value))}"
            self._name(node, label, _digest(self.names[owner].value, predicate.value)[:8], extra)

    def _name(self, node: BlankNode, label: str, digest: str, extra: tuple[str, ...]) -> None:
        self.readable[node] = label if len(label) <= _READABLE else label[:_READABLE].rstrip(".")
        stem = GENID + ".".join((self.readable[node], digest, *extra))
        iri, ordinal = stem, 1
        while iri in self.taken:
            ordinal += 1
            iri = f"{stem}.{ordinal}"
        self.taken.add(iri)
        self.names[node] = NamedNode(iri)

    def _hash(self, wanted: Iterable[BlankNode]) -> None:
        """Fill `hashes` for `wanted`: bottom-up where the content is a tree, by refinement where it has a cycle."""
        pending: dict[BlankNode, int] = {}
        parents: dict[BlankNode, list[BlankNode]] = defaultdict(list)
        todo = [node for node in wanted if node not in self.hashes]
        while todo:
            node = todo.pop()
            if node in pending:
                continue
            below = {v for _, v in self.content.get(node, ()) if type(v) is BlankNode and v not in self.hashes}
            pending[node] = len(below)
            for child in below:
                parents[child].append(node)
                todo.append(child)
        ready = deque(node for node, count in pending.items() if not count)
        while ready:
            node = ready.popleft()
            del pending[node]
            self.hashes[node] = self._content_hash(node, self.hashes)
            for parent in parents[node]:
                if parent in pending:
                    pending[parent] -= 1
                    if not pending[parent]:
                        ready.append(parent)
        if pending:
            colours = {**self.hashes, **dict.fromkeys(pending, "cycle")}
            for _ in range(min(len(pending), _REFINEMENTS)):
                colours.update({node: self._content_hash(node, colours) for node in pending})
            self.hashes.update({node: colours[node] for node in pending})

    def _content_hash(self, node: BlankNode, known: dict[BlankNode, str]) -> str:
        parts = sorted(
            f"{predicate.value} {known[value] if type(value) is BlankNode else _printed(value)}"
            for predicate, value in self.content.get(node, ())
        )
        return _digest(*parts)


def _printed(term: Term) -> str:
    return "<<>>" if type(term) is Triple else str(term)


def _safe(text: str) -> str:
    return _UNSAFE.sub("-", text).strip("-") or "node"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
