"""Citations as the graph has them.

The model keeps values (a timeout of 2.5 s), the graph keeps how they were written (``agw:timeoutDuration "PT2.50S"``).
A citation names a triple, so it takes the graph's spelling: whoever looks for the triple finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from api_gateway_service_mesh.vocabulary import AGW

from .effect import Citation
from .explain import Explanation

__all__ = ["OTHER_SPELLINGS", "States", "Stating", "as_stated"]

#: The values that a subject has for a predicate: (subject, predicate) → IRIs or the text of literals.
States = Callable[[str, str], Sequence[str]]

#: The place that states a triple that was inherited: (subject, predicate, object) → IRI.
Stating = Callable[[str, str, str], str]

OTHER_SPELLINGS = {AGW.timeoutSeconds: (AGW.timeoutDuration, AGW.openDuration)}
"""A value that has two spellings in the vocabulary stands under either."""


def as_stated(explanation: Explanation, states: States, stating: Stating | None = None) -> Explanation:
    """`explanation` with each citation as the triple that `states` knows; what it does not know stays. What a route
    inherits is cited of the place that `stating` names."""

    def stated(citations: tuple[Citation, ...]) -> tuple[Citation, ...]:
        found = (_stated(citation, states) for citation in citations)
        if stating is not None:
            found = (replace(each, subject=stating(each.subject, each.predicate, each.object)) for each in found)
        return tuple(dict.fromkeys(found))

    parts = tuple(replace(part, citations=stated(part.citations)) for part in explanation.parts)
    return replace(explanation, parts=parts, citations=stated(explanation.citations))


def _stated(citation: Citation, states: States) -> Citation:
    for predicate in (citation.predicate, *OTHER_SPELLINGS.get(citation.predicate, ())):
        values = states(citation.subject, predicate)
        if citation.object in values:
            return replace(citation, predicate=predicate)
        alike = [value for value in values if value.casefold() == citation.object.casefold()] or values
        if len(alike) == 1:
            return Citation(citation.subject, predicate, alike[0])
    return citation
