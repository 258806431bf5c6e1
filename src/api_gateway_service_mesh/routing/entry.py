"""One route as it stands in the table."""

from __future__ import annotations

from api_gateway_service_mesh.model import Route

from .condition import Conditions, conditions_of
from .host import HostKey, host_keys
from .path import path_pattern
from .precedence import MethodRank, PathKey, Precedence, path_key, precedence

__all__ = ["RouteEntry", "Tail", "tail_of"]

#: Elements 4 to 7 of the precedence: they are the same on every rung of a route.
Tail = tuple[int, int, int, str]


def tail_of(route: Route) -> Tail:
    """The part of a route's precedence that no request changes."""
    match = route.match
    return (-len(match.headers), -len(match.query), -match.priority, route.iri)


class RouteEntry:
    """A route as tables have it: ``index`` is its own number there. The rest is the route's match, compiled."""

    __slots__ = ("conditions", "hosts", "index", "methods", "path", "path_key", "route")

    index: int
    route: Route
    hosts: tuple[HostKey, ...]
    path_key: PathKey
    conditions: Conditions | None
    methods: tuple[str, ...]

    def __init__(self, route: Route) -> None:
        self.index = -1
        self.route = route
        self.path = path_pattern(route.match.path)
        self.path_key = path_key(self.path)
        self.hosts = host_keys(route)
        self.conditions = conditions_of(route)
        methods = route.match.methods
        self.methods = () if "*" in methods else methods

    def __repr__(self) -> str:
        return f"<RouteEntry {self.index} {self.route.name}>"

    def method_rank(self, method: str) -> MethodRank | None:
        """How this route takes `method`; None when it does not."""
        methods = self.methods
        if not methods:
            return MethodRank.ANY
        if method in methods:
            return MethodRank.STATED
        if method == "HEAD" and "GET" in methods:
            return MethodRank.IMPLIED
        return None

    def best(self) -> Precedence:
        """The key of this route's best rung: its place in the table."""
        stated = MethodRank.STATED if self.methods else MethodRank.ANY
        return precedence(self.route, self.hosts[0], self.path_key, stated)
