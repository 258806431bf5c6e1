"""The third stage: a configuration that may be put to use, or a report that says why not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from pyoxigraph import RdfFormat, Store

from api_gateway_service_mesh.errors import ConfigError, Location, Report

from .closed import unknown_terms
from .excerpt import Excerpts
from .findings import finding_of
from .folding import fold
from .index import TripleIndex
from .infer import InferredGraph
from .shacl import Results, Run, in_order, shape_results, shipped_shapes
from .shapes import ShapesGraph
from .terms import SHAPES_GRAPH, Row, Term

__all__ = ["InvalidGraph", "ValidatedGraph", "accepted", "check", "reported", "validate"]


@dataclass(frozen=True, eq=False)
class ValidatedGraph:
    """A configuration without violations. ``report`` holds the warnings, ``results`` what the shapes said.

    ``store`` has the named graphs ``urn:agw:graph:config``, ``:inferred``, ``:ontology`` and ``:shapes``.
    """

    inferred: InferredGraph
    report: Report
    shapes: ShapesGraph = field(repr=False)
    results: Results = field(repr=False)

    @property
    def data(self) -> Store:
        """See `InferredGraph.data`."""
        return self.inferred.data

    @property
    def index(self) -> TripleIndex:
        """See `InferredGraph`."""
        return self.inferred.index

    @cached_property
    def store(self) -> Store:
        """All four graphs, for SPARQL. It is made when first asked for."""
        store = self.inferred.store
        store.load(self.shapes.ntriples, format=RdfFormat.N_TRIPLES, to_graph=SHAPES_GRAPH)
        return store

    def locate(self, subject: str, predicate: str | None = None, value: Term | str | None = None) -> Location | None:
        """See `InferredGraph.locate`."""
        return self.inferred.locate(subject, predicate, value)


class InvalidGraph(ConfigError):
    """A configuration with violations; ``results`` is what the shapes said, for a ``sh:ValidationReport``."""

    def __init__(self, judged: ValidatedGraph) -> None:
        super().__init__(judged.report)
        self.results = tuple(in_order(judged.results))


def check(inferred: InferredGraph, shapes: ShapesGraph | None = None) -> Report:
    """Everything found in a configuration: warnings of loading, unknown terms, and what the shapes say."""
    return _judged(inferred, shapes or shipped_shapes()).report


def validate(inferred: InferredGraph, shapes: ShapesGraph | None = None) -> ValidatedGraph:
    """`check`, raising `ConfigError` when anything found is a violation."""
    return accepted(_judged(inferred, shapes or shipped_shapes()))


def _judged(inferred: InferredGraph, shapes: ShapesGraph) -> ValidatedGraph:
    run = Run(inferred.index, lambda: inferred.data)
    results = shape_results(run, shapes)
    run.close()
    return reported(inferred, shapes, results, inferred.source.rows)


def reported(inferred: InferredGraph, shapes: ShapesGraph, results: Results, rows: Iterable[Row]) -> ValidatedGraph:
    """The report about a configuration with these results, whose unknown terms are all in `rows`. It may have
    violations: see `accepted`."""
    excerpts = Excerpts(inferred)
    unknown = unknown_terms(inferred, excerpts, rows)
    kept = fold(in_order(results), shapes, unknown, inferred.index)
    found = [finding_of(result, shapes.shape(result.shape), inferred, excerpts) for result in kept]
    report = Report().merged((*inferred.source.findings, *unknown, *found))
    return ValidatedGraph(inferred, report, shapes, results)


def accepted(judged: ValidatedGraph) -> ValidatedGraph:
    """`judged`, when nothing in its report is a violation; else raises `ConfigError`."""
    if not judged.report.conforms:
        raise InvalidGraph(judged)
    return judged
