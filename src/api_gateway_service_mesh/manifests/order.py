"""The table as lists in which the first route that holds wins: how every target of ours reads routes.

Proxies take the most specific host and never look at a less specific one, while agw's order goes on to it: so a host's
list holds its own routes, then those of each wider host.
"""

from __future__ import annotations

from collections.abc import Iterator

from api_gateway_service_mesh.model import PathKind
from api_gateway_service_mesh.routing import HostGroup, HostKey, Leaf, MethodRank, RouteEntry, RoutingTable

__all__ = ["Item", "catches_all", "host_lists", "items"]

#: A route with the methods under which it stands at one place of a list; none: any.
Item = tuple[RouteEntry, tuple[str, ...]]


def host_lists(table: RoutingTable) -> dict[tuple[Item, ...], list[HostKey]]:
    """What each host sees, best host first; hosts that see the same share a list."""
    lists: dict[tuple[Item, ...], list[HostKey]] = {}
    for chain in table.chains:
        lists.setdefault(_listed(chain), []).append(chain[0].host)
    return lists


def _listed(chain: tuple[HostGroup, ...]) -> tuple[Item, ...]:
    listed: list[Item] = []
    for group in chain:
        for leaf in group.all_leaves():
            for item in items(leaf):
                listed.append(item)
                if catches_all(item):
                    return tuple(listed)
    return tuple(listed)


def items(leaf: Leaf) -> Iterator[Item]:
    """The routes of one leaf as a list in which the first that holds wins.

    GET implies HEAD, but behind a route of the same path that states HEAD: only then the implied HEAD stands apart.
    """
    stating_head = [entry for entry in leaf.entries if "HEAD" in entry.methods]
    implied: list[Item] = []
    anywhere: list[Item] = []
    for entry in leaf.entries:
        if not entry.methods:
            anywhere.append((entry, ()))
            continue
        methods = tuple(sorted(entry.methods))
        if entry.method_rank("HEAD") is MethodRank.IMPLIED:
            if stating_head:
                implied.append((entry, ("HEAD",)))
            else:
                methods = (*methods, "HEAD")
        yield entry, tuple(sorted(methods))
    yield from implied
    yield from anywhere


def catches_all(item: Item) -> bool:
    """Whether nothing behind `item` can answer. istiod moves such routes to the end of its list, so what agw's order
    puts behind one must not be written: it would come alive."""
    entry, methods = item
    everything = entry.path.kind is PathKind.PREFIX and not entry.path.segments
    return everything and not methods and entry.conditions is None
