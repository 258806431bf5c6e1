"""The source line a finding points at, with malformed secrets blotted out."""

from __future__ import annotations

from collections import defaultdict

from pyoxigraph import Literal, NamedNode

from .infer import InferredGraph
from .positions import Span, Spot
from .secrets import blot, is_reference
from .terms import AGW, Term

__all__ = ["Excerpts", "secret_properties"]


def secret_properties(inferred: InferredGraph) -> frozenset[NamedNode]:
    """``agw:secretRef`` and every property below it, the user's own included."""
    secret = NamedNode(AGW + "secretRef")
    below = (p for p in inferred.index.predicates() if secret in inferred.tbox.above(p))
    return frozenset((secret, *below))


class Excerpts:
    """Lines of the sources, for printing. Positions are asked for only when a line is."""

    def __init__(self, inferred: InferredGraph) -> None:
        self._inferred = inferred
        self._secrets = secret_properties(inferred)
        self._blots: dict[str, list[Span]] | None = None

    def is_secret(self, predicate: NamedNode, value: Term) -> bool:
        """Whether a value may be a secret written by mistake, not to be shown."""
        return predicate in self._secrets and isinstance(value, Literal) and not is_reference(value.value)

    def details(self, spot: Spot | None) -> tuple[tuple[str, str], ...]:
        """The ``source`` line of a spot and the ``span`` of its carets, as details of a finding."""
        if spot is None or not spot.document.has_positions:
            return ()
        text = spot.document.text
        start = spot.start - (spot.location.column - 1)
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else len(text)]
        for first, last in self._all_blots()[spot.document.name]:
            if first < start + len(line) and last > start:
                one, two = max(first - start, 0), min(last - start, len(line))
                line = line[:one] + blot(line[one:two]) + line[two:]
        return (("source", line.rstrip()), ("span", str(spot.length)))

    def _all_blots(self) -> dict[str, list[Span]]:
        if self._blots is None:
            self._blots = defaultdict(list)
            if self._inferred.source.documents:
                wanted = frozenset(predicate.value for predicate in self._secrets)
                for value, document, span in self._inferred.source.positions.objects(wanted):
                    if isinstance(value, Literal) and not is_reference(value.value):
                        self._blots[document.name].append(span)
        return self._blots
