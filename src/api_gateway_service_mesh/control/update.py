"""A change somebody asks for while the gateway serves: what may refuse it, and how the refusal is told.

A change is a delta made from the configuration in force; the supervisor takes it through the gate (`Supervisor.update`)
one at a time: inference, validation, compilation, the store, the workers. Whatever refuses it, nothing has changed.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import pyoxigraph as ox

from api_gateway_service_mesh.errors import ClientError, ConfigError, Report
from api_gateway_service_mesh.graph.results import ValidationResult, report_triples

from .build import Build, BuildRefused
from .delta import Delta, fresh, parse_ntriples
from .sparql.answers import Changes

__all__ = ["Edit", "PreconditionFailed", "UpdateRefused", "delta_of", "etag", "matches", "refusal"]

Edit = Callable[[Build], Awaitable[Delta]]
"""Makes the delta from the configuration in force."""

_TAG = re.compile(r'(?:W/)?"([^"]*)"')


class PreconditionFailed(ClientError):
    """The configuration is not (any more) the one that If-Match names."""

    status = 412
    problem = "precondition-failed"


class UpdateRefused(ConfigError):
    """The configuration would be wrong after the change. ``triples`` are the ``sh:ValidationReport``."""

    def __init__(self, report: Report, results: tuple[ValidationResult, ...]) -> None:
        super().__init__(report)
        told = {(result.focus.value, result.path.predicate.value if result.path else None) for result in results
                if isinstance(result.focus, ox.NamedNode)}  # fmt: skip
        others = [item for item in report.violations if (item.subject, item.predicate) not in told]
        self.triples = tuple(report_triples(results, others))


def refusal(error: ConfigError) -> UpdateRefused:
    """What the gate said, as the answer to whoever asked."""
    return UpdateRefused(error.report, error.results if isinstance(error, BuildRefused) else ())


def delta_of(changes: Changes, made: Build) -> Delta:
    """What an update comes to, its blank nodes named."""
    return fresh(made.source, parse_ntriples(changes.added), parse_ntriples(changes.removed))


def etag(digest: str, form: str = "") -> str:
    """The entity tag of a configuration, as represented in a format."""
    return f'"{digest[:32]}{"-" + form if form else ""}"'


def matches(field: str, digest: str) -> bool:
    """Whether an ``If-Match`` field names the configuration with this digest, in whatever format it was read."""
    if field.strip() == "*":
        return True
    return any(tag.partition("-")[0] == digest[:32] for tag in _TAG.findall(field))
