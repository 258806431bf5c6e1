"""The third stage: a configuration that may be put to use, or a report that says why not."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyoxigraph import Store

from api_gateway_service_mesh.errors import ConfigError, Location, Report

from .infer import InferredGraph
from .terms import Term

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


def check(inferred: InferredGraph) -> Report:
    """Everything found in a configuration: warnings of loading, unknown terms, and what the shapes say."""
    return Report().merged(inferred.source.findings)


def validate(inferred: InferredGraph) -> ValidatedGraph:
    """`check`, raising `ConfigError` when anything found is a violation."""
    report = check(inferred)
    if not report.conforms:
        raise ConfigError(report)
    return ValidatedGraph(inferred, report, inferred.store)
