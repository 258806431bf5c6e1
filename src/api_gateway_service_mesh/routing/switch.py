"""Many routes on one path that a header or a query parameter tells apart (one for each tenant, say).

Asking them one by one would cost more with every route. A switch looks the value up once and leaves the few routes that
want just this value, and those that want something else of the request, in their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from api_gateway_service_mesh.model import ValueKind

from .condition import first_parameters
from .entry import RouteEntry

__all__ = ["FEWEST", "Switch", "switch_for"]

#: With fewer routes than this, asking one by one is as fast.
FEWEST = 8

_Ranked = tuple[int, RouteEntry]


class Switch:
    """Candidates of one path and one method, by the value of one header or query parameter."""

    __slots__ = ("_by_value", "_is_header", "_name", "_others")

    def __init__(self, entries: Sequence[RouteEntry], name: str, *, is_header: bool) -> None:
        self._name = name
        self._is_header = is_header
        self._by_value: dict[str, list[_Ranked]] = {}
        self._others: list[_Ranked] = []
        for ranked in enumerate(entries):
            wanted = _exact_values(ranked[1], is_header=is_header).get(name)
            if wanted is None:
                self._others.append(ranked)
            else:
                self._by_value.setdefault(wanted, []).append(ranked)

    def pick(self, headers: Mapping[str, str], query: str) -> list[RouteEntry]:
        """The routes left to ask, in their order."""
        value = headers.get(self._name) if self._is_header else first_parameters(query).get(self._name)
        ranked = self._by_value.get(value) if value is not None else None
        if ranked is None:
            return [entry for _, entry in self._others]
        return [entry for _, entry in sorted([*ranked, *self._others], key=_rank)]


def switch_for(entries: Sequence[RouteEntry]) -> Switch | None:
    """A switch over the header or parameter that most of `entries` want a value of; None when it is not worth it."""
    if len(entries) < FEWEST:
        return None
    names: Counter[tuple[bool, str]] = Counter()
    for entry in entries:
        for is_header in (True, False):
            names.update((is_header, name) for name in _exact_values(entry, is_header=is_header))
    if not names:
        return None
    (is_header, name), count = max(names.items(), key=lambda item: (item[1], item[0]))
    return Switch(entries, name, is_header=is_header) if count > len(entries) // 2 else None


def _rank(ranked: _Ranked) -> int:
    return ranked[0]


def _exact_values(entry: RouteEntry, *, is_header: bool) -> dict[str, str]:
    """Name → the value that an entry wants exactly; of two for one name the first (it can never hold)."""
    conditions = entry.conditions
    if conditions is None:
        return {}
    values: dict[str, str] = {}
    for test in conditions.headers if is_header else conditions.query:
        if test.kind is ValueKind.EXACT:
            values.setdefault(test.name, test.match.value)
    return values
