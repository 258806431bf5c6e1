"""Why a route does not take a request, and an edit of the configuration after which it does: of the edits that are
tried (below) the one with the fewest steps.

What stands in the way is of two kinds: predicates of the route that the request fails, each of which has to go or to be
widened; and routes that hold too and come first in the order. Against those the route can be made more specific (this
very host, path, method), or be given a priority; only when nothing of that puts it first has the other to go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from api_gateway_service_mesh.model import HeaderMatch, PathKind, PathMatch, QueryMatch, RouteMatch
from api_gateway_service_mesh.vocabulary import NAMESPACE

from .decision import ExplainRequest, Verdict, reason, rung, verdicts
from .entry import RouteEntry
from .precedence import Precedence
from .table import RoutingTable, compile_table
from .witness import witnesses

__all__ = ["Step", "WhyNot", "edited", "render_why_not", "why_not", "why_not_json"]

_DELETION = 100


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an edit: in words, and as a SPARQL Update. ``match``: what the route asks for then; None: ``gone`` is
    the IRI of a route that is deleted."""

    text: str
    update: str
    match: RouteMatch | None = None
    gone: str | None = None


@dataclass(frozen=True, slots=True)
class WhyNot:
    """``failed``: what the request fails. ``beaten_by``: the routes that hold and come first, each with the reason.
    ``steps``: the edit; empty when the route takes the request. ``example``: a request that it takes as it is."""

    entry: RouteEntry
    failed: tuple[Verdict, ...]
    beaten_by: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    example: str | None

    @property
    def update(self) -> str:
        """All steps as one SPARQL Update."""
        body = " ;\n".join(step.update for step in self.steps)
        return f"PREFIX agw: <{NAMESPACE}>\n{body}\n" if body else ""


def why_not(table: RoutingTable, request: ExplainRequest, iri: str) -> WhyNot:
    """Why the route `iri` does not take `request`. The edit was tried: with it the route wins.

    Raises:
        KeyError: there is no such route.
    """
    entry = next((entry for entry in table.entries if entry.route.iri == iri), None)
    if entry is None:
        raise KeyError(iri)
    failed = tuple(verdict for verdict in verdicts(entry, request) if not verdict.held)
    example = next((str(found) for found in _examples(table, entry)), None)
    rivals = [
        (key, other) for other in table.entries if other is not entry and (key := rung(other, request)) is not None
    ]
    rivals.sort(key=lambda pair: pair[0])
    mine = rung(entry, request)
    if mine is not None and not any(key < mine for key, _ in rivals):
        return WhyNot(entry, (), (), (), example)
    steps = min(_edits(entry, request, rivals), key=_cost)
    if mine is None:  # how it would stand once its predicates held
        forced = [step for step in _forced(entry, request) if step.match is not None]
        mine = rung(RouteEntry(replace(entry.route, match=_joined(entry, request, forced))), request)
    ahead = [(other.route.name, reason(key, mine)) for key, other in rivals if mine is not None and key < mine]
    return WhyNot(entry, failed, tuple(ahead), steps, example)


def edited(table: RoutingTable, found: WhyNot) -> RoutingTable:
    """The table after the edit."""
    gone = {step.gone for step in found.steps}
    matches = [step.match for step in found.steps if step.match is not None]
    routes = []
    for route in table.mesh.routes:
        if route.iri == found.entry.route.iri and matches:
            route = replace(route, match=matches[-1])
        if route.iri not in gone:
            routes.append(route)
    return compile_table(replace(table.mesh, routes=tuple(routes)))


def _examples(table: RoutingTable, entry: RouteEntry) -> Iterator[object]:
    for method in entry.methods or ("GET",):
        for host in entry.hosts:
            for found in witnesses(entry, host, method):
                if table.find(found.host, found.method, found.path, found.query, dict(found.headers)) is entry:
                    yield found


def _cost(steps: Sequence[Step]) -> tuple[int, int, str]:
    deleted = sum(step.gone is not None for step in steps)
    path = sum("routePath" in step.update for step in steps)
    return (deleted * _DELETION + len(steps) + path, len(steps), str([step.text for step in steps]))


def _edits(
    entry: RouteEntry, request: ExplainRequest, rivals: Sequence[tuple[Precedence, RouteEntry]]
) -> Iterator[tuple[Step, ...]]:
    """Edits after which the route wins, each with what has to be in it and some of what may be."""
    forced = _forced(entry, request)
    optional = [step for step in _optional(entry, request, rivals) if step.text not in {one.text for one in forced}]
    for count in range(len(optional) + 1):
        for chosen in combinations(optional, count):
            steps = [*forced, *chosen]
            match = _joined(entry, request, steps)
            key = rung(RouteEntry(replace(entry.route, match=match)), request)
            if key is None:
                continue
            deleted = [_delete(other) for rival, other in rivals if rival < key]
            changed = tuple(replace(step, match=match) for step in steps)
            yield (*changed, *deleted)


def _forced(entry: RouteEntry, request: ExplainRequest) -> list[Step]:
    """What has to be different for the route to hold at all."""
    found: list[Step] = []
    for verdict in verdicts(entry, request):
        if verdict.held:
            continue
        if verdict.predicate == "host":
            found.append(_host(entry, request))
        elif verdict.predicate.startswith("path"):
            found.append(_path(entry, request))
        elif verdict.predicate == "method":
            found.append(_method(entry, request))
    conditions = entry.conditions
    if conditions is not None:
        held = {verdict.predicate: verdict.held for verdict in verdicts(entry, request)}
        for link, tests, kind in (("matchesHeader", conditions.headers, "header"),
                                  ("matchesQueryParameter", conditions.query, "query")):  # fmt: skip
            found += [
                _drop(entry, link, test.match)  # type: ignore[arg-type]
                for test in tests
                if not held[f"{kind} {test.name}"] or _fails(entry, request, test.match)
            ]
    return found


def _fails(entry: RouteEntry, request: ExplainRequest, match: object) -> bool:
    """Whether one predicate fails, where another of the same name does not."""
    alone = replace(
        entry.route.match,
        hosts=(),
        methods=(),
        path=PathMatch(PathKind.EXACT, request.path),
        headers=(match,) if isinstance(match, HeaderMatch) else (),
        query=(match,) if isinstance(match, QueryMatch) else (),
    )
    return rung(RouteEntry(replace(entry.route, match=alone)), request) is None


def _optional(
    entry: RouteEntry, request: ExplainRequest, rivals: Sequence[tuple[Precedence, RouteEntry]]
) -> Iterator[Step]:
    if request.host and request.host.lower() not in entry.route.match.hosts:
        yield _host(entry, request)
    if entry.route.match.path != PathMatch(PathKind.EXACT, request.path):
        yield _path(entry, request)
    if request.method not in entry.methods:
        yield _method(entry, request)
    highest = max((other.route.match.priority for _, other in rivals), default=0)
    if highest >= entry.route.match.priority:
        yield _priority(entry, highest + 1)


def _joined(entry: RouteEntry, request: ExplainRequest, steps: Sequence[Step]) -> RouteMatch:
    """The match with all steps in it: each step has changed one member of the route's own match."""
    match, own = entry.route.match, entry.route.match
    for step in steps:
        assert step.match is not None
        for name in ("path", "hosts", "methods", "priority"):
            if getattr(step.match, name) != getattr(own, name):
                match = replace(match, **{name: getattr(step.match, name)})
        match = replace(
            match,
            headers=tuple(header for header in match.headers if header in step.match.headers),
            query=tuple(parameter for parameter in match.query if parameter in step.match.query),
        )
    return match


# --- steps -----------------------------------------------------------------------------------------------------------


def _host(entry: RouteEntry, request: ExplainRequest) -> Step:
    match, iri = entry.route.match, entry.route.iri
    if not request.host:
        return Step("let it take any host", f"DELETE WHERE {{ <{iri}> agw:hostname ?host }}", replace(match, hosts=()))
    host = request.host.lower().rstrip(".")
    return Step(f"give it the host {host}", f"INSERT DATA {{ <{iri}> agw:hostname {_literal(host)} }}",
                replace(match, hosts=(*match.hosts, host)))  # fmt: skip


def _path(entry: RouteEntry, request: ExplainRequest) -> Step:
    iri, wanted = entry.route.iri, PathMatch(PathKind.EXACT, request.path)
    return Step(
        f"let its path be {request.path}",
        f"DELETE WHERE {{ <{iri}> agw:routePath ?path }} ;\nDELETE WHERE {{ <{iri}> agw:pathMatchType ?kind }} ;\n"
        f'INSERT DATA {{ <{iri}> agw:routePath {_literal(request.path)} ; agw:pathMatchType "Exact" }}',
        replace(entry.route.match, path=wanted),
    )


def _method(entry: RouteEntry, request: ExplainRequest) -> Step:
    match = entry.route.match
    return Step(f"let it state the method {request.method}",
                f"INSERT DATA {{ <{entry.route.iri}> agw:httpMethod {_literal(request.method)} }}",
                replace(match, methods=(*entry.methods, request.method)))  # fmt: skip


def _drop(entry: RouteEntry, link: str, gone: HeaderMatch | QueryMatch) -> Step:
    match = entry.route.match
    what = "header" if isinstance(gone, HeaderMatch) else "query parameter"
    return Step(
        f"let it not ask for the {what} {gone.name}",
        f"DELETE WHERE {{ <{entry.route.iri}> agw:{link} <{gone.iri}> }}",
        replace(
            match,
            headers=tuple(header for header in match.headers if header != gone),
            query=tuple(parameter for parameter in match.query if parameter != gone),
        ),
    )


def _priority(entry: RouteEntry, priority: int) -> Step:
    iri = entry.route.iri
    return Step(
        f"give it the priority {priority}",
        f"DELETE WHERE {{ <{iri}> agw:priority ?before }} ;\nINSERT DATA {{ <{iri}> agw:priority {priority} }}",
        replace(entry.route.match, priority=priority),
    )


def _delete(other: RouteEntry) -> Step:
    iri = other.route.iri
    return Step(f"delete {other.route.name}, which asks for more", f"DELETE WHERE {{ <{iri}> ?p ?o }} ;\n"
                f"DELETE WHERE {{ ?gateway agw:hasRoute <{iri}> }}", gone=iri)  # fmt: skip


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


# --- told ------------------------------------------------------------------------------------------------------------


def render_why_not(found: WhyNot) -> str:
    """For people."""
    name = found.entry.route.name
    if not found.steps:
        return f"{name} takes this request\n"
    lines = [f"Why not {name}"]
    for verdict in found.failed:
        got = f"got {verdict.got!r}" if verdict.got is not None else "got nothing"
        lines.append(f"  ✘ {verdict.predicate} {verdict.wanted}, {got}")
    lines += [f"  {other} comes before it: {why}" for other, why in found.beaten_by]
    if found.example:
        lines.append(f"  it takes {found.example}")
    lines += ["", "The smallest edit after which it does", *(f"  - {step.text}" for step in found.steps), ""]
    lines += [f"  {line}" for line in found.update.rstrip().splitlines()]
    return "\n".join(lines) + "\n"


def why_not_json(found: WhyNot) -> dict[str, object]:
    """As JSON values."""
    return {
        "route": found.entry.route.iri,
        "failed": [
            {"predicate": verdict.predicate, "wanted": verdict.wanted, "got": verdict.got} for verdict in found.failed
        ],
        "beaten_by": [{"route": other, "why": why} for other, why in found.beaten_by],
        "edit": [step.text for step in found.steps],
        "update": found.update,
        "example": found.example,
    }
