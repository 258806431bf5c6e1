"""Validation of what changed: the same report as that of everything, for the price of the difference.

Every shape is read once for what it looks at, as walks from its focus node (`footprint.Read`). A changed triple then
leads back to the focus nodes whose verdict may be another one; all others keep theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from .change import Change, Sorted, affected, sorted_reads
from .constraints import ClassConstraint, PairConstraint, ShapeConstraint
from .footprint import Read, Step
from .infer import InferredGraph
from .shacl import Run
from .shapes import Shape, ShapesGraph
from .terms import RDF_TYPE, Term
from .validate import ValidatedGraph, accepted, reported

__all__ = ["revalidate", "shape_reads"]

_MANY = 2000
_EVERYWHERE = Read(None, False, None)


def revalidate(inferred: InferredGraph, previous: ValidatedGraph, change: Change) -> ValidatedGraph:
    """What `validate` gives with the shapes of `previous`, which had no violations.

    Raises:
        ConfigError: with everything that was found.
    """
    shapes, results = previous.shapes, dict(previous.results)
    run = Run(inferred.index, lambda: inferred.data)
    try:
        again, wholly = _to_look_at(run, shapes, change)
        for number, focus in list(results):
            if number in wholly:
                del results[number, focus]
        for number in wholly:
            for target in shapes.targeted[number].targets:
                again.update(((number, focus), None) for focus in run.target_nodes(target))
        run.partial = len(again) <= _MANY
        for number, focus in again:
            shape = shapes.targeted[number]
            results.pop((number, focus), None)
            if run.is_focus(shape, focus) and not run.conforms(shape, focus):
                found = run.results(shape, focus)
                if found:
                    results[number, focus] = tuple(found)
    finally:
        run.close()
    return accepted(reported(inferred, shapes, results, change.stated))


def _to_look_at(run: Run, shapes: ShapesGraph, change: Change) -> tuple[dict[tuple[int, Term], None], set[int]]:
    """Shapes (by number) and focus nodes whose verdict may have changed, and shapes to be asked about all nodes."""
    again: dict[tuple[int, Term], None] = {}
    wholly: set[int] = set()
    for number, focus in affected(run.index, _reads_of(shapes), change.rows):
        if focus is None:
            wholly.add(number)
        else:
            again[number, focus] = None
    targets = _targets_of(shapes)
    by_class: dict[Term, list[int]] = {}
    for subject, predicate, value in change.rows:
        again.update(((number, subject), None) for number in targets.get(("targetSubjectsOf", predicate), ()))
        again.update(((number, value), None) for number in targets.get(("targetObjectsOf", predicate), ()))
        if predicate == RDF_TYPE:
            if value not in by_class:
                by_class[value] = [
                    number
                    for (kind, wanted), numbers in targets.items()
                    if kind == "targetClass" and value in run.classes(wanted)
                    for number in numbers
                ]
            again.update(((number, subject), None) for number in by_class[value])
    return again, wholly


@cache
def _targets_of(shapes: ShapesGraph) -> dict[tuple[str, Term], list[int]]:
    found: dict[tuple[str, Term], list[int]] = {}
    for number, shape in enumerate(shapes.targeted):
        for target in shape.targets:
            found.setdefault(target, []).append(number)
    return found


def shape_reads(shape: Shape, steps: tuple[Step, ...] = ()) -> Iterator[Read]:
    """Everything a shape looks at for the node that `steps` lead to."""
    here = steps
    if shape.path is not None:
        yield Read(shape.path.predicate, shape.path.inverse, steps)
        here = (*steps, (shape.path.predicate, shape.path.inverse))
    for constraint in shape.constraints:
        if isinstance(constraint, ClassConstraint):
            yield Read(RDF_TYPE, False, here)
        elif isinstance(constraint, PairConstraint):
            yield Read(constraint.other, False, steps)
        elif isinstance(constraint, ShapeConstraint):
            for inner in constraint.shapes:
                yield from shape_reads(inner, here)
    for inner in shape.properties:
        yield from shape_reads(inner, here)
    if shape.closed is not None:
        yield Read(None, False, here)
    for query in shape.sparql:
        if query.footprint is None:
            yield _EVERYWHERE
        else:
            for read in query.footprint.reads:
                walk = None if read.steps is None else (*steps, *read.steps)
                yield Read(read.predicate, read.inverse, walk, read.value)


@cache
def _reads_of(shapes: ShapesGraph) -> Sorted[int]:
    return sorted_reads((read, number) for number, shape in enumerate(shapes.targeted) for read in shape_reads(shape))
