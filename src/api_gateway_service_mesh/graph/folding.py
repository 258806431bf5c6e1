"""One finding for one cause: which results are only the echo of another.

- Several constraints broken by the same value: the most basic one speaks (a wrong datatype before a range).
- A misspelt property leaves the right one missing; a misspelt class leaves its subject untyped.
- A subject without type breaks the "belongs to" shape of each of its properties, and every reference to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyoxigraph import NamedNode

from api_gateway_service_mesh.errors import Finding

from .constraints import ShapeConstraint
from .index import TripleIndex
from .results import ValidationResult
from .shapes import Shape, ShapesGraph
from .terms import AGW, RDF_TYPE, Term, lexical, local_name

__all__ = ["fold"]

_RANKS = (
    "NodeKind",
    "Class",
    "Datatype",
    "Node",
    "MinCount",
    "MaxCount",
    "In",
    "HasValue",
    "MinLength",
    "MaxLength",
    "MinInclusive",
    "MaxInclusive",
    "MinExclusive",
    "MaxExclusive",
    "Pattern",
)


def fold(
    results: Sequence[ValidationResult], shapes: ShapesGraph, unknown: Iterable[Finding], index: TripleIndex
) -> list[ValidationResult]:
    """`results` without those that follow from another one or from an unknown term."""
    misspelt_properties: set[tuple[str, str]] = set()
    misspelt_classes: dict[str, set[str]] = {}
    for finding in unknown:
        meant = AGW + (finding.suggestion or "").removeprefix("agw:")
        if finding.predicate == RDF_TYPE.value:
            misspelt_classes.setdefault(finding.subject or "", set()).add(meant)
        else:
            misspelt_properties.add((finding.subject or "", meant))
    wants = _Wants(shapes)
    kept = [r for r in results if not _follows(r, wants, misspelt_properties, misspelt_classes)]
    kept.sort(key=lambda result: _stated_first(result, shapes.shape(result.shape), index))
    return _most_basic(_untyped_once(kept, wants))


class _Wants:
    """The properties and the classes of the focus node that a shape speaks of, inner shapes included."""

    def __init__(self, shapes: ShapesGraph) -> None:
        self._shapes = shapes
        self._known: dict[Term, tuple[frozenset[str], frozenset[str]]] = {}

    def of(self, result: ValidationResult) -> tuple[frozenset[str], frozenset[str]]:
        """Properties and classes."""
        return self._of(self._shapes.shape(result.shape))

    def _of(self, shape: Shape) -> tuple[frozenset[str], frozenset[str]]:
        known = self._known.get(shape.node)
        if known is None:
            paths: set[str] = {shape.path.predicate.value} if shape.path and not shape.path.inverse else set()
            classes: set[str] = set()
            inner = [s for c in shape.constraints if isinstance(c, ShapeConstraint) for s in c.shapes]
            for below in (*inner, *shape.properties):
                below_paths, below_classes = self._of(below)
                paths |= below_paths
                classes |= below_classes if below.path is None else frozenset()
            for constraint in shape.constraints:
                if local_name(constraint.component.value) == "ClassConstraintComponent":
                    classes |= {lexical(parameter) for parameter in constraint.parameter}
            known = self._known[shape.node] = (frozenset(paths), frozenset(classes))
        return known


def _stated_first(result: ValidationResult, shape: Shape, index: TripleIndex) -> int:
    """Among "belongs to" shapes, the one whose property the subject states first is the one to speak."""
    targets = {value for kind, value in shape.targets if kind == "targetSubjectsOf"}
    return next((n for n, p in enumerate(index.properties(result.focus)) if p in targets), 0)


def _follows(
    result: ValidationResult, wants: _Wants, properties: set[tuple[str, str]], classes: dict[str, set[str]]
) -> bool:
    focus = lexical(result.focus)
    wanted_properties, wanted_classes = wants.of(result)
    if result.value is None or result.value == result.focus:
        if any((focus, wanted) in properties for wanted in wanted_properties):
            return True
        return bool(result.path is None and classes.get(focus) and wanted_classes)
    return isinstance(result.value, NamedNode) and bool(wanted_classes) and result.value.value in classes


def _untyped_once(results: Sequence[ValidationResult], wants: _Wants) -> list[ValidationResult]:
    untyped: dict[str, set[str]] = {}
    kept: list[ValidationResult] = []
    for result in results:
        if result.path is None and result.value == result.focus:
            classes = wants.of(result)[1]
            seen = untyped.setdefault(lexical(result.focus), set())
            if classes & seen:
                continue
            seen |= classes
        kept.append(result)
    return [r for r in kept if not _points_at_untyped(r, untyped)]


def _points_at_untyped(result: ValidationResult, untyped: dict[str, set[str]]) -> bool:
    if local_name(result.component.value) != "ClassConstraintComponent" or not isinstance(result.value, NamedNode):
        return False
    return any(lexical(wanted) in untyped.get(result.value.value, ()) for wanted in result.parameter)


def _most_basic(results: Sequence[ValidationResult]) -> list[ValidationResult]:
    best: dict[tuple[Term, str, Term | None], int] = {}
    for result in results:
        key = _subject_of(result)
        best[key] = min(best.get(key, len(_RANKS)), _rank(result))
    seen: set[tuple[object, ...]] = set()
    kept: list[ValidationResult] = []
    for result in results:
        key = _subject_of(result)
        said = (key, result.message)
        if _rank(result) == best[key] and said not in seen:
            seen.add(said)
            kept.append(result)
    return kept


def _subject_of(result: ValidationResult) -> tuple[Term, str, Term | None]:
    """What a result is about. Whole-node results are about their shape, so that two of them stay two."""
    path = str(result.path) if result.path else str(result.shape)
    return result.focus, path, result.value


def _rank(result: ValidationResult) -> int:
    name = local_name(result.component.value).removesuffix("ConstraintComponent")
    return _RANKS.index(name) if name in _RANKS else len(_RANKS)
