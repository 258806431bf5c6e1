"""Which triples of the routes' matches a decision hangs on: those whose deletion would change it.

Found by trying: each triple of a match is taken away on its own and the route put to the request again. So the winner's
triples are cited that it wins by, and the triple of another route that alone keeps it from winning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from api_gateway_service_mesh.model import HeaderMatch, PathKind, PathMatch, QueryMatch, Route, RouteMatch, ValueKind
from api_gateway_service_mesh.vocabulary import AGW, NAMESPACE, RDF_TYPE

from .condition import condition_findings
from .decision import ExplainRequest, path_text, rung
from .effect import Citation
from .entry import RouteEntry
from .host import host_holds
from .path import path_findings, path_holds
from .precedence import Precedence

__all__ = ["match_citations"]


def match_citations(
    entries: tuple[RouteEntry, ...], request: ExplainRequest, winner: RouteEntry | None
) -> tuple[Citation, ...]:
    """The triples about matching that the outcome for `request` hangs on, the winner's first."""
    rungs = {entry.index: key for entry in entries if (key := rung(entry, request)) is not None}
    cited: list[Citation] = []
    if winner is not None:
        runner_up = min((key for index, key in rungs.items() if index != winner.index), default=None)
        cited += _deciding(winner, request, runner_up)
    best = rungs[winner.index] if winner is not None else None
    if winner is None:
        cited += _refusing(entries, request)
    for entry in entries:
        if winner is None or entry.index != winner.index:
            cited += _preventing(entry, request, best)
    return tuple(dict.fromkeys(cited))


def _existing(entry: RouteEntry) -> tuple[Citation, ...]:
    """What there is of a route whatever it asks."""
    iri = entry.route.iri
    return Citation(iri, RDF_TYPE, AGW.Route), Citation(iri, AGW.routePath, path_text(entry))


def _refusing(entries: Sequence[RouteEntry], request: ExplainRequest) -> Iterator[Citation]:
    """The triples that make a refusal the one it is, 404 or 405 with these methods."""
    stated = {entry.index: entry.methods for entry in entries if _reaches(entry, request)}
    before = _allow(stated.values(), request)
    for entry in entries:
        rest = {index: methods for index, methods in stated.items() if index != entry.index}
        if entry.index in stated and _allow(rest.values(), request) != before:
            yield from _existing(entry)
        for citations, match in _without_one(entry):
            if match is None or (entry.index not in stated and match.path == entry.route.match.path and not match.hosts
                                 and not entry.route.match.hosts):  # fmt: skip
                continue
            changed = RouteEntry(replace(entry.route, match=match))
            reached = {**rest, entry.index: changed.methods} if _reaches(changed, request) else rest
            if _allow(reached.values(), request) != before:
                yield from citations


def _allow(stated: Iterable[Sequence[str]], request: ExplainRequest) -> frozenset[str]:
    """What a 405 allows where routes with these methods are reached; empty: it is a 404."""
    listed = list(stated)
    methods = {method for methods in listed for method in methods}
    if "GET" in methods:
        methods.add("HEAD")
    return frozenset() if () in listed or request.method in methods else frozenset(methods)


def _reaches(entry: RouteEntry, request: ExplainRequest) -> bool:
    """Whether host and path hold."""
    return path_holds(entry.path, request.path) and any(host_holds(key, request.host.lower()) for key in entry.hosts)


def _deciding(winner: RouteEntry, request: ExplainRequest, runner_up: Precedence | None) -> Iterator[Citation]:
    yield from _existing(winner)
    for citations, match in _without_one(winner):
        key = _rung_without(winner, match, request)
        if key is None or (runner_up is not None and key > runner_up):
            yield from citations


def _preventing(entry: RouteEntry, request: ExplainRequest, best: Precedence | None) -> Iterator[Citation]:
    holds = path_holds(entry.path, request.path)
    for citations, match in _without_one(entry):
        if not holds and match is not None and match.path == entry.route.match.path:
            continue
        key = _rung_without(entry, match, request)
        if key is not None and (best is None or key < best):
            yield from citations


def _rung_without(entry: RouteEntry, match: RouteMatch | None, request: ExplainRequest) -> Precedence | None:
    if match is None:
        return None
    return rung(RouteEntry(replace(entry.route, match=match)), request)


def _without_one(entry: RouteEntry) -> Iterator[tuple[tuple[Citation, ...], RouteMatch | None]]:
    """Each triple of a match, and the match without it; None when the configuration would then be refused."""
    route, match = entry.route, entry.route.match
    for host in match.hosts:
        rest = tuple(other for other in match.hosts if other != host)
        yield (_cite(route, "hostname", host),), replace(match, hosts=rest)
    for method in match.methods:
        left = tuple(other for other in match.methods if other != method)
        yield (_cite(route, "httpMethod", method),), replace(match, methods=left)
    for header in match.headers:
        headers = tuple(other for other in match.headers if other is not header)
        yield _value_citations(route, "matchesHeader", "header", header), replace(match, headers=headers)
    for parameter in match.query:
        query = tuple(other for other in match.query if other is not parameter)
        yield _value_citations(route, "matchesQueryParameter", "parameter", parameter), replace(match, query=query)
    if match.priority:
        yield (_cite(route, "priority", str(match.priority)),), replace(match, priority=0)
    read = _read(match.path.text)
    if match.path.kind in (PathKind.REGULAR_EXPRESSION, PathKind.EXACT) and read != match.path:
        changed = replace(match, path=read)
        refused = path_findings(replace(route, match=changed)) or condition_findings(route)
        yield (_cite(route, "pathMatchType", match.path.kind.value),), None if refused else changed


def _read(text: str) -> PathMatch:
    """A path as its text alone is read, without ``agw:pathMatchType``."""
    if any(segment.startswith("{") and segment.endswith("}") for segment in text.split("/")):
        return PathMatch(PathKind.TEMPLATE, text)
    if text.endswith("/*"):
        return PathMatch(PathKind.PREFIX, text[:-2])
    return PathMatch(PathKind.EXACT, text)


def _value_citations(route: Route, link: str, stem: str, match: HeaderMatch | QueryMatch) -> tuple[Citation, ...]:
    cited = [_cite(route, link, match.iri), Citation(match.iri, f"{NAMESPACE}{stem}Name", match.name)]
    if match.kind is not ValueKind.PRESENT:
        cited.append(Citation(match.iri, f"{NAMESPACE}{stem}Value", match.value))
    if match.kind is not ValueKind.EXACT:
        cited.append(Citation(match.iri, AGW.valueMatchType, match.kind.value))
    return tuple(cited)


def _cite(route: Route, term: str, value: str) -> Citation:
    return Citation(route.iri, NAMESPACE + term, value)
