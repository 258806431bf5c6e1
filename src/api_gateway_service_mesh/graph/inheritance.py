"""Which policies count for a route or a service, the places that state them, and what those override.

The rules themselves are queries (``queries/infer/inherit-*.rq``); what they add is in the graph. This module tells the
way it came, for people and for the check of guarantees. A property test holds that both say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pyoxigraph import NamedNode

from api_gateway_service_mesh.errors import Location

from .infer import InferredGraph
from .rules import GATEWAY, WITHOUT, inherited
from .tbox import SUB_CLASS
from .terms import AGW, RDF_TYPE, WELL_KNOWN_PREFIXES, Resource, Term, lexical, turtle

__all__ = ["Places", "Said", "Standing"]

IN_VIRTUAL_SERVICE = NamedNode(AGW + "inVirtualService")
WITHIN_VIRTUAL_SERVICE = NamedNode(AGW + "withinVirtualService")
HAS_ROUTE = NamedNode(AGW + "hasRoute")
_Above = Callable[[Term], Collection[Term]]
ROUTE, SERVICE = NamedNode(AGW + "Route"), NamedNode(AGW + "BackendService")


@dataclass(frozen=True, slots=True)
class Said:
    """What one place says of a policy. ``rank`` is ``route``, ``service``, ``class``, ``virtual service`` or
    ``gateway``; ``values`` are IRIs, empty where the policy is declined (``agw:withoutPolicy``)."""

    rank: str
    place: str
    policy: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """One kind of policy of one route or service: the places that decide it (several only where they are of one rank
    and neither is more specific), and those they override, nearest first."""

    policy: str
    deciding: tuple[Said, ...]
    overridden: tuple[Said, ...]

    @property
    def values(self) -> tuple[str, ...]:
        """The policies that count; empty when the kind is declined."""
        return tuple(dict.fromkeys(value for said in self.deciding for value in said.values))


class Places:
    """The places whose policies reach a member, asked member by member."""

    def __init__(self, graph: InferredGraph) -> None:
        self.graph = graph
        self._index = graph.index
        self._above: dict[Term, frozenset[Term]] = {}
        self._gateways = list(self._index.instances(GATEWAY))
        self.policies = inherited(graph.ontology)

    def standings(self, member: str) -> tuple[Standing, ...]:
        """Every kind of policy that any place speaks of for this route or service, by the property's name."""
        node = NamedNode(member)
        found = (self.standing(node, policy) for policy in self.policies)
        return tuple(standing for standing in found if standing is not None)

    def standing(self, member: Resource, policy: NamedNode) -> Standing | None:
        """How one kind of policy stands; None when no place speaks of it."""
        deciding: tuple[Said, ...] = ()
        overridden: list[Said] = []
        for group in self._groups(member, policy):
            if deciding:
                overridden += group
            else:
                stating = tuple(said for said in group if said.values)
                deciding = stating or tuple(group)
                overridden += (said for said in group if said not in deciding)
        return Standing(policy.value, deciding, tuple(overridden)) if deciding else None

    def short(self, iri: str) -> str:
        """An IRI as the configuration would write it."""
        try:
            named = NamedNode(iri)
        except ValueError:  # a literal, where something else was wanted
            return f'"{iri}"'
        return turtle(named, {**WELL_KNOWN_PREFIXES, **self.graph.source.prefixes})

    def locate(self, said: Said, value: str | None = None) -> Location | None:
        """Where a place says it."""
        if said.values:
            return self.graph.locate(said.place, said.policy, value or said.values[0])
        return self.graph.locate(said.place, WITHOUT.value, said.policy)

    def stating(self, subject: str, predicate: str, value: str) -> str:
        """The place that states what `subject` inherits (the first of several); `subject` itself where it does."""
        node, policy = NamedNode(subject), NamedNode(predicate)
        if policy not in self.policies or not any(
            lexical(held) == value and (node, policy, held) in self.graph.rules
            for held in self._index.values(node, policy)
        ):
            return subject
        standing = self.standing(node, policy)
        deciding = standing.deciding if standing is not None else ()
        return next((said.place for said in deciding if value in said.values), subject)

    def _groups(self, member: Resource, policy: NamedNode) -> Iterator[list[Said]]:
        """What is said of a policy, in groups of equal precedence, the nearest first; no group is empty."""
        kinds = self.policies.get(policy, ())
        types = self._index.values(member, RDF_TYPE)
        for kind in kinds:
            if kind not in types:
                continue
            own = self._said("route" if kind == ROUTE else "service", member, policy, stated=True)
            if own:
                yield [own]
            classes = [c for c in types if type(c) is NamedNode and c != kind and kind in self._classes_above(c)]
            yield from self._ranked("class", classes, policy, self._classes_above)
            if kind == ROUTE:
                hosts = self._index.values(member, IN_VIRTUAL_SERVICE)
                yield from self._ranked("virtual service", hosts, policy, self._hosts_above)
                gateway = self.gateway_of(member)
                said = self._said("gateway", gateway, policy) if gateway is not None else None
                if said is not None and said.values:
                    yield [said]

    def _ranked(self, rank: str, places: Sequence[Term], policy: NamedNode, above: _Above) -> Iterator[list[Said]]:
        """What places of one rank say, the most specific first: those with no speaker below them, then the next."""
        left = {place: said for place in places if (said := self._said(rank, place, policy))}
        while left:
            group = [
                place
                for place in left
                if not any(place in above(other) and other not in above(place) for other in left if other != place)
            ]
            if not group:  # cannot be: being more specific is an order
                group = list(left)
            yield sorted((left.pop(place) for place in group), key=lambda said: said.place)

    def _said(self, rank: str, place: Term, policy: NamedNode, *, stated: bool = False) -> Said | None:
        values: Iterable[Term] = self._index.values(place, policy)
        rules = self.graph.rules
        if stated:
            values = [value for value in values if (place, policy, value) not in rules]
        texts = tuple(sorted(lexical(value) for value in values))
        if texts:
            return Said(rank, lexical(place), policy.value, texts)
        declined = policy in self._index.values(place, WITHOUT)
        if declined and not (stated and (place, WITHOUT, policy) in rules):
            return Said(rank, lexical(place), policy.value, ())
        return None

    def gateway_of(self, route: Resource) -> Resource | None:
        """The gateway whose policies reach a route: the one that lists it, or the only one there is."""
        listed = self._index.holders(HAS_ROUTE, route)
        if listed:
            return listed[0] if len(listed) == 1 else None
        return self._gateways[0] if len(self._gateways) == 1 else None

    def _hosts_above(self, host: Term) -> Sequence[Term]:
        return self._index.values(host, WITHIN_VIRTUAL_SERVICE)

    def _classes_above(self, kind: Term) -> frozenset[Term]:
        found = self._above.get(kind)
        if found is None:
            reached: dict[Term, None] = {}
            todo = [kind]
            while todo:
                current = todo.pop()
                for index in (self._index, self.graph.ontology.index):
                    fresh = [upper for upper in index.values(current, SUB_CLASS) if upper not in reached]
                    reached.update(dict.fromkeys(fresh))
                    todo += fresh
            found = self._above[kind] = frozenset(reached)
        return found
