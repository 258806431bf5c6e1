"""The routing table: immutable, compiled once, asked for every request."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Mapping, Sequence

from api_gateway_service_mesh.errors import ConfigError, Finding, Report, Severity
from api_gateway_service_mesh.model import Mesh, Route

from .condition import condition_findings
from .entry import RouteEntry, Tail, tail_of
from .host import ANY_HOST, HostKey, host_findings
from .index import HostGroup
from .path import path_findings
from .precedence import PathKey
from .rewrite import rewrite_findings

__all__ = ["RoutingTable", "compile_table", "recompile_table"]

_FEW = 64
_MANY = 4  # where more than one route in four is another one, everything is compiled
_DEEPEST = 200  # segments; the tree of a table is changed by walking down recursively

_Chain = tuple[HostGroup, ...]


class RoutingTable:
    """Which route takes a request. Made by `compile_table`; never changed, a new configuration makes a new table.

    ``entries`` stand in precedence order (`routing.precedence`); ``mesh`` is what the table was compiled from. A table
    holds compiled expressions and is not pickled: workers compile theirs from the mesh.

    Tables made of one another (`recompile_table`) share the entries of routes that did not change, so an entry's
    ``index`` is its own in a table, below ``width``, and says nothing about its place (`place`) there.
    """

    __slots__ = (
        "_any",
        "_by_iri",
        "_exact",
        "_findings",
        "_needs_headers",
        "_only",
        "_places",
        "_reach",
        "_wildcards",
        "entries",
        "free",
        "host_groups",
        "mesh",
        "warnings",
        "width",
    )

    def __init__(
        self,
        mesh: Mesh,
        entries: tuple[RouteEntry, ...],
        warnings: tuple[Finding, ...],
        groups: dict[HostKey, HostGroup] | None = None,
        width: int = -1,
        free: tuple[int, ...] = (),
    ) -> None:
        self.mesh = mesh
        self.entries = entries
        self.warnings = warnings
        """What was found in single routes."""
        self.width = len(entries) if width < 0 else width
        self.free = free
        """Indices below ``width`` that no entry has."""
        if groups is None:
            groups = {host: HostGroup(host, by_path) for host, by_path in sorted(grouped(entries).items())}
        self.host_groups = groups
        anywhere = groups.get(ANY_HOST)
        self._any: _Chain = () if anywhere is None else (anywhere,)
        self._wildcards: dict[str, _Chain] = {}
        self._reach = 0  # the length of the longest wildcard
        self._exact: dict[str, _Chain] = {}
        for host, group in sorted(
            groups.items(), reverse=True
        ):  # any, then short wildcards, then long ones, then exact
            kind, _, name = host
            if kind == 1:
                self._wildcards[name] = (group, *self._suffix_chain(name[1:]))
                self._reach = max(self._reach, len(name))
            elif kind == 0:
                self._exact[name] = (group, *self._suffix_chain(name))
        self._only: _Chain = () if self._wildcards or self._exact else self._any
        # Worked out when first asked for. Not by cached_property: compiled, it would be worked out every time.
        self._by_iri: dict[str, RouteEntry] | None = None
        self._needs_headers: bool | None = None
        self._places: dict[RouteEntry, int] | None = None
        self._findings: tuple[Finding, ...] | None = None

    def __repr__(self) -> str:
        hosts = len(self._exact) + len(self._wildcards) + len(self._any)
        return f"<RoutingTable {self.mesh.name}: {len(self.entries)} routes, {hosts} host groups>"

    def find(self, host: str, method: str, path: str, query: str, headers: Mapping[str, str]) -> RouteEntry | None:
        """The route that takes the request, or None.

        `host` is in lower case and without port ("" when the request names none; a trailing dot is taken off here);
        `path` and `query` are the target's text before and after the first ``?``, as sent; `headers` answers
        ``get(name)`` for names in lower case and is asked only when a route has header predicates.
        """
        for group in self._only or self._exact.get(host) or self._chain(host):
            leaf = group.exact.get(path)
            if leaf is not None:
                single = leaf.single
                if single is not None:
                    return single
                entry = leaf.first(method, headers, query)
                if entry is not None:
                    return entry
            if group.has_shapes:
                for leaf in group.shaped(path):
                    single = leaf.single
                    if single is not None:
                        return single
                    entry = leaf.first(method, headers, query)
                    if entry is not None:
                        return entry
            if group.has_expressions:
                for leaf in group.expressions(path):
                    entry = leaf.first(method, headers, query)
                    if entry is not None:
                        return entry
        return None

    def allowed_methods(self, host: str, path: str) -> tuple[str, ...]:
        """The methods that routes of this host and path state, sorted: the ``Allow`` of a 405 (RFC 9110 §15.5.6).

        Empty when no route holds for host and path, or one of them takes any method: then the method is not what is
        wrong, and the answer is 404. The same when the method that was asked stands in it (a header or query predicate
        failed).
        """
        methods: set[str] = set()
        for group in self.groups(host):
            for leaf in group.leaves(path):
                if leaf.otherwise:
                    return ()
                methods.update(leaf)
        return tuple(sorted(methods))

    def groups(self, host: str) -> tuple[HostGroup, ...]:
        """The host groups that hold for `host`, best first."""
        return self._only or self._exact.get(host) or self._chain(host)

    @property
    def chains(self) -> tuple[tuple[HostGroup, ...], ...]:
        """For every stated host its group and those that hold for it too, best first; the table's hosts best first."""
        found = (*self._exact.values(), *self._wildcards.values(), *((self._any,) if self._any else ()))
        return tuple(sorted(found, key=lambda chain: chain[0].host))

    @property
    def by_iri(self) -> dict[str, RouteEntry]:
        """The entries by the IRI of their route. Not to be changed."""
        found = self._by_iri
        if found is None:
            found = self._by_iri = {entry.route.iri: entry for entry in self.entries}
        return found

    @property
    def needs_headers(self) -> bool:
        """Whether a route has header predicates."""
        found = self._needs_headers
        if found is None:
            found = self._needs_headers = any(entry.route.match.headers for entry in self.entries)
        return found

    def place(self, entry: RouteEntry) -> int:
        """Where an entry stands, counted from 0."""
        found = self._places
        if found is None:
            found = self._places = {entry: place for place, entry in enumerate(self.entries)}
        return found[entry]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Warnings: routes that never answer, and pairs that only their IRI orders, each with a witness request."""
        found = self._findings
        if found is None:
            from .shadow import table_findings

            found = self._findings = (*self.warnings, *table_findings(self))
        return found

    def _chain(self, host: str) -> _Chain:
        if host[-1:] == ".":
            host = host.rstrip(".")
            chain = self._exact.get(host)
            if chain is not None:
                return chain
        return self._suffix_chain(host)

    def _suffix_chain(self, host: str) -> _Chain:
        """The chain of the longest wildcard that holds for `host`."""
        if self._wildcards:
            # A wildcard's text is shorter than the host it holds for, so at least one label stays before it.
            dot = host.find(".", max(1, len(host) - self._reach))
            while dot != -1:
                chain = self._wildcards.get(host[dot:])
                if chain is not None:
                    return chain
                dot = host.find(".", dot + 1)
        return self._any


def grouped(entries: tuple[RouteEntry, ...]) -> dict[HostKey, dict[PathKey, list[RouteEntry]]]:
    """The rungs of all entries by host and path, each list in the order of the entries' tails."""
    groups: dict[HostKey, dict[PathKey, list[RouteEntry]]] = {}
    for entry in sorted(entries, key=_tail):
        for host in entry.hosts:
            groups.setdefault(host, {}).setdefault(entry.path_key, []).append(entry)
    return groups


def compile_table(mesh: Mesh) -> RoutingTable:
    """Compile the routes of `mesh`. The order of ``mesh.routes`` plays no part.

    Raises ConfigError with one violation for each malformed path, template, host or RE2 expression.
    """
    found = _judged(mesh.routes)
    entries = sorted((RouteEntry(route) for route in mesh.routes), key=RouteEntry.best)
    for index, entry in enumerate(entries):
        entry.index = index
    return RoutingTable(mesh, tuple(entries), _sorted(found))


def recompile_table(table: RoutingTable, mesh: Mesh) -> RoutingTable:
    """What `compile_table` makes of `mesh`, from the table of a mesh that has most of its routes.

    Raises:
        ConfigError: as `compile_table`.
    """
    by_iri = table.by_iri
    left, come = _apart(table.mesh.routes, mesh.routes)
    known = {route.iri: by_iri[route.iri] for route in left}
    fresh: list[Route] = []
    for route in come:
        entry = known.get(route.iri)
        if entry is not None and entry.route == route:
            del known[route.iri]
        else:
            fresh.append(route)
    if (len(fresh) + len(known)) * _MANY > len(mesh.routes):
        return compile_table(mesh)
    if not fresh and not known:
        return RoutingTable(mesh, table.entries, table.warnings, table.host_groups, table.width, table.free)
    found = _judged(fresh)
    gone = {entry.index for entry in known.values()}
    entries = _without(table.entries, known.values())
    free, width = [*table.free, *gone], table.width
    touched: dict[HostKey, set[PathKey]] = {}
    made: list[RouteEntry] = []
    for route in fresh:
        entry = RouteEntry(route)
        if len(entry.path.segments) > _DEEPEST:
            return compile_table(mesh)
        if free:
            entry.index = free.pop()
        else:
            entry.index, width = width, width + 1
        made.append(entry)
        insort(entries, entry, key=RouteEntry.best)
    for entry in (*known.values(), *made):
        for host in entry.hosts:
            touched.setdefault(host, set()).add(entry.path_key)
    groups = table.host_groups.copy()
    for host, keys in touched.items():
        group = groups.pop(host, None) or HostGroup(host, {})
        by_path: dict[PathKey, list[RouteEntry]] = {}
        for key in keys:
            leaf = group.leaf_at(key)
            by_path[key] = (
                [] if leaf is None else [entry for entry in leaf.entries if known.get(entry.route.iri) is not entry]
            )
            by_path[key] += [entry for entry in made if entry.path_key == key and host in entry.hosts]
            by_path[key].sort(key=_tail)
        changed = group.changed(by_path)
        if changed is not None:
            groups[host] = changed
    if len(groups) != len(table.host_groups) or groups.keys() != table.host_groups.keys():
        groups = dict(sorted(groups.items()))
    again = {route.iri for route in fresh} | known.keys()
    warnings = [finding for finding in table.warnings if finding.subject not in again]
    after = RoutingTable(mesh, tuple(entries), _sorted([*warnings, *found]), groups, width, tuple(free))
    now = by_iri.copy()
    for iri in known:
        del now[iri]
    now.update({entry.route.iri: entry for entry in made})
    after._by_iri = now
    if table._needs_headers is not None and not (
        table._needs_headers and any(_asks_headers(e) for e in known.values())
    ):
        after._needs_headers = table._needs_headers or any(_asks_headers(entry) for entry in made)
    return after


def _asks_headers(entry: RouteEntry) -> bool:
    return bool(entry.route.match.headers)


def _apart(old: Sequence[Route], new: Sequence[Route]) -> tuple[Sequence[Route], Sequence[Route]]:
    """Those of `old` that do not stand in `new` as the same object, and the other way round, each in its order."""
    if len(old) == len(new):
        pairs = [(one, other) for one, other in zip(old, new, strict=True) if one is not other]
        old, new = [one for one, _ in pairs], [other for _, other in pairs]
    here, there = set(map(id, old)), set(map(id, new))
    return [one for one in old if id(one) not in there], [one for one in new if id(one) not in here]


def _without(entries: tuple[RouteEntry, ...], gone: Collection[RouteEntry]) -> list[RouteEntry]:
    """`entries`, which are sorted, without those of `gone`."""
    if len(gone) > _FEW:
        indices = {entry.index for entry in gone}
        return [entry for entry in entries if entry.index not in indices]
    kept = list(entries)
    for entry in gone:
        at = bisect_left(kept, entry.best(), key=RouteEntry.best)
        while kept[at] is not entry:  # another one of the same rank
            at += 1
        del kept[at]
    return kept


def _tail(entry: RouteEntry) -> Tail:
    return tail_of(entry.route)


def _judged(routes: Iterable[Route]) -> list[Finding]:
    """Warnings about single routes.

    Raises:
        ConfigError: there are violations.
    """
    found: list[Finding] = []
    for route in routes:
        found += path_findings(route)
        found += host_findings(route)
        found += condition_findings(route)
        found += rewrite_findings(route)
    if any(finding.severity is Severity.VIOLATION for finding in found):
        raise ConfigError(Report().merged(found))
    return found


def _sorted(found: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(found, key=lambda f: (f.subject or "", f.code)))
