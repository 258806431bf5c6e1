"""Requests that stand for all others, as far as some routes can tell them apart.

For each part of a request the routes name a few values; between those, one value stands for all that nobody names. The
paths come from a walk of segments over all routes at once, cut off where none of the routes asked about can hold any
more, and merged where the same routes still can: so there is one path for each set of routes that hold together. Where
regular expressions stand among the routes the walk tries several values for a segment instead of one, and a sample of
each expression: then what it finds is true, but an expression may tell apart what the samples do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, product
from urllib.parse import urlencode

from api_gateway_service_mesh.model import PathKind, ValueKind

from .condition import ValueTest
from .entry import RouteEntry
from .host import HostKey, host_holds
from .path import ANY_SEGMENT, path_holds
from .witness import Witness, literal_start, sample

__all__ = ["requests_between"]

_FRESH = ("any", "1", "A-b", "x.y")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_MOST_PATHS = 20_000
_MOST_VALUES = 2_000
_MOST_NEAR = 16


def requests_between(asked: Sequence[RouteEntry], others: Sequence[RouteEntry]) -> Iterator[Witness]:
    """A request for each way in which the `asked` routes and `others` can hold together, where at least one of `asked`
    holds for the path; plainest first within a path."""
    entries = _distinct((*asked, *others))
    for path, holding in _paths(_distinct(asked), entries):
        for host in _hosts(holding):
            there = [entry for entry in holding if any(host_holds(key, host) for key in entry.hosts)]
            for method in _methods(there):
                mine = [entry for entry in there if entry.method_rank(method) is not None]
                for headers, query in _values(mine):
                    yield Witness(method, host, path, query, headers)


def _distinct(entries: Iterable[RouteEntry]) -> list[RouteEntry]:
    return list({id(entry): entry for entry in entries}.values())


# --- paths -----------------------------------------------------------------------------------------------------------


def _paths(asked: list[RouteEntry], entries: list[RouteEntry]) -> Iterator[tuple[str, list[RouteEntry]]]:
    mine = frozenset(map(id, asked))
    expressions = [entry for entry in entries if entry.path.kind is PathKind.REGULAR_EXPRESSION]
    shapes = [entry for entry in entries if entry.path.kind is not PathKind.REGULAR_EXPRESSION]
    seen: set[frozenset[int]] = set()
    found: Iterator[tuple[str, list[RouteEntry]]] = chain(
        ((path, [entry for entry in shapes if path_holds(entry.path, path)]) for path in _samples(expressions)),
        _walk(shapes, mine, _FRESH if expressions else _FRESH[:1], any(id(entry) in mine for entry in expressions)),
    )
    for path, holding in found:
        holding += [entry for entry in expressions if path_holds(entry.path, path)]
        key = frozenset(map(id, holding))
        if key not in seen and not key.isdisjoint(mine):
            seen.add(key)
            yield path, holding


def _samples(expressions: list[RouteEntry]) -> Iterator[str]:
    """Paths that the expressions hold for, and some that are near."""
    for entry in expressions:
        text = sample(entry.path.text)
        if text is not None and text.startswith("/"):
            yield from (text + more for more in ("", "/", "/any", "any", "1"))
            yield from islice((near for near in _near(text) if path_holds(entry.path, near)), _MOST_NEAR)
        start, _ = literal_start(entry.path.text)
        if start.startswith("/"):
            yield from (start + token for token in ("", *_FRESH))


def _walk(
    shapes: list[RouteEntry], mine: frozenset[int], tokens: Sequence[str], anywhere: bool
) -> Iterator[tuple[str, list[RouteEntry]]]:
    """Paths with the shapes that hold for each, short ones first. A state is which shapes still may hold; `anywhere`:
    near the root also where none of those asked about can."""
    segments = {id(entry): _segments(entry) for entry in shapes}
    todo: list[tuple[str, list[RouteEntry]]] = [("", shapes)]
    deepest = max(map(len, segments.values()), default=0) + 1
    for depth in range(deepest + 1):
        following: dict[tuple[frozenset[int], bool], tuple[str, list[RouteEntry]]] = {}
        for stem, alive in todo:
            literal: dict[str, list[RouteEntry]] = {}
            parameter: list[RouteEntry] = []
            beyond: list[RouteEntry] = []
            for entry in alive:
                stated = segments[id(entry)]
                if depth >= len(stated):
                    if entry.path.open_ended:
                        beyond.append(entry)
                elif stated[depth] == ANY_SEGMENT:
                    parameter.append(entry)
                else:
                    literal.setdefault(stated[depth], []).append(entry)
            inner = any(id(entry) in mine for entry in (*parameter, *beyond)) or (anywhere and depth < 3)
            fresh = [token for token in tokens if token not in literal]
            for token in dict.fromkeys((*sorted(literal), *fresh, "")):
                here = literal.get(token, [])
                if not inner and not any(id(entry) in mine for entry in here):
                    continue
                left = [*here, *(parameter if token else ()), *beyond]
                path = f"{stem}/{token}"
                yield (
                    path,
                    [
                        entry
                        for entry in left
                        if len(segments[id(entry)]) == depth + 1
                        or (entry.path.open_ended and len(segments[id(entry)]) <= depth)
                    ],
                )
                following.setdefault((frozenset(map(id, left)), token == ""), (path, left))
        todo = list(islice(following.values(), _MOST_PATHS + len(shapes)))


def _segments(entry: RouteEntry) -> tuple[str, ...]:
    path = entry.path
    return tuple(path.text.split("/")[1:]) if path.kind is PathKind.EXACT else path.segments


# --- hosts, methods, values ------------------------------------------------------------------------------------------


def _hosts(holding: list[RouteEntry]) -> list[str]:
    keys: set[HostKey] = {key for entry in holding for key in entry.hosts}
    found = [text for kind, _, text in sorted(keys) if kind == 0]
    stated = set(found)
    for kind, _, text in sorted(keys):
        if kind == 1:
            found.append(next(name for name in _labels(text) if name not in stated))
    rest = next(
        name
        for name in ("example.com", "any.example.net", "elsewhere.invalid", "nobody.invalid")
        if name == "nobody.invalid" or not any(kind < 2 and host_holds((kind, n, text), name) for kind, n, text in keys)
    )
    return [rest, *found]


def _labels(suffix: str) -> Iterator[str]:
    number = 0
    yield f"www{suffix}"
    while True:
        number += 1
        yield f"host-{number}{suffix}"


def _methods(entries: list[RouteEntry]) -> list[str]:
    stated = {method for entry in entries for method in entry.methods}
    if "GET" in stated:
        stated.add("HEAD")
    fresh = next((method for method in _METHODS if method not in stated), "BREW")
    return [*sorted(stated, key=lambda method: (method != "GET", method)), fresh]


_Fields = tuple[tuple[str, str], ...]


def _values(entries: list[RouteEntry]) -> Iterator[tuple[_Fields, str]]:
    headers = _named(test for entry in entries if entry.conditions for test in entry.conditions.headers)
    query = _named(test for entry in entries if entry.conditions for test in entry.conditions.query)
    names = [*(("header", name) for name in headers), *(("query", name) for name in query)]
    choices = [*headers.values(), *query.values()]
    # Few values first: those that nobody asked for anything but the needed are the plainest witnesses.
    picked = sorted(islice(product(*choices), _MOST_VALUES), key=lambda values: sum(v is not None for v in values))
    if len(picked) == _MOST_VALUES:
        picked += _together(entries, names)
    for values in picked:
        said = [(kind, name, value) for (kind, name), value in zip(names, values, strict=True) if value is not None]
        fields = tuple((name, value) for kind, name, value in said if kind == "header")
        yield fields, urlencode([(name, value) for kind, name, value in said if kind == "query"])


def _named(tests: Iterable[ValueTest]) -> dict[str, list[str | None]]:
    """For each name: absent, every value that is asked for, some that the expressions hold for and nobody asks for,
    and one that nobody asks for."""
    found: dict[str, dict[str | None, None]] = {}
    expressions: dict[str, list[ValueTest]] = {}
    for test in tests:
        values = found.setdefault(test.name, {None: None})
        if test.kind is ValueKind.EXACT:
            values[test.match.value] = None
        elif test.kind is ValueKind.REGULAR_EXPRESSION:
            expressions.setdefault(test.name, []).append(test)
    for name, asking in expressions.items():
        for test in {test.match.value: test for test in asking}.values():
            text = sample(test.match.value)
            if text is not None:
                near = (text, *_near(text))
                found[name].update(dict.fromkeys(islice((v for v in near if test.holds(v)), 1)))
                found[name].update(
                    dict.fromkeys(islice((v for v in near if v not in found[name] and test.holds(v)), 1))
                )
    return {
        name: [*values, next(v for v in ("other", "another", "none-of-these") if v not in values)]
        for name, values in found.items()
    }


def _near(text: str) -> Iterator[str]:
    """Texts that an expression which holds for `text` may hold for too."""
    yield from (text[:at] + char + text[at + 1 :] for at in range(len(text)) for char in "12ab0zA")
    yield from (text + char for char in "12ab")
    yield from (text[:-1], text * 2)


def _together(entries: list[RouteEntry], names: list[tuple[str, str]]) -> Iterator[tuple[str | None, ...]]:
    """Where there are too many combinations: what each route, and each two of them, ask for."""
    wanted = []
    for entry in entries:
        values: dict[tuple[str, str], str | None] = {}
        if entry.conditions is not None:
            for kind, tests in (("header", entry.conditions.headers), ("query", entry.conditions.query)):
                for test in tests:
                    text = sample(test.match.value) if test.kind is ValueKind.REGULAR_EXPRESSION else test.match.value
                    values[kind, test.name] = text or "any"
        wanted.append(values)
    for one, other in islice(product(wanted, wanted), _MOST_VALUES):
        both = {**one, **other}
        yield tuple(both.get(name) for name in names)
