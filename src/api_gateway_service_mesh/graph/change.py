"""From one configuration to the next: what follows from the difference, at a cost that grows with the difference.

`reinfer` gives the graph that `infer` gives, and what changed on the way (`Change`); None where the difference touches
something that everything hangs on (an axiom, a term of the ontology). Then the whole way has to be gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from pyoxigraph import NamedNode, Quad, Store

from .footprint import Read, roots_of
from .index import TripleIndex
from .infer import InferredGraph, Premises, close, run_rules
from .ontology import Ontology
from .rules import GATEWAY, VIRTUAL_SERVICE, Rule, Sources, shipped_rules
from .source import SourceGraph
from .tbox import AXIOMS, SUB_CLASS, Tbox, is_axiom
from .terms import AGW, CONFIG_GRAPH, INFERRED_GRAPH, ONTOLOGY_GRAPH, RDF_TYPE, Resource, Row, Term

__all__ = ["Change", "affected", "reinfer", "sorted_reads"]

_BLOCK = 512
_LARGEST = 4  # a difference that touches more than one subject in four is not worth following
_SMALLEST = 64

Owner = TypeVar("Owner")
Sorted = Mapping[NamedNode | None, Sequence[tuple[Read, Owner]]]


@dataclass(frozen=True, slots=True)
class Change:
    """What became different: triples that came or went, stated or inferred; all triples of a subject whose triples
    stand in another order. ``stated`` are the triples that the source now has of the subjects it changed. All that
    differs is about ``subjects``, also what was inferred and is stated now, or the other way round."""

    rows: Collection[Row]
    stated: Collection[Row]
    subjects: Collection[Resource] = ()


def sorted_reads(reads: Iterable[tuple[Read, Owner]]) -> Sorted[Owner]:
    """Looks by the property they look at."""
    found: dict[NamedNode | None, list[tuple[Read, Owner]]] = {}
    for read, owner in dict.fromkeys(reads):
        found.setdefault(read.predicate, []).append((read, owner))
    return found


def affected(index: TripleIndex, reads: Sorted[Owner], rows: Iterable[Row]) -> Iterator[tuple[Owner, Term | None]]:
    """For every look that sees one of these triples, its owner and each root it may look from (None: any)."""
    anywhere = reads.get(None, ())
    for row in rows:
        for read, owner in (*reads.get(row[1], ()), *anywhere):
            node = read.place(row)
            if node is None or (read.kind is not None and read.kind not in index.values(node, RDF_TYPE)):
                continue
            if read.steps is None:
                yield owner, None
            elif not read.steps:
                yield owner, node
            else:
                for root in roots_of(index, read, node):
                    yield owner, root


def reinfer(source: SourceGraph, previous: InferredGraph) -> tuple[InferredGraph, Change] | None:
    """What ``infer(source)`` gives, from what it gave before; None: it has to be asked."""
    tbox, ontology, rules = previous.tbox, previous.ontology, shipped_rules()
    if not tbox.is_local or not _are_local(rules, ontology) or previous.derives_axioms:
        return None
    touched = _touched(source, previous)
    if touched is None or len(touched) * _LARGEST > len(previous.index.by_subject()) + _SMALLEST:
        return None
    made = _Next(source, previous)
    made.state_anew(touched)
    members = dict.fromkeys(touched)
    for _, member in affected(made.index, _rule_reads(rules), made.changed()):
        if member is None:
            return None
        members[member] = None  # type: ignore[index]
    further = [member for member in members if member not in touched and made.index.properties(member)]
    if further:
        made.state_anew({member: source.stated(member) for member in further})
    sources = Sources.of(made.index, tbox)
    if any(rule.can_fire(sources) for rule in rules):
        run_rules(
            made.store_for(members, [rule for rule in rules if rule.can_fire(sources)], ontology),
            made.index,
            tbox,
            rules,
            made.because,
            made.by_rule,
        )
    rows = made.changed()
    for row in rows:
        handed = row in made.by_rule or row in previous.rules
        if row[1] in AXIOMS or (handed and _hands_on(made.index, row[0])):
            return None  # a place was handed something that it hands on
    stated = [row for new in touched.values() for row in new]
    inferred = InferredGraph(source, made.index, ontology, tbox, made.because, made.by_rule)
    inferred.__dict__["derives_axioms"] = False
    return inferred, Change(rows, stated, made.restated)


def _hands_on(index: TripleIndex, subject: Resource) -> bool:
    """Whether members get what a subject has: a class, a gateway, a virtual service."""
    kinds = index.values(subject, RDF_TYPE)
    return bool(index.holders(RDF_TYPE, subject)) or GATEWAY in kinds or VIRTUAL_SERVICE in kinds


class _Next:
    """The next graph in the making. What is restated loses its consequences, and gets those of the axioms anew."""

    def __init__(self, source: SourceGraph, previous: InferredGraph) -> None:
        self.index = previous.index.copy()
        self.because: Premises = dict(previous.because)
        self.by_rule = dict(previous.rules)
        self._previous = previous.index
        self._tbox: Tbox = previous.tbox
        self.restated: dict[Resource, None] = {}

    def state_anew(self, rows: Mapping[Resource, Sequence[Row]]) -> None:
        """Replace all that is known of each subject by what is stated of it, and what follows from that by axioms."""
        self.index.without(rows)
        for subject in rows:
            self.restated[subject] = None
            for row in _held(self._previous, subject):
                if self.because.pop(row, None) is None:
                    self.by_rule.pop(row, None)
        for stated in rows.values():
            self.index.extend(stated)
            close(self.index, stated, self._tbox, self.because)

    def changed(self) -> dict[Row, None]:
        """The triples of restated subjects that came, went, or stand in another order."""
        found: dict[Row, None] = {}
        for subject in self.restated:
            old, new = dict.fromkeys(_held(self._previous, subject)), dict.fromkeys(_held(self.index, subject))
            if [row for row in old if row in new] != [row for row in new if row in old]:
                found.update(old)
                found.update(new)
            else:
                found.update((row, None) for row in old if row not in new)
                found.update((row, None) for row in new if row not in old)
        return found

    def store_for(self, members: Iterable[Term], rules: Iterable[Rule], ontology: Ontology) -> Store:
        """All that rules can look at for these members."""
        rows = dict.fromkeys((s, SUB_CLASS, o) for s, o in self.index.pairs(SUB_CLASS))
        members = list(members)
        for rule in rules:
            if rule.footprint is not None:
                rows.update(rule.footprint.gather(self.index, members))
        # Which virtual services a member is in is for the first rules to say; the later ones look at any of them.
        rows.update((row, None) for host in self.index.instances(VIRTUAL_SERVICE) for row in _held(self.index, host))
        store = Store()
        store.extend(Quad(s, SUB_CLASS, o, ONTOLOGY_GRAPH) for s, o in ontology.index.pairs(SUB_CLASS))
        store.extend(
            Quad(*row, INFERRED_GRAPH if row in self.because or row in self.by_rule else CONFIG_GRAPH) for row in rows
        )
        return store


def _touched(source: SourceGraph, previous: InferredGraph) -> dict[Resource, Sequence[Row]] | None:
    """The subjects of which other triples are stated than before, or in another order, with the triples that now are.

    None: axioms or the ontology's own terms are among them.
    """
    step = source.step
    if step is not None and step.parent is previous.source.identity:
        differing = (*step.removed, *step.added)
        if any(is_axiom(row) for row in differing):
            return None
        touched: dict[Resource, Sequence[Row]] = {row[0]: source.stated(row[0]) for row in differing}
        return None if any(subject.value.startswith(AGW) for subject in touched) else touched
    old, new = _middles(previous.source.rows, source.rows)
    if [row for row in old if is_axiom(row)] != [row for row in new if is_axiom(row)]:
        return None
    before, after = _grouped(old), _grouped(new)
    touched = {subject: after.get(subject, []) for subject in {**before, **after}}
    touched = {subject: rows for subject, rows in touched.items() if rows != before.get(subject, [])}
    if any(subject.value.startswith(AGW) for subject in touched):
        return None
    # Of some subjects more is stated before or after the part that differs.
    partly = [s for s in touched if _stated(previous, s) != len(before.get(s, ()))]
    if partly:
        touched.update({subject: source.stated(subject) for subject in partly})
    return touched


def _middles(old: Sequence[Row], new: Sequence[Row]) -> tuple[Sequence[Row], Sequence[Row]]:
    """Both without what they have in common at the beginning and at the end."""
    limit = min(len(old), len(new))
    start = 0
    while start < limit and old[start : start + _BLOCK] == new[start : start + _BLOCK]:
        start += _BLOCK
    start = min(start, limit)
    while start < limit and old[start] == new[start]:
        start += 1
    end = 0
    while end < limit - start - _BLOCK and _block(old, end) == _block(new, end):
        end += _BLOCK
    while end < limit - start and old[-end - 1] == new[-end - 1]:
        end += 1
    return old[start : len(old) - end], new[start : len(new) - end]


def _block(rows: Sequence[Row], end: int) -> Sequence[Row]:
    return rows[len(rows) - end - _BLOCK : len(rows) - end]


def _grouped(rows: Iterable[Row]) -> dict[Resource, list[Row]]:
    found: dict[Resource, list[Row]] = {}
    for row in rows:
        held = found.get(row[0])
        if held is None:
            found[row[0]] = [row]
        else:
            held.append(row)
    return found


def _held(index: TripleIndex, subject: Resource) -> list[Row]:
    return [(subject, predicate, value) for predicate, held in index.properties(subject).items() for value in held]


def _stated(graph: InferredGraph, subject: Resource) -> int:
    """How many triples the source states of a subject."""
    return sum(row not in graph.because and row not in graph.rules for row in _held(graph.index, subject))


@cache
def _are_local(rules: tuple[Rule, ...], ontology: Ontology) -> bool:
    """Whether what rules say of a member can be told from its own triples and those of its classes."""
    for rule in rules:
        if rule.footprint is None:
            return False
        for read in rule.footprint.reads:
            own = read.predicate is not None and not any(True for _ in ontology.index.users(read.predicate))
            if read.predicate != RDF_TYPE and not own:
                return False
    return True


@cache
def _rule_reads(rules: tuple[Rule, ...]) -> Sorted[None]:
    return sorted_reads((read, None) for rule in rules if rule.footprint for read in rule.footprint.reads)
