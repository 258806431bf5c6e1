"""The routing table: immutable, compiled once, asked for every request."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from api_gateway_service_mesh.errors import ConfigError, Finding, Report, Severity
from api_gateway_service_mesh.model import Mesh

from .condition import condition_findings
from .entry import RouteEntry, tail_of
from .host import ANY_HOST, HostKey, host_findings
from .index import HostGroup
from .path import path_findings
from .precedence import PathKey
from .rewrite import rewrite_findings

__all__ = ["RoutingTable", "compile_table"]

_Chain = tuple[HostGroup, ...]


class RoutingTable:
    """Which route takes a request. Made by `compile_table`; never changed, a new configuration makes a new table.

    ``entries`` stand in precedence order (`routing.precedence`); ``mesh`` is what the table was compiled from. A table
    holds compiled expressions and is not pickled: workers compile theirs from the mesh.
    """

    __slots__ = ("__dict__", "_any", "_exact", "_only", "_reach", "_warnings", "_wildcards", "entries", "mesh")

    def __init__(self, mesh: Mesh, entries: tuple[RouteEntry, ...], warnings: tuple[Finding, ...]) -> None:
        self.mesh = mesh
        self.entries = entries
        self._warnings = warnings
        groups = {host: HostGroup(host, by_path) for host, by_path in sorted(grouped(entries).items())}
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

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """Warnings: routes that never answer, and pairs that only their IRI orders, each with a witness request."""
        from .shadow import table_findings

        return (*self._warnings, *table_findings(self))

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
    for entry in sorted(entries, key=lambda entry: tail_of(entry.route)):
        for host in entry.hosts:
            groups.setdefault(host, {}).setdefault(entry.path_key, []).append(entry)
    return groups


def compile_table(mesh: Mesh) -> RoutingTable:
    """Compile the routes of `mesh`. The order of ``mesh.routes`` plays no part.

    Raises ConfigError with one violation for each malformed path, template, host or RE2 expression.
    """
    found: list[Finding] = []
    for route in mesh.routes:
        found += path_findings(route)
        found += host_findings(route)
        found += condition_findings(route)
        found += rewrite_findings(route)
    if any(finding.severity is Severity.VIOLATION for finding in found):
        raise ConfigError(Report().merged(found))
    entries = sorted((RouteEntry(route) for route in mesh.routes), key=RouteEntry.best)
    for index, entry in enumerate(entries):
        entry.index = index
    return RoutingTable(mesh, tuple(entries), tuple(sorted(found, key=lambda f: (f.subject or "", f.code))))
