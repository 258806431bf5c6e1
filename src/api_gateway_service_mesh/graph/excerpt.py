"""The source line a finding points at, with malformed secrets blotted out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from functools import lru_cache

from pyoxigraph import Literal, NamedNode, Triple

from .document import Document
from .infer import InferredGraph
from .positions import Span, Spot
from .secrets import MASK, blot, is_credential, is_reference, masked_source
from .tbox import Tbox
from .terms import AGW, Term

__all__ = ["Excerpts", "hidden_values", "masked", "secret_properties"]

_FIELDS = ("setsHeader", "addsHeader", "setsField", "responseField", "healthCheckHeader")
"""What takes a header field."""


def secret_properties(inferred: InferredGraph) -> frozenset[NamedNode]:
    """``agw:secretRef`` and every property below it, the user's own included, whether or not it is used."""
    return _secret_properties(inferred.tbox)


@lru_cache(maxsize=4)
def _secret_properties(tbox: Tbox) -> frozenset[NamedNode]:
    secret = NamedNode(AGW + "secretRef")
    return frozenset((secret, *(term for term in tbox.named() if secret in tbox.above(term))))


def masked(triple: Triple, secrets: Collection[NamedNode]) -> Triple:
    """`triple` as it may be told: the value of one of the properties `secrets` that is no reference is masked."""
    value = triple.object
    if triple.predicate in secrets and isinstance(value, Literal) and not is_reference(value.value):
        return Triple(triple.subject, triple.predicate, Literal(MASK))
    return triple


def hidden_values(inferred: InferredGraph) -> frozenset[Term]:
    """The values in a graph that `masked` masks, and header fields that prove who is calling."""
    stated = (value for name in secret_properties(inferred) for _, value in inferred.index.pairs(name))
    fields = (value for name in _FIELDS for _, value in inferred.index.pairs(NamedNode(AGW + name)))
    return frozenset(
        (
            *(value for value in stated if isinstance(value, Literal) and not is_reference(value.value)),
            *(value for value in fields if isinstance(value, Literal) and is_credential(value.value)),
        )
    )


class Excerpts:
    """Lines of the sources, for printing. Positions are asked for only when a line is."""

    def __init__(self, inferred: InferredGraph) -> None:
        self._inferred = inferred
        self._secrets = secret_properties(inferred)
        self._blots: dict[str, list[Span]] | None = None
        self._texts: dict[str, str] = {}

    def is_secret(self, predicate: NamedNode, value: Term) -> bool:
        """Whether a value may be a secret written by mistake, not to be shown."""
        if not isinstance(value, Literal):
            return False
        return (predicate in self._secrets and not is_reference(value.value)) or is_credential(value.value)

    def details(self, spot: Spot | None) -> tuple[tuple[str, str], ...]:
        """The ``source`` line of a spot and the ``span`` of its carets, as details of a finding."""
        if spot is None or not spot.document.has_positions:
            return ()
        text = spot.document.text
        start = spot.start - (spot.location.column - 1)
        end = text.find("\n", start)
        line = self._masked(spot.document)[start : end if end >= 0 else len(text)]
        for first, last in self._all_blots()[spot.document.name]:
            if first < start + len(line) and last > start:
                one, two = max(first - start, 0), min(last - start, len(line))
                line = line[:one] + blot(line[one:two]) + line[two:]
        return (("source", line.rstrip()), ("span", str(spot.length)))

    def _masked(self, document: Document) -> str:
        """Its text without what stands behind names that sound like secrets, known or not."""
        found = self._texts.get(document.name)
        if found is None:
            found = self._texts[document.name] = masked_source(document.text)
        return found

    def _all_blots(self) -> dict[str, list[Span]]:
        if self._blots is None:
            self._blots = defaultdict(list)
            if self._inferred.source.documents:
                wanted = frozenset(predicate.value for predicate in self._secrets)
                for value, document, span in self._inferred.source.positions.objects(wanted):
                    if isinstance(value, Literal) and not is_reference(value.value):
                        self._blots[document.name].append(span)
        return self._blots
