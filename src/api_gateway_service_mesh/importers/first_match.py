"""Lists in which the first route that holds wins, for a gateway that asks the most specific one first.

agw ranks routes by host, path, method and predicates (`routing.precedence`), others by the place in a list, or by
another order (Kong). `keep_order` makes the one of the other, exactly where that can be said:

- a route that an earlier one covers can never be reached, there as here, and is left out;
- where an earlier route would be asked later, it gets a second entry for just what both hold for. That is at least as
  specific as either, so that it comes first; of two alike, priorities decide (`draft`);
- no prefix comes behind an expression here, so a prefix that must becomes one itself; and of two expressions the longer
  is asked first, so the one that must come first is made longer by empty groups.

What cannot be said so is reported.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

from api_gateway_service_mesh.model import PathKind, PathMatch
from api_gateway_service_mesh.routing import MethodRank
from api_gateway_service_mesh.routing.path import path_pattern
from api_gateway_service_mesh.routing.precedence import path_key
from api_gateway_service_mesh.vocabulary import AGW

from .draft import RouteDraft
from .meet import ANY, as_expression, covers, may_meet, meeting_path, wider
from .part import Findings
from .path import literal
from .turtle import Object, Stated, Subject

__all__ = ["keep_order"]

_MOST: Final = 1_500  # routes of one list; pairs are looked at
_MOST_ADDED: Final = 1_000
_EMPTY: Final = "(?:)"
_SHAPES: Final = (PathKind.PREFIX, PathKind.TEMPLATE)


def keep_order(routes: Sequence[RouteDraft], findings: Findings, *, there: str) -> list[RouteDraft]:
    """`routes`, which `there` (a name for people) asks in this order, as agw decides the same."""
    if len(routes) > _MOST:
        message = f"more than {_MOST} routes in one list: whether agw keeps {there}'s order was not looked at"
        findings.differs(routes[0].place, message, "compare with agw explain, or split the list")
        return list(routes)
    kept = _reachable(routes, findings, there)
    _give_way(kept, findings, there)
    _lengthen(kept)
    return _Copies(kept, findings, there).made()


def _reachable(routes: Sequence[RouteDraft], findings: Findings, there: str) -> list[RouteDraft]:
    kept: list[RouteDraft] = []
    for route in routes:
        first = next((earlier for earlier in kept if covers(earlier, route)), None)
        if first is None:
            kept.append(route)
            continue
        message = f"{route.wanted} is left out: {there} asks {first.wanted} ({first.place.line}) before it, "
        findings.differs(route.place, f"{message}which takes all that it would", note=True)
    return kept


def _give_way(routes: Sequence[RouteDraft], findings: Findings, there: str) -> None:
    """Prefixes and templates behind an expression that may hold for the same become expressions."""
    for at, earlier in enumerate(routes):
        if earlier.path.kind is not PathKind.REGULAR_EXPRESSION:
            continue
        for route in routes[at + 1 :]:
            if route.path.kind not in _SHAPES or route.stated == earlier.stated or not may_meet(earlier, route):
                continue
            stated = _moved(route, as_expression(route.path))
            if stated is None:
                message = f"{there} asks {earlier.wanted} ({earlier.place.line}) before {route.wanted}, agw after it"
                findings.differs(route.place, message, "compare with agw explain, and make one the more specific")
                continue
            route.path, route.stated = as_expression(route.path), stated


def _lengthen(routes: Sequence[RouteDraft]) -> None:
    for at in range(len(routes) - 1, -1, -1):
        route = routes[at]
        if route.path.kind is not PathKind.REGULAR_EXPRESSION:
            continue
        longest = max(
            (
                len(later.path.text)
                for later in routes[at + 1 :]
                if later.path.kind is PathKind.REGULAR_EXPRESSION
                and later.path.text != route.path.text
                and later.stated != route.stated
                and may_meet(route, later)
            ),
            default=0,
        )
        missing = longest + 1 - len(route.path.text)
        if longest and missing > 0:
            text = route.path.text + _EMPTY * -(-missing // len(_EMPTY))
            route.path = PathMatch(PathKind.REGULAR_EXPRESSION, text)


class _Copies:
    """Second entries for what agw would ask later than `there` does."""

    def __init__(self, routes: list[RouteDraft], findings: Findings, there: str) -> None:
        self._routes = routes
        self._findings = findings
        self._there = there
        self._pairs = deque(combinations(routes, 2))

    def made(self) -> list[RouteDraft]:
        """All routes, each copy before its original."""
        most = len(self._routes) + _MOST_ADDED
        while self._pairs:
            earlier, later = self._pairs.popleft()
            copy = self._missing(earlier, later)
            if copy is None:
                continue
            if len(self._routes) == most:
                message = f"more than {_MOST_ADDED} routes would be needed to keep {self._there}'s order"
                self._findings.differs(later.place, f"{message}; it is not kept", "split the list, or order it anew")
                break
            at = _place(self._routes, earlier)
            self._pairs.extendleft((copy, route) for route in self._routes[at + 1 :])
            self._pairs.extendleft((route, copy) for route in self._routes[:at])
            self._routes.insert(at, copy)
        return self._routes

    def _missing(self, earlier: RouteDraft, later: RouteDraft) -> RouteDraft | None:
        """What has to stand before `earlier`, so that agw asks it before `later`."""
        if earlier.stated == later.stated or not may_meet(earlier, later):
            return None
        hosts = _late(earlier, later)
        copy = self._copy(earlier, later, hosts) if hosts else None
        if copy is None or any(covers(first, copy) for first in self._routes[: _place(self._routes, earlier)]):
            return None
        return copy

    def _copy(self, earlier: RouteDraft, later: RouteDraft, hosts: list[str]) -> RouteDraft | None:
        path = meeting_path(earlier.path, later.path)
        if path is None:
            if later.path.kind in _SHAPES:
                return None  # it could not give way, and that is told
            path = earlier.path
        stated = _moved(earlier, path)
        if stated is None:
            message = f"{self._there} asks {earlier.wanted} before {later.wanted}, agw after it"
            self._findings.differs(later.place, message, "compare with agw explain, and make one the more specific")
            return None
        both = set(earlier.methods) & set(later.methods)
        return replace(
            earlier,
            wanted=f"{earlier.wanted}-before-{later.wanted}",
            comment=f"{earlier.comment}: asked before {later.wanted} here too",
            iri=None,
            path=path,
            hosts=() if hosts == [ANY] else tuple(hosts),
            methods=tuple(sorted(both)) if both else earlier.methods or later.methods,
            headers=tuple(dict.fromkeys((*earlier.headers, *later.headers))),
            query=tuple(dict.fromkeys((*earlier.query, *later.query))),
            stated=stated,
        )


def _place(routes: Sequence[RouteDraft], wanted: RouteDraft) -> int:
    return next(at for at, route in enumerate(routes) if route is wanted)


def _late(earlier: RouteDraft, later: RouteDraft) -> list[str]:
    """The hosts of `later` for which agw asks it first."""
    mine = earlier.hosts or (ANY,)
    behind = _rank(later) < _rank(earlier)
    found: list[str] = []
    for host in later.hosts or (ANY,):
        if host in mine:
            found += [host] if behind else []
        elif any(wider(own, host) for own in mine):
            found.append(host)
    return found


def _rank(route: RouteDraft) -> tuple[object, ...]:
    """`routing.precedence` of one host."""
    method = MethodRank.STATED if route.methods else MethodRank.ANY
    return (path_key(path_pattern(route.path)), method, -len(route.headers), -len(route.query))


def _moved(route: RouteDraft, path: PathMatch) -> list[Stated] | None:
    """What `route` does, for the narrower `path`, or the same written otherwise: a new path in the place of the prefix
    has to be said in other words. None: there are none."""
    if route.path == path:
        return route.stated
    made: list[Stated] = []
    for predicate, value in route.stated:
        if predicate not in (AGW.hasRewrite, AGW.hasRedirect) or not isinstance(value, Subject):
            made.append((predicate, value))
            continue
        said = dict(value.stated)
        new = said.pop(AGW.replacePrefixMatch, None)
        if not isinstance(new, str):
            made.append((predicate, value))
            continue
        changed = _replaced(route.path.text, new, path, pattern=predicate == AGW.hasRewrite)
        if changed is None:
            return None
        made.append((predicate, replace(value, stated=[*said.items(), *changed])))
    return made


def _replaced(old: str, new: str, path: PathMatch, *, pattern: bool) -> list[tuple[str, Object]] | None:
    """`new` in the place of the prefix `old`, for requests of `path`."""
    kept = new.rstrip("/")
    if path.kind in (PathKind.PREFIX, PathKind.EXACT) and path.text.startswith(old):
        text = kept + path.text[len(old) :] if path.text[len(old) :] else new
        return [(AGW.replacePrefixMatch if path.kind is PathKind.PREFIX else AGW.replaceFullPath, text)]
    if not pattern:
        return None
    substitution = kept.replace("\\", "\\\\")
    return [(AGW.rewritePattern, f"^{literal(old)}"), (AGW.rewriteSubstitution, substitution)]
