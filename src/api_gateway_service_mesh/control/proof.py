"""Citations completed by trial: each triple about what a decision touches is taken away on its own, and what changes
the decision is cited. So is what takes away a cited triple that was inferred: what it hangs on, the decision hangs on.

The parts of a decision cite what they were made of; what they leave out (a class that carries a policy, a detail that
no sentence mentions) is found here, without validation, which has no say in what a configuration means. Bounded: at
most `_MOST` triples, and no longer than `_SECONDS`; the nearest are tried first.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from pyoxigraph import NamedNode, Triple

from api_gateway_service_mesh.graph import InferredGraph, infer
from api_gateway_service_mesh.graph.change import reinfer
from api_gateway_service_mesh.graph.excerpt import masked, secret_properties
from api_gateway_service_mesh.graph.terms import RDF_TYPE, RDFS, Row, lexical
from api_gateway_service_mesh.model import Mesh, Route, RouteMatch
from api_gateway_service_mesh.projection import assemble, project
from api_gateway_service_mesh.projection.project import reproject
from api_gateway_service_mesh.routing import Citation, Explanation
from api_gateway_service_mesh.vocabulary import AGW, NAMESPACE

if TYPE_CHECKING:
    from .build import Build

__all__ = ["deeds", "proven"]

_MOST = 200
_SECONDS = 2.0
_SUB_CLASS = NamedNode(RDFS + "subClassOf")
_NOT_TRIED = frozenset({NamedNode(AGW.hasRoute)})


def deeds(mesh: Mesh, route: Route) -> object:
    """What a route does with the requests it takes, whichever they are."""
    targets = {route.upstream, *(split.upstream for split in route.splits)}
    acting = replace(route, match=RouteMatch(route.match.path))
    return acting, tuple(upstream for upstream in mesh.upstreams if upstream.iri in targets), mesh.overload


def proven(build: Build, found: Explanation) -> Explanation:
    """`found` with the citations that trials add; where no route takes the request, those that cited ones hang on."""
    follows = _inferred(build, found)
    if not build.questions or (found.winner is None and not follows):
        return found
    end = time.monotonic() + _SECONDS
    iri = found.winner.route.iri if found.winner is not None else None
    wanted = deeds(build.mesh, found.winner.route) if found.winner is not None else ()
    cited = {(citation.subject, citation.predicate, citation.object) for citation in found.citations}
    tried = [triple for triple in _candidates(build, found, wanted) if _key(triple) not in cited][:_MOST]
    if not tried or _without(build, iri, None, follows) != wanted:
        return found
    more, secrets = [], secret_properties(build.inferred)
    for triple in tried:
        if time.monotonic() > end:
            break
        if _without(build, iri, triple, follows) != wanted:
            more.append(Citation(*_key(masked(triple, secrets))))
    return replace(found, citations=tuple(dict.fromkeys((*found.citations, *more))))


def _key(triple: Triple) -> tuple[str, str, str]:
    return lexical(triple.subject), triple.predicate.value, lexical(triple.object)


def _candidates(build: Build, found: Explanation, touched: object) -> Iterator[Triple]:
    """The triples of the source about anything that the decision touches, and the classes it belongs to."""
    nodes = dict.fromkeys((*_names(touched), *(citation.subject for citation in found.citations)))
    index: dict[object, list[Triple]] = {}
    for triple in build.source.triples:
        index.setdefault(triple.subject, []).append(triple)
    todo = [NamedNode(iri) for iri in nodes if ":" in iri]
    seen = set(todo)
    gateways = {build.mesh.iri}
    while todo:
        node = todo.pop(0)
        for triple in index.get(node, ()):
            if triple.predicate in (RDF_TYPE, _SUB_CLASS):
                upper = triple.object
                if type(upper) is NamedNode and not upper.value.startswith(NAMESPACE):
                    yield triple
                    if upper not in seen:
                        seen.add(upper)
                        todo.append(upper)
            elif triple.predicate.value.startswith(NAMESPACE) and triple.predicate not in _NOT_TRIED:
                yield triple
                below = triple.object
                if type(below) is NamedNode and below not in seen and node.value not in gateways:
                    seen.add(below)
                    todo.append(below)


def _names(value: Any) -> Iterator[str]:
    """The IRIs of all things in a part of the model."""
    if isinstance(value, tuple):
        for item in value:
            yield from _names(item)
    elif is_dataclass(value):
        for field in fields(value):
            held = getattr(value, field.name)
            if field.name == "iri" and held:
                yield held
            else:
                yield from _names(held)


def _inferred(build: Build, found: Explanation) -> tuple[Citation, ...]:
    """The citations that nobody stated: triples that follow from others."""
    about = {citation.subject for citation in found.citations}
    stated = {_key(triple) for triple in build.source.triples if lexical(triple.subject) in about}
    return tuple(
        citation
        for citation in found.citations
        if (citation.subject, citation.predicate, citation.object) not in stated and _holds(build.inferred, citation)
    )


def _holds(inferred: InferredGraph, citation: Citation) -> bool:
    if ":" not in citation.subject:
        return False
    held = inferred.index.values(NamedNode(citation.subject), NamedNode(citation.predicate))
    return any(lexical(value) == citation.object for value in held)


def _without(build: Build, route: str | None, gone: Triple | None, follows: tuple[Citation, ...]) -> object:
    """What the route (None: none) does without one triple; None where there is no such route then, or something of
    `follows` does not follow any more."""
    source = build.source
    if gone is not None:
        row: Row = (gone.subject, gone.predicate, gone.object)  # type: ignore[assignment]
        source = source.changed((row,), ()).restated(documents=source.documents)
    inferred, rows_asked = build.inferred, build.rows
    if gone is not None:
        step = reinfer(source, build.inferred)
        if step is None:  # an axiom: everything hangs on it
            inferred = infer(source)
            rows_asked = project(inferred)
        else:
            inferred = step[0]
            rows_asked, _ = reproject(inferred, build.questions, build.rows, build.questions, step[1])
    if not all(_holds(inferred, citation) for citation in follows):
        return None
    if route is None:
        return ()
    mesh = assemble(rows_asked, inferred, build.mesh.iri, ()).mesh
    served = next((each for each in mesh.routes if each.iri == route), None)
    return deeds(mesh, served) if served is not None else None
