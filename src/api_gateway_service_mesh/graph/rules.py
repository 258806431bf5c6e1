"""The inference rules of ``queries/infer``: CONSTRUCT queries, some of them written once for every policy there is.

Rules of this module: a query with the pattern ``?policy agw:inheritedBy ?kind`` (or with a class for ``?kind``) is a
*template*. The ontology answers the pattern, and each answer makes one rule, with the property for ``?policy`` and the
class for ``?kind``. So a property of the ontology that says ``agw:inheritedBy agw:Route`` has joined the merge rules.
Rules run in the order of their files' names, which is the order of precedence: what a class hands down is there before
a virtual service is asked, and that before a gateway is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from pyoxigraph import BlankNode, NamedNode

from api_gateway_service_mesh import resources

from .footprint import Footprint, footprint_of
from .index import TripleIndex
from .ontology import Ontology, agw_ontology
from .patterns import read_patterns
from .tbox import SUB_CLASS, Tbox
from .terms import AGW

__all__ = ["Rule", "Sources", "inherited", "shipped_rules"]

GATEWAY, VIRTUAL_SERVICE = NamedNode(AGW + "ApiGateway"), NamedNode(AGW + "VirtualService")
INHERITED_BY, WITHOUT = NamedNode(AGW + "inheritedBy"), NamedNode(AGW + "withoutPolicy")

_HANDS_DOWN = re.compile(r"CONSTRUCT \{ \?member agw:(\w+) \?value \}")
_TEMPLATE = re.compile(r"^ *\?policy agw:inheritedBy (\?kind|agw:(\w+)) \.\n", re.MULTILINE)


@dataclass(frozen=True)
class Sources:
    """What there is to be handed down: for each sort of place (``class``, ``host``, ``gateway``) the policies that any
    place of the sort states or declines. A sort that has no places is missing. ``used`` are all properties that
    anything has, in the ontology too."""

    spoken_of: dict[str, frozenset[NamedNode]]
    used: frozenset[NamedNode]

    @classmethod
    def of(cls, index: TripleIndex, tbox: Tbox) -> Sources:
        """Those of a configuration."""
        found: dict[str, frozenset[NamedNode]] = {}
        places: dict[str, list[NamedNode | BlankNode]] = {
            "class": [*tbox.named(), *(s for s in index.users(SUB_CLASS) if type(s) is NamedNode)],
            "host": index.instances(VIRTUAL_SERVICE),
            "gateway": index.instances(GATEWAY),
        }
        for sort, held in places.items():
            predicates: set[NamedNode] = set()
            for place in held:
                properties = index.properties(place)
                predicates.update(properties)
                predicates.update(v for v in properties.get(WITHOUT, ()) if type(v) is NamedNode)
            if held:
                found[sort] = frozenset(predicates)
        return cls(found, frozenset(index.predicates()).union(agw_ontology().index.predicates()))


@dataclass(frozen=True)
class Rule:
    """One CONSTRUCT query. ``policy`` is the property that is handed down; None when it is another rule."""

    name: str
    query: str
    policy: NamedNode | None = None

    @cached_property
    def footprint(self) -> Footprint | None:
        """What the rule looks at for one member of a class; None when that cannot be told."""
        patterns = read_patterns(self.query)
        return footprint_of(patterns, "member") if patterns else None

    @cached_property
    def _sort(self) -> str | None:
        """The sort of place that the rule needs at least one of."""
        return next((sort for sort in ("class", "host", "gateway") if f"?{sort} " in self.query), None)

    def can_fire(self, sources: Sources) -> bool:
        """False when there is nothing of what the rule hands down, or nothing that it begins with."""
        if self._sort is None:
            return self.footprint is None or self.footprint.needed <= sources.used
        spoken_of = sources.spoken_of.get(self._sort)
        return spoken_of is not None and (self.policy is None or self.policy in spoken_of)


@cache
def inherited(ontology: Ontology) -> dict[NamedNode, tuple[NamedNode, ...]]:
    """The policies that are inherited, by IRI, and the classes whose members inherit each."""
    found: dict[NamedNode, list[NamedNode]] = {}
    for policy, kind in ontology.index.pairs(INHERITED_BY):
        if type(policy) is NamedNode and type(kind) is NamedNode:
            found.setdefault(policy, []).append(kind)
    return {policy: tuple(found[policy]) for policy in sorted(found, key=str)}


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """The rules of ``queries/infer``, in the order of their names; templates filled in for every policy."""
    files = sorted(resources.queries("infer").glob("*.rq"))
    return tuple(rule for path in files for rule in _filled_in(path.stem, path.read_text(), agw_ontology()))


def _filled_in(name: str, query: str, ontology: Ontology) -> Iterator[Rule]:
    template = _TEMPLATE.search(query)
    if template is None:
        handed = _HANDS_DOWN.search(query)
        yield Rule(name, query, NamedNode(AGW + handed[1]) if handed else None)
        return
    text = query.replace(template.group(), "")
    for policy, kinds in inherited(ontology).items():
        for kind in kinds:
            if template[2] is None or kind.value == AGW + template[2]:
                filled = re.sub(r"\?policy\b", str(policy), re.sub(r"\?kind\b", str(kind), text))
                yield Rule(f"{name}:{policy.value.removeprefix(AGW)}", filled, policy)
