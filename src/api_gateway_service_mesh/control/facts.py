"""Facts that shapes may judge though nobody states them: read from the world when a configuration is built.

They change with the day and with files, not with the configuration, so shapes that look at them are judged anew and
whole on every build; there are few such nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from pyoxigraph import Literal, NamedNode

from api_gateway_service_mesh.errors import AgwError, Finding
from api_gateway_service_mesh.graph import InferredGraph
from api_gateway_service_mesh.graph.excerpt import Excerpts
from api_gateway_service_mesh.graph.findings import finding_of
from api_gateway_service_mesh.graph.results import ValidationResult
from api_gateway_service_mesh.graph.shacl import Run, in_order, shape_results
from api_gateway_service_mesh.graph.shapes import ShapesGraph
from api_gateway_service_mesh.graph.terms import Row
from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.vocabulary import AGW, XSD

from .used import used_certificates

__all__ = ["certificate_facts", "judged_facts"]

_DAYS_LEFT, _INTEGER = NamedNode(AGW.certificateDaysLeft), NamedNode(XSD.integer)


def certificate_facts(mesh: Mesh, today: date) -> Iterator[Row]:
    """The days that each certificate in use has left; the build refuses one whose file cannot be read."""
    from api_gateway_service_mesh.security.facts import expiry  # slow to import, and needed by few

    for certificate in used_certificates(mesh):
        if certificate.certificate_file is None:
            continue
        try:
            left = (expiry(certificate.certificate_file).date() - today).days
        except AgwError:
            continue
        yield NamedNode(certificate.iri), _DAYS_LEFT, Literal(str(left), datatype=_INTEGER)


def judged_facts(
    inferred: InferredGraph, shapes: ShapesGraph, mesh: Mesh, today: date
) -> tuple[tuple[ValidationResult, ...], tuple[Finding, ...]]:
    """What `shapes` say of a configuration with the facts of `today` added."""
    if not shapes.targeted:
        return (), ()
    index = inferred.index.copy()
    index.extend(certificate_facts(mesh, today))
    results = in_order(shape_results(Run(index, lambda: inferred.data), shapes))
    excerpts = Excerpts(inferred)
    return tuple(results), tuple(finding_of(r, shapes.shape(r.shape), inferred, excerpts) for r in results)
