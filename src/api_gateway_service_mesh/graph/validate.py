"""The third stage: a configuration that may be put to use, or a report that says why not."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyoxigraph import RdfFormat, Store

from api_gateway_service_mesh.errors import ConfigError, Location, Report

from .closed import unknown_terms
from .excerpt import Excerpts
from .findings import finding_of
from .folding import fold
from .infer import InferredGraph
from .shacl import shipped_shapes, validate_shapes
from .shapes import ShapesGraph
from .terms import SHAPES_GRAPH, Term

__all__ = ["ValidatedGraph", "check", "validate"]


@dataclass(frozen=True, eq=False)
class ValidatedGraph:
    """A configuration without violations. ``report`` holds the warnings.

    ``store`` has the named graphs ``urn:agw:graph:config``, ``:inferred``, ``:ontology`` and ``:shapes``.
    """

    inferred: InferredGraph
    report: Report
    store: Store = field(repr=False)

    def locate(self, subject: str, predicate: str | None = None, value: Term | str | None = None) -> Location | None:
        """See `InferredGraph.locate`."""
        return self.inferred.locate(subject, predicate, value)


def check(inferred: InferredGraph, shapes: ShapesGraph | None = None) -> Report:
    """Everything found in a configuration: warnings of loading, unknown terms, and what the shapes say."""
    shapes = shapes or shipped_shapes()
    excerpts = Excerpts(inferred)
    unknown = unknown_terms(inferred, excerpts)
    results = fold(validate_shapes(inferred.index, inferred.store, shapes), shapes, unknown, inferred.index)
    found = [finding_of(result, shapes.shape(result.shape), inferred, excerpts) for result in results]
    return Report().merged((*inferred.source.findings, *unknown, *found))


def validate(inferred: InferredGraph, shapes: ShapesGraph | None = None) -> ValidatedGraph:
    """`check`, raising `ConfigError` when anything found is a violation."""
    shapes = shapes or shipped_shapes()
    report = check(inferred, shapes)
    if not report.conforms:
        raise ConfigError(report)
    inferred.store.load(shapes.ntriples, format=RdfFormat.N_TRIPLES, to_graph=SHAPES_GRAPH)
    return ValidatedGraph(inferred, report, inferred.store)
