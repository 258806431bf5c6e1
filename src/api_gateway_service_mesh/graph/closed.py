"""The closed vocabulary: an ``agw:`` term that the ontology does not define is an error, with "did you mean"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyoxigraph import NamedNode

from api_gateway_service_mesh.errors import Finding

from .excerpt import Excerpts
from .infer import InferredGraph
from .ontology import Ontology, TermKind
from .positions import Spot
from .suggest import nearest
from .terms import AGW, RDF_TYPE, Row, Term

__all__ = ["unknown_terms"]


_NOUNS = {"property": "a property", "class": "a class"}
_ARTICLES = {TermKind.CLASS: "a class", TermKind.PROPERTY: "a property", TermKind.INDIVIDUAL: "an individual"}


def unknown_terms(inferred: InferredGraph, excerpts: Excerpts, rows: Iterable[Row]) -> list[Finding]:
    """One violation for each use of an undefined term in `rows`: as property, as class, or as another IRI."""
    found: dict[tuple[str, str, str], Finding] = {}
    for row, role in _undefined(inferred.ontology, rows):
        subject, predicate, value = row
        iri = subject.value
        if role == "property":
            term, spot = predicate.value, inferred.source.spot(iri, predicate.value)
            key = (iri, term, "")
        elif role == "subject":
            term, spot = iri, inferred.source.spot(iri)
            key = (iri, "", "")
        else:
            term = value.value  # type: ignore[union-attr]
            spot = inferred.source.spot(iri, predicate.value, value)
            key = (iri, predicate.value, term)
        if key not in found:
            found[key] = _finding(inferred.ontology, excerpts, row, role, term, spot)
    return list(found.values())


def _undefined(ontology: Ontology, rows: Iterable[Row]) -> Iterator[tuple[Row, str]]:
    """Triples with an undefined term, or with one of another kind: a class as property, a property as class."""
    terms = ontology.terms
    wrong: dict[NamedNode, bool] = {}
    before: Term | None = None
    ours = False
    for row in rows:
        subject, predicate, value = row
        if subject is not before:
            before, ours = subject, subject.value.startswith(AGW)
        known = wrong.get(predicate)
        if known is None:
            known = wrong[predicate] = (
                predicate.value.startswith(AGW) and terms.get(predicate.value) is not TermKind.PROPERTY
            )
        if known:
            yield row, "property"
        if type(value) is NamedNode and value.value.startswith(AGW):
            kind = terms.get(value.value)
            if predicate == RDF_TYPE and kind is not TermKind.CLASS:
                yield row, "class"
            elif kind is None:
                yield row, "value"
        if ours and subject.value not in terms:
            yield row, "subject"


def _finding(ontology: Ontology, excerpts: Excerpts, row: Row, role: str, term: str, spot: Spot | None) -> Finding:
    subject, predicate, _ = row
    kinds = {"property": {TermKind.PROPERTY}, "class": {TermKind.CLASS}}.get(role, set(TermKind))
    names = [name.removeprefix(AGW) for name, kind in ontology.terms.items() if kind in kinds]
    local = term.removeprefix(AGW)
    near = nearest(local, names)
    remedy = f"write agw:{near}" if near else "things of your own need a prefix of your own"
    if role in ("subject", "value") and not near:
        remedy = "the agw: namespace holds the ontology's terms only: name your own things with a prefix of your own"
    other = ontology.terms.get(term)
    if role in _NOUNS and other is not None:
        such = f", such as agw:{near}" if near else ""
        remedy = f"agw:{local} is {_ARTICLES[other]}, but here stands {_NOUNS[role]}{such}"
    return Finding(
        "unknown-term",
        f"agw:{local} is not {_NOUNS.get(role, 'a term')} of the agw ontology",
        location=spot.location if spot else None,
        subject=subject.value,
        predicate=RDF_TYPE.value if role == "class" else predicate.value,
        value=f"agw:{local}",
        suggestion=f"agw:{near}" if near else None,
        definition=ontology.definition(AGW + near) if near else None,
        remedy=remedy,
        details=excerpts.details(spot),
    )
