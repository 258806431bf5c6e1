"""The one total order of routes (after the Gateway API, ``HTTPRouteRule.matches``).

A request may hold for several routes; the one whose `Precedence` is smallest takes it. Its elements, the first that
differs decides:

1. **Host**: exact, then wildcard (longer text first), then any.
2. **Path**: exact; then templates and prefixes together, the one with more segments first (``{id}`` counts as a
   segment, the ``/*`` of a prefix does not), and of as many segments compared from left to right, literal text before a
   parameter; at last a template (which ends there) before a prefix (which goes on). Then regular expressions, longer
   text first. So ``/users/me`` beats ``/users/{id}`` beats ``/users/*``, and ``/a/{x}/c`` beats ``/a/*``.
3. **Method**: stated, then implied, then any. A route that states GET and not HEAD also answers HEAD (RFC 9110 §9.3.2:
   "identical to GET except that the server MUST NOT send content"): that is the implied one.
4. More **header** predicates.
5. More **query** predicates.
6. Higher ``agw:priority``.
7. **IRI**, in code-point order.

Several hosts or methods make several *rungs* of one route: it stands once for each host and way of method, and a
request sees it on the rung by which it holds. In the table a route stands at its best rung. Texts inside the elements
(a host's name, a literal segment) only order rungs that cannot hold for the same request, so that the whole order is
total and the order of the source never shows.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from api_gateway_service_mesh.model import PathKind, Route

from .host import HostKey
from .path import ANY_SEGMENT, PathPattern

__all__ = ["ELEMENTS", "MethodRank", "PathKey", "Precedence", "path_key", "precedence"]

#: Kind, minus length, segments (each: parameter?, text), goes on?, text.
PathKey = tuple[int, int, tuple[tuple[bool, str], ...], bool, str]


class MethodRank(IntEnum):
    """How a route takes a method."""

    STATED = 0
    IMPLIED = 1
    ANY = 2


class Precedence(NamedTuple):
    """The comparable key: smaller goes first."""

    host: HostKey
    path: PathKey
    method: int
    headers: int
    query: int
    priority: int
    iri: str


#: What each element of `Precedence` decides, as `explain` says it.
ELEMENTS: tuple[str, ...] = (
    "its host is more specific",
    "its path is more specific",
    "it states the method",
    "it has more header predicates",
    "it has more query predicates",
    "its agw:priority is higher",
    "its IRI comes first",
)


def path_key(pattern: PathPattern) -> PathKey:
    """Where a path stands (element 2). Equal keys mean: the same set of paths."""
    if pattern.kind is PathKind.EXACT:
        return (0, 0, (), False, pattern.text)
    if pattern.kind is PathKind.REGULAR_EXPRESSION:
        return (2, -len(pattern.text), (), False, pattern.text)
    segments = tuple([(True, "") if s == ANY_SEGMENT else (False, s) for s in pattern.segments])
    return (1, -len(segments), segments, pattern.open_ended, "")


def precedence(route: Route, host: HostKey, path: PathKey, method: int) -> Precedence:
    """The key of one rung."""
    match = route.match
    return Precedence(host, path, method, -len(match.headers), -len(match.query), -match.priority, route.iri)
