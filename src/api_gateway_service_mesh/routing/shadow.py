"""Routes that can never match, and pairs that tie: found at load, each with a witness request.

- ``unsatisfiable-route``: the route's own predicates contradict each other.
- ``tied-routes``: same path, host, method, header and query predicates and same priority; only the IRI decides.
- ``shadowed-route``: for every host and method it states, an earlier route takes all that it could.

Near-linear: routes are compared only with those of the same host and the same path. A path can be covered by *another*
path before it in the order in one way only, an expression behind a prefix (or an exact path): more segments go first,
so a template or prefix is never behind one that covers it. Sound, not complete: what is reported never answers; an
expression that covers another expression is not recognised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from operator import is_not
from typing import TYPE_CHECKING

from api_gateway_service_mesh.errors import Finding, Severity
from api_gateway_service_mesh.model import PathKind, ValueKind
from api_gateway_service_mesh.vocabulary import AGW

from .entry import RouteEntry
from .host import HostKey
from .index import HostGroup, Leaf, methods_of, ranked
from .witness import Witness, literal_start, witnesses

if TYPE_CHECKING:
    from .table import RoutingTable

__all__ = ["table_findings"]

_Test = tuple[str, str, ValueKind, str]
_Tests = frozenset[_Test]
_MOST_WEAKENED = 4  # predicates of one route; beyond, only equal predicates are compared


@dataclass(slots=True)
class _Seen:
    """What one leaf says of its routes. ``alive``: those that some request can reach here; ``ties`` and ``shadows``
    (loser: winner) with an example of a method. ``covers`` are the leaves that were held against it."""

    covers: tuple[Leaf, ...] = ()
    alive: set[RouteEntry] = field(default_factory=set)
    ties: dict[tuple[RouteEntry, RouteEntry], str] = field(default_factory=dict)
    shadows: dict[RouteEntry, tuple[RouteEntry, str]] = field(default_factory=dict)


def table_findings(table: RoutingTable) -> tuple[Finding, ...]:
    """All warnings about the routes of `table`, in table order. Only paths with several routes, and expressions, are
    looked at; those that a table shares with the one it was made of keep what was found there."""
    ties: dict[tuple[RouteEntry, RouteEntry], tuple[HostKey, str]] = {}
    shadows: dict[RouteEntry, tuple[RouteEntry, HostKey, str]] = {}
    for group in (chain[0] for chain in table.chains):
        for _, leaf in sorted(group.crowded.items()):
            seen = _seen(group, leaf)
            for pair, method in seen.ties.items():
                ties.setdefault(pair, (group.host, method))
            for entry, (winner, method) in seen.shadows.items():
                shadows.setdefault(entry, (winner, group.host, method))
    judged = [entry for entry in table.entries if entry.conditions is not None]
    contradictions = {entry: names for entry in judged if (names := _contradiction(entry))}
    tied = {loser for _, loser in ties}
    found: list[tuple[int, Finding]] = []
    for entry, name in contradictions.items():
        found.append((table.place(entry), _unsatisfiable(entry, name)))
    for (winner, loser), (host, method) in ties.items():
        if loser not in contradictions:
            dead = not _is_alive(table, loser)
            found.append((table.place(loser), _tied(table, winner, loser, host, method, dead=dead)))
    for entry, (winner, host, method) in shadows.items():
        if entry not in tied and entry not in contradictions and not _is_alive(table, entry):
            found.append((table.place(entry), _shadowed(table, winner, entry, host, method)))
    found.sort(key=lambda pair: (pair[0], pair[1].code, pair[1].message))
    return tuple(finding for _, finding in found)


def _is_alive(table: RoutingTable, entry: RouteEntry) -> bool:
    """Whether some request can reach a route, by some host."""
    for host in entry.hosts:
        group = table.host_groups[host]
        leaf = group.crowded.get(entry.path_key)
        if leaf is None or entry in _seen(group, leaf).alive:
            return True
    return False


def _seen(group: HostGroup, leaf: Leaf) -> _Seen:
    is_expression = leaf.entries[0].path.kind is PathKind.REGULAR_EXPRESSION
    covers = tuple(_covers(group, leaf)) if is_expression else ()
    seen = leaf.judged
    if not isinstance(seen, _Seen) or len(seen.covers) != len(covers) or any(map(is_not, seen.covers, covers)):
        seen = leaf.judged = _Seen(covers)
        if len(leaf.entries) == 1 and not covers:
            seen.alive.add(leaf.entries[0])
        else:
            _walk(leaf, covers, seen)
    return seen


def _walk(leaf: Leaf, covers: Sequence[Leaf], seen: _Seen) -> None:
    tests = {entry: _tests(entry) for entry in (*leaf.entries, *(e for cover in covers for e in cover.entries))}
    methods = methods_of(leaf.entries)
    anywhere = any(not entry.methods for entry in leaf.entries)
    if anywhere and covers:
        methods = sorted({*methods, *(method for cover in covers for method in methods_of(cover.entries))})
    # "" stands for every method that no route here states.
    for method in (*methods, *([""] if anywhere else [])):
        before: dict[_Tests, RouteEntry] = {}
        for cover in covers:
            for entry in cover[method]:
                before.setdefault(tests[entry], entry)
        same_leaf: dict[tuple[_Tests, int, int], RouteEntry] = {}
        for entry in ranked(leaf.entries, method):
            mine = tests[entry]
            above = _first_covering(before, mine)
            if above is None:
                seen.alive.add(entry)
            else:
                seen.shadows.setdefault(entry, (above, method))
            rank = entry.method_rank(method)
            twin = same_leaf.setdefault((mine, int(rank or 0), entry.route.match.priority), entry)
            if twin is not entry:
                seen.ties.setdefault((twin, entry), method)
            before.setdefault(mine, entry)


def _tests(entry: RouteEntry) -> _Tests:
    conditions = entry.conditions
    if conditions is None:
        return frozenset()
    return frozenset(
        [("header", test.name, test.kind, test.match.value) for test in conditions.headers]
        + [("query", test.name, test.kind, test.match.value) for test in conditions.query]
    )


def _first_covering(before: dict[_Tests, RouteEntry], mine: _Tests) -> RouteEntry | None:
    """An earlier route whose predicates hold whenever `mine` do."""
    if not before:
        return None
    for weaker in _weaker(mine):
        above = before.get(weaker)
        if above is not None:
            return above
    return None


def _weaker(tests: _Tests) -> Iterator[_Tests]:
    yield tests
    if not tests:
        return
    if len(tests) > _MOST_WEAKENED:
        yield frozenset()
        return
    choices = [(test, (test[0], test[1], ValueKind.PRESENT, ""), None) for test in sorted(tests)]
    for chosen in product(*choices):
        yield frozenset(test for test in chosen if test is not None)


def _covers(group: HostGroup, leaf: Leaf) -> list[Leaf]:
    """Leaves before an expression's that hold for every path it holds for."""
    text, whole = literal_start(leaf.entries[0].path.text)
    if not text.startswith("/"):
        # Whatever it begins with, a path begins with a slash (RFC 9110 §4.1), so the prefix of everything covers it.
        return group.open_ended([])
    if whole:
        exact = group.exact.get(text)
        return [*([exact] if exact is not None else []), *group.shaped(text)]
    # Every match begins with these complete segments; what holds for all paths below them covers the expression.
    return group.open_ended(text.split("/")[1:-1])


def _contradiction(entry: RouteEntry) -> str | None:
    conditions = entry.conditions
    if conditions is None or len(conditions.headers) + len(conditions.query) < 2:
        return None
    for what, tests in (("header", conditions.headers), ("query parameter", conditions.query)):
        exact: dict[str, str] = {}
        for test in tests:
            if test.kind is ValueKind.EXACT and exact.setdefault(test.name, test.match.value) != test.match.value:
                return f"the {what} {test.name!r} cannot be {exact[test.name]!r} and {test.match.value!r} at once"
        for test in tests:
            if test.name in exact and not test.holds(exact[test.name]):
                return f"the {what} {test.name!r} cannot be {exact[test.name]!r} and match {test.match.value!r} at once"
    return None


def _witness(table: RoutingTable, winner: RouteEntry, loser: RouteEntry, host: HostKey, method: str) -> Witness | None:
    # The loser's predicates are the narrower ones: what holds for it holds for the winner.
    for witness in witnesses(loser, host, method or _unstated(loser, winner)):
        headers = dict(witness.headers)
        if table.find(witness.host, witness.method, witness.path, witness.query, headers) is winner:
            return witness
    return None


def _unstated(*entries: RouteEntry) -> str:
    stated = {method for entry in entries for method in entry.methods}
    return next((method for method in ("GET", "POST", "PUT", "PATCH", "DELETE") if method not in stated), "GET")


def _unsatisfiable(entry: RouteEntry, why: str) -> Finding:
    return Finding(
        code="unsatisfiable-route",
        message=f"{entry.route.name} can never match: {why}",
        severity=Severity.WARNING,
        subject=entry.route.iri,
        predicate=AGW.matchesHeader if why.startswith("the header") else AGW.matchesQueryParameter,
        remedy="write two routes, or one regular expression for both values",
    )


def _tied(
    table: RoutingTable, winner: RouteEntry, loser: RouteEntry, host: HostKey, method: str, *, dead: bool
) -> Finding:
    witness = _witness(table, winner, loser, host, method)
    first, second = winner.route, loser.route
    where = f"{witness} → {first.name} answers" if witness else f"{first.name} answers"
    never = f"{second.name} never does" if dead else f"{second.name} does not"
    return Finding(
        code="tied-routes",
        message=f"{first.name} and {second.name} match the same requests; only their IRIs order them: {where}, {never}",
        severity=Severity.WARNING,
        subject=second.iri,
        predicate=AGW.routePath,
        value=second.match.path.text,
        remedy="tell them apart by path, host, method, header or query, give one a higher agw:priority, or delete one",
        details=_details(witness, first.iri),
    )


def _shadowed(table: RoutingTable, winner: RouteEntry, loser: RouteEntry, host: HostKey, method: str) -> Finding:
    witness = _witness(table, winner, loser, host, method)
    first, second = winner.route, loser.route
    shown = f"{witness} → {first.name} answers" if witness else f"{first.name} answers"
    return Finding(
        code="shadowed-route",
        message=f"{second.name} can never match: {shown}, {second.name} never does",
        severity=Severity.WARNING,
        subject=second.iri,
        predicate=AGW.routePath,
        value=second.match.path.text,
        remedy=f"give {second.name} a path, host, method or predicate that {first.name} does not take, or delete it",
        details=_details(witness, first.iri),
    )


def _details(witness: Witness | None, winner: str) -> tuple[tuple[str, str], ...]:
    return (("winner", winner), *((("witness", str(witness)),) if witness else ()))
