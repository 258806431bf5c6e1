"""The index: from host and path to the few routes that can take a request, best first.

Cost of a look-up, by path kind: exact, one hash; templates and prefixes, one walk down a tree of segments (one hash for
each level at which paths part, and one more node for each at which a parameter stands beside literal text); regular
expressions, one scan of the path for all of them. Many routes on one path are told apart by a switch. None grows with
the number of routes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter

from .entry import RouteEntry
from .host import HostKey
from .pattern import PatternSet
from .precedence import MethodRank, PathKey
from .switch import FEWEST, Switch, switch_for
from .tree import PathTree

__all__ = ["Candidates", "HostGroup", "Leaf", "methods_of"]

#: Entries in precedence order; none behind the first that has no header or query predicate.
Candidates = tuple[RouteEntry, ...]

_by_order = attrgetter("order")


class Leaf(dict[str, Candidates]):
    """The routes of one host and one path, by method. ``leaf[method]`` answers for every method."""

    __slots__ = ("entries", "judged", "order", "otherwise", "single", "switches")

    def __init__(self, entries: Sequence[RouteEntry], order: PathKey) -> None:
        super().__init__()
        self.entries = tuple(entries)
        self.order = order
        #: What `routing.shadow` found out about these routes.
        self.judged: object = None
        self.otherwise: Candidates = _reachable([entry for entry in entries if not entry.methods])
        for method in methods_of(entries):
            self[method] = _reachable(ranked(entries, method))
        #: The one route, when it asks for nothing but the path: no need to look further.
        self.single: RouteEntry | None = None
        if len(self.entries) == 1 and not self and self.entries[0].conditions is None:
            self.single = self.entries[0]
        #: Where a path has many routes: by method ("" for one that none states) a switch over them.
        self.switches: dict[str, Switch] | None = None
        if len(entries) >= FEWEST:
            made = {method: switch_for(listed) for method, listed in (*self.items(), ("", self.otherwise))}
            self.switches = {method: switch for method, switch in made.items() if switch is not None} or None

    def pick(self, method: str, headers: Mapping[str, str], query: str) -> Sequence[RouteEntry]:
        """The routes for `method` that the request's headers and parameters leave."""
        listed = self[method]
        if self.switches is None:
            return listed
        switch = self.switches.get(method if method in self else "")
        return listed if switch is None else switch.pick(headers, query)

    def first(self, method: str, headers: Mapping[str, str], query: str) -> RouteEntry | None:
        """The best route that takes a request of this path, or None."""
        for entry in self.get(method, self.otherwise) if self.switches is None else self.pick(method, headers, query):
            if entry.conditions is None or entry.conditions.hold(headers, query):
                return entry
        return None

    def __missing__(self, method: str) -> Candidates:
        return self.otherwise


def methods_of(entries: Sequence[RouteEntry]) -> list[str]:
    """The methods that any of `entries` states, or implies (HEAD by GET), sorted."""
    methods = {method for entry in entries for method in entry.methods}
    if "GET" in methods:
        methods.add("HEAD")
    return sorted(methods)


def ranked(entries: Sequence[RouteEntry], method: str) -> list[RouteEntry]:
    """Those of `entries` that take `method`: stated, implied, any. `entries` stand in the order of their tails."""
    if len(entries) == 1:
        return list(entries) if entries[0].method_rank(method) is not None else []
    ranks: tuple[list[RouteEntry], list[RouteEntry], list[RouteEntry]] = ([], [], [])
    for entry in entries:
        rank = entry.method_rank(method)
        if rank is not None:
            ranks[rank].append(entry)
    return ranks[MethodRank.STATED] + ranks[MethodRank.IMPLIED] + ranks[MethodRank.ANY]


def _reachable(entries: Sequence[RouteEntry]) -> Candidates:
    for position, entry in enumerate(entries):
        if entry.conditions is None:
            return tuple(entries[: position + 1])
    return tuple(entries)


class HostGroup:
    """All routes of one stated host. Never changed once made: `changed` makes another one."""

    __slots__ = (
        "_expressions",
        "_patterns",
        "_shapes",
        "_tree",
        "crowded",
        "exact",
        "has_expressions",
        "has_shapes",
        "host",
    )

    def __init__(self, host: HostKey, by_path: Mapping[PathKey, Sequence[RouteEntry]]) -> None:
        self.host = host
        self.exact: dict[str, Leaf] = {}
        self._tree: PathTree[Leaf] = PathTree()
        self._patterns: PatternSet | None = None
        self._shapes: dict[PathKey, Leaf] = {}
        self._expressions: list[Leaf] = []
        self.crowded: dict[PathKey, Leaf] = {}
        """The leaves where routes may stand in each other's way: several on one path, or an expression."""
        for key, entries in by_path.items():
            leaf = self._leaf(key, entries)
            if key[0] == 1:
                self._tree.add(leaf, entries[0].path.segments, open_ended=key[3])
        self._tree.fold()
        self._settle(True)

    def _leaf(self, key: PathKey, entries: Sequence[RouteEntry]) -> Leaf:
        """A new leaf, put where it belongs, but not into the tree."""
        leaf = Leaf(entries, key)
        if key[0] == 0:
            self.exact[key[4]] = leaf
        elif key[0] == 1:
            self._shapes[key] = leaf
        else:
            self._expressions.append(leaf)
        if len(entries) > 1 or key[0] == 2:
            self.crowded[key] = leaf
        return leaf

    def _settle(self, expressions: bool) -> None:
        self.has_shapes = bool(self._shapes)
        """Whether templates or prefixes stand here."""
        self.has_expressions = bool(self._expressions)
        if expressions:
            self._expressions.sort(key=_by_order)
            self._patterns = None
            if self._expressions:
                self._patterns = PatternSet([leaf.entries[0].path.text for leaf in self._expressions])

    def leaf_at(self, key: PathKey) -> Leaf | None:
        """The leaf of a path."""
        if key[0] == 0:
            return self.exact.get(key[4])
        if key[0] == 1:
            return self._shapes.get(key)
        for leaf in self._expressions:
            if leaf.order == key:
                return leaf
        return None

    def changed(self, by_path: Mapping[PathKey, Sequence[RouteEntry]]) -> HostGroup | None:
        """This group with other routes at some paths (none: the path goes); None when nothing is left."""
        made = HostGroup(self.host, {})
        made.exact, made._shapes = self.exact.copy(), self._shapes.copy()
        made._expressions, made._patterns = self._expressions.copy(), self._patterns
        made.crowded, made._tree = self.crowded.copy(), self._tree
        expressions = False
        for key, entries in by_path.items():
            before = made.leaf_at(key)
            if before is not None:
                made.crowded.pop(key, None)
                if key[0] == 0:
                    del made.exact[key[4]]
                elif key[0] == 1:
                    del made._shapes[key]
                else:
                    made._expressions = [leaf for leaf in made._expressions if leaf is not before]
            leaf = made._leaf(key, entries) if entries else None
            if key[0] == 1:
                path = (entries or (before.entries if before is not None else ()))[0].path
                made._tree = made._tree.changed(path.segments, leaf, open_ended=key[3])
            elif key[0] == 2:
                expressions = True
        made._settle(expressions)
        return made if made.exact or made._shapes or made._expressions else None

    def shaped(self, path: str) -> list[Leaf]:
        """The templates and prefixes that hold for `path`, best first."""
        found = self._tree.holding(path)
        if len(found) > 1:
            found.sort(key=_by_order)
        return found

    def expressions(self, path: str) -> list[Leaf]:
        """The regular expressions that hold for `path`, best first."""
        if self._patterns is None:
            return []
        leaves = self._expressions
        return [leaves[position] for position in self._patterns.matching(path)]

    def open_ended(self, segments: Sequence[str]) -> list[Leaf]:
        """The prefixes that hold for every path that goes on below `segments`, best first."""
        return sorted(self._tree.open_ended(segments), key=_by_order)

    def all_leaves(self) -> Iterator[Leaf]:
        """Every leaf of this host, in precedence order."""
        for _, leaf in sorted(self.exact.items()):
            yield leaf
        for _, leaf in sorted(self._shapes.items()):
            yield leaf
        yield from self._expressions

    def leaves(self, path: str) -> list[Leaf]:
        """All leaves whose path predicate holds for `path`, best first."""
        exact = self.exact.get(path)
        return [*([exact] if exact is not None else []), *self.shaped(path), *self.expressions(path)]
