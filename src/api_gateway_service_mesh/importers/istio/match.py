"""``HTTPMatchRequest``: each becomes a path with predicates, or is left out whole: never does a route take more."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from api_gateway_service_mesh.errors import Location
from api_gateway_service_mesh.importers.draft import Test
from api_gateway_service_mesh.importers.part import Part
from api_gateway_service_mesh.importers.path import UnsayableError, exact, expression, prefix
from api_gateway_service_mesh.model import PathKind, PathMatch, ValueKind

__all__ = ["Match", "matches"]

_KNOWN: Final = {"name", "statPrefix", "uri", "method", "headers", "queryParams"}
_METHODS: Final = re.compile(r"[A-Z]+(?:\|[A-Z]+)*")
_META: Final = re.compile(r"([\\.+*?()|\[\]{}^$])")


@dataclass(slots=True)
class Match:
    """One alternative. `slashed`: its prefix ended in a slash, so that Istio's went by segments too."""

    place: Location
    path: PathMatch
    methods: tuple[str, ...] = ()
    headers: tuple[Test, ...] = ()
    query: tuple[Test, ...] = ()
    slashed: bool = False


def matches(http: Part) -> list[Match]:
    """The alternatives of a route; none that can be taken over: an empty list."""
    listed = http.parts("match")
    if not listed:
        return [Match(http.place, prefix("/"), slashed=True)]
    found = [match for each in listed if (match := _match(each)) is not None]
    kept: list[Match] = []
    for match in found:
        below = PathMatch(PathKind.PREFIX, match.path.text)
        if match.path.kind is PathKind.EXACT and any(_same(match, other, below) for other in found):
            continue  # "exact: /a" beside "prefix: /a/": what agw calls a prefix
        kept.append(match)
    for match in kept:
        if match.path.kind is not PathKind.PREFIX or not match.path.text:
            continue
        at = PathMatch(PathKind.EXACT, match.path.text)
        text = match.path.text
        if not match.slashed:
            message = f"{http.name}: Istio's prefix {text} goes by characters and takes {text}x; agw's by segments"
            http.findings.differs(match.place, message, "write a regular expression where that is meant")
        elif not any(_same(match, other, at) for other in found):
            message = f"{http.name}: Istio's prefix {text}/ does not take {text}; agw's {text}/* does"
            http.findings.differs(match.place, message, f"give {text} a route of its own where that matters")
    return kept


def _same(one: Match, other: Match, path: PathMatch) -> bool:
    """Whether `other` asks for `path` and else the same."""
    mine = (path, one.methods, one.headers, one.query)
    return mine == (other.path, other.methods, other.headers, other.query) and (
        path.kind is PathKind.EXACT or other.slashed
    )


def _match(part: Part) -> Match | None:
    try:
        unknown = [key for key in part.keys() if key not in _KNOWN and key in part]  # noqa: SIM118
        if unknown:
            raise UnsayableError(f"agw does not match by {', '.join(unknown)}")
        part.ignore("name", "statPrefix")
        path, slashed = _path(part)
        return Match(part.place, path, _method(part), _tests(part, "headers"), _tests(part, "queryParams"), slashed)
    except UnsayableError as error:
        part.drop()
        part.findings.lost(part.place, f"{part.name} is not taken over: {error}", "write a route for what it takes")
        return None


def _path(part: Part) -> tuple[PathMatch, bool]:
    stated = part.part("uri")
    if stated is None:
        return prefix("/"), True
    kind, value = _only(stated)
    if kind == "exact":
        return exact(value), False
    if kind == "regex":
        return expression(value), False
    return prefix(value), value.endswith("/")


def _method(part: Part) -> tuple[str, ...]:
    stated = part.part("method")
    if stated is None:
        return ()
    kind, value = _only(stated)
    if kind == "exact" or (kind == "regex" and _METHODS.fullmatch(value)):
        return tuple(dict.fromkeys(value.split("|")))
    raise UnsayableError(f"agw names methods, and knows no {kind} of them")


def _tests(part: Part, key: str) -> tuple[Test, ...]:
    stated = part.part(key)
    if stated is None:
        return ()
    header = key == "headers"
    found: list[Test] = []
    for name in stated.keys():  # noqa: SIM118
        if name.startswith(":"):
            raise UnsayableError(f"agw does not match by {name}")
        each = stated.part(name)
        lower = name.lower() if header else name
        if each is None or not any(each.keys()):
            if not header:
                raise UnsayableError(f"agw does not ask whether the parameter {name} is empty")
            found.append(Test(lower, ValueKind.PRESENT))
            continue
        kind, value = _only(each)
        if kind == "exact":
            found.append(Test(lower, ValueKind.EXACT, value))
            continue
        if kind == "prefix":
            value = _META.sub(r"\\\1", value) + ".*"
        expression(value)
        found.append(
            Test(lower, ValueKind.PRESENT) if value == ".*" else Test(lower, ValueKind.REGULAR_EXPRESSION, value)
        )
    return tuple(found)


def _only(part: Part) -> tuple[str, str]:
    """The one way in which a ``StringMatch`` compares, and with what."""
    stated = [key for key in part.keys() if key in part]  # noqa: SIM118
    if len(stated) != 1 or stated[0] not in ("exact", "prefix", "regex"):
        raise UnsayableError(
            f"a text is compared by exact, prefix or regex, and not by {', '.join(stated) or 'nothing'}"
        )
    return stated[0], part.text(stated[0]) or ""
