"""What two paths, hosts or sets of predicates have in common: which requests hold for both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from api_gateway_service_mesh.model import PathKind, PathMatch, ValueKind
from api_gateway_service_mesh.routing import ANY_SEGMENT
from api_gateway_service_mesh.routing.path import PathPattern, path_holds, path_pattern
from api_gateway_service_mesh.routing.witness import literal_start

from .draft import RouteDraft, Test
from .path import literal

__all__ = ["ANY", "as_expression", "covers", "may_meet", "meeting_path", "paths_meet", "wider"]

#: Any host, where hosts are compared.
ANY: Final = "*"
_SHAPES: Final = (PathKind.PREFIX, PathKind.TEMPLATE)


def may_meet(one: RouteDraft, other: RouteDraft) -> bool:
    """Whether some request may hold for both; True where that cannot be seen."""
    if one.methods and other.methods and not set(one.methods) & set(other.methods):
        return False
    if not any(_hosts_meet(mine, theirs) for mine in one.hosts or (ANY,) for theirs in other.hosts or (ANY,)):
        return False
    if _beside(one, other) or _beside(other, one):
        return False
    if _contradict(one.headers, other.headers) or _contradict(one.query, other.query):
        return False
    return paths_meet(one.path, other.path)


def covers(one: RouteDraft, other: RouteDraft) -> bool:
    """Whether `one` holds for every request that `other` holds for, as far as can be seen."""
    if one.methods and not (other.methods and set(other.methods) <= set(one.methods)):
        return False
    if not (set(one.headers) <= set(other.headers) and set(one.query) <= set(other.query)):
        return False
    if _beside(one, other) or (one.slashed and one.path == other.path and not other.slashed):
        return False
    mine = one.hosts or (ANY,)
    if not all(any(host == own or wider(own, host) for own in mine) for host in other.hosts or (ANY,)):
        return False
    if one.path in (other.path, PathMatch(PathKind.PREFIX, "")):
        return True
    return other.path.kind is not PathKind.REGULAR_EXPRESSION and meeting_path(one.path, other.path) == other.path


def _beside(one: RouteDraft, other: RouteDraft) -> bool:
    """Whether `other` is for the very path that a prefix with a slash at its end does not take."""
    return one.slashed and other.path == PathMatch(PathKind.EXACT, one.path.text)


def wider(one: str, other: str) -> bool:
    """Whether the host `one` stands for `other` and more."""
    if one == other:
        return False
    return one == ANY or (one.startswith("*.") and other.endswith(one[1:]))


def _hosts_meet(one: str, other: str) -> bool:
    return one == other or wider(one, other) or wider(other, one)


def _contradict(one: Sequence[Test], other: Sequence[Test]) -> bool:
    asked = {test.name: test.value for test in one if test.kind is ValueKind.EXACT}
    return any(test.kind is ValueKind.EXACT and asked.get(test.name, test.value) != test.value for test in other)


def paths_meet(one: PathMatch, other: PathMatch) -> bool:
    """Whether some path may hold for both."""
    kinds = (one.kind, other.kind)
    if PathKind.EXACT in kinds or PathKind.REGULAR_EXPRESSION not in kinds:
        return meeting_path(one, other) is not None
    mine, theirs = _begins(one), _begins(other)
    return mine.startswith(theirs) or theirs.startswith(mine)


def _begins(path: PathMatch) -> str:
    """The text that all such paths begin with."""
    if path.kind is PathKind.REGULAR_EXPRESSION:
        return literal_start(path.text)[0]
    return path_pattern(path).text.partition("{")[0] if path.kind is PathKind.TEMPLATE else path.text


def meeting_path(one: PathMatch, other: PathMatch) -> PathMatch | None:
    """The path of what holds for both; None: nothing, or an expression stands for it that nobody can write."""
    if one == other:
        return one
    for exact, rest in ((one, other), (other, one)):
        if exact.kind is PathKind.EXACT:
            return exact if path_holds(path_pattern(rest), exact.text) else None
    if PathKind.REGULAR_EXPRESSION in (one.kind, other.kind):
        return None
    return _unified(path_pattern(one), path_pattern(other))


def _unified(one: PathPattern, other: PathPattern) -> PathMatch | None:
    short, long = sorted((one, other), key=lambda shape: len(shape.segments))
    if len(short.segments) < len(long.segments) and not short.open_ended:
        return None
    segments: list[str] = []
    for at, segment in enumerate(long.segments):
        against = short.segments[at] if at < len(short.segments) else ANY_SEGMENT
        if ANY_SEGMENT not in (segment, against) and segment != against:
            return None
        segments.append(against if segment == ANY_SEGMENT else segment)
    same = len(short.segments) == len(long.segments)
    return _shape(segments, open_ended=long.open_ended and (short.open_ended or not same))


def _shape(segments: Sequence[str], *, open_ended: bool) -> PathMatch:
    number = 0
    text = ""
    for segment in segments:
        number += segment == ANY_SEGMENT
        text += f"/{{p{number}}}" if segment == ANY_SEGMENT else f"/{segment}"
    if number:
        return PathMatch(PathKind.TEMPLATE, text + ("/*" if open_ended else ""))
    return PathMatch(PathKind.PREFIX if open_ended else PathKind.EXACT, text)


def as_expression(path: PathMatch) -> PathMatch:
    """A prefix or template as an expression for the whole path."""
    if path.kind not in _SHAPES:
        return path
    shape = path_pattern(path)
    text = "".join("/" + ("[^/]+" if each == ANY_SEGMENT else literal(each)) for each in shape.segments)
    if shape.open_ended:
        text += "(/.*)?" if text else "/.*"
    return PathMatch(PathKind.REGULAR_EXPRESSION, text)
