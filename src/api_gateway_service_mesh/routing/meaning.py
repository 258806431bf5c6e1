"""What two meshes mean differently, in words: "route pay lost its rate limit", "service users: address changed".

Two configurations that decide the same say nothing here, however they are written: order, prefixes and the labels of
blank nodes never reach the model, and the names that blank nodes get are ignored where what they name is alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from typing import Any

from api_gateway_service_mesh.model import (
    ApiKey,
    Endpoint,
    HeaderMatch,
    Mesh,
    PathKind,
    PathMatch,
    QueryMatch,
    RateLimit,
    Route,
    RouteMatch,
    Upstream,
    ValueKind,
)

from .part import number
from .rate_limit import limit_text

__all__ = ["Change", "Statement", "changes", "same"]

_UNNAMED = "urn:agw:genid:"
_PLURALS = {
    "hosts": "host",
    "methods": "method",
    "headers": "header predicate",
    "query": "query predicate",
    "splits": "traffic split",
    "rate_limits": "rate limit",
    "endpoints": "endpoint",
    "api_keys": "API key",
    "audiences": "audience",
    "statuses": "status",
    "failure_statuses": "failure status",
    "keys": "key",
    "labels": "label",
    "subset": "subset label",
    "trusted_proxies": "trusted proxy",
    "steps": "step",
    "listeners": "listener",
    "exemptions": "exemption",
    "objectives": "service level objective",
    "registrations": "registration",
    "conditions": "condition",
    "algorithms": "algorithm",
}
_WORDS = {
    "breaker": "circuit breaker",
    "retry": "retry policy",
    "upstream": "service",
    "pool": "connection pool",
    "health": "health check",
    "outlier": "outlier detection",
    "mtls": "mutual TLS",
    "mtls_mode": "mutual TLS mode",
    "tls": "TLS",
    "jwt": "token",
    "total_seconds": "seconds in all",
    "concurrency": "adaptive concurrency",
    "overload": "overload guard",
    "metrics_export": "metrics export",
    "match": "",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One difference. ``about`` is the member of the model it is in (``rate_limits``), ``what`` says it in words;
    ``before`` None: gained, ``after`` None: lost."""

    about: str
    what: str
    before: str | None
    after: str | None
    note: str = ""
    """Where it comes from, where that is not the thing itself."""

    def __str__(self) -> str:
        note = f" ({self.note})" if self.note else ""
        if self.before is None:
            return f"gained {self.what} {self.after}".rstrip() + note
        if self.after is None:
            return f"lost its {self.what} {self.before}".rstrip() + note
        return f"{self.what} changed from {self.before} to {self.after}{note}"


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one thing: ``kind`` is ``route``, ``service`` or ``gateway``, ``how`` is ``added``, ``removed`` or
    ``changed``; ``statements`` say in what (of what was added or removed: what it is)."""

    kind: str
    iri: str
    name: str
    how: str
    statements: tuple[Statement, ...]


def changes(old: Mesh, new: Mesh) -> tuple[Change, ...]:
    """What `new` means that `old` did not, and the other way round: the gateway, routes, services, each by IRI."""
    services = _Pairs(old.upstreams, new.upstreams)
    routes = _Pairs(old.routes, new.routes)
    words = _Words(services.renamed, (_together(old), _together(new)), frozenset(r.iri for r, _ in routes.both))
    found: list[Change] = []
    settings = tuple(words.differences(old, new, "", skip=("routes", "upstreams")))
    if settings:
        found.append(Change("gateway", new.iri, new.name, "changed", settings))
    for kind, pairs in (("route", routes), ("service", services)):
        found += [Change(kind, thing.iri, thing.name, "removed", ()) for thing in pairs.lost]
        for thing in pairs.gained:
            said = tuple(words.differences(None, thing, ""))
            found.append(Change(kind, thing.iri, thing.name, "added", said))
        for before, after in pairs.both:
            told = tuple(words.differences(before, after, ""))
            if isinstance(before, Route):
                told += tuple(words.sharing(before, after))
            if told:
                found.append(Change(kind, after.iri, after.name, "changed", told))
    order = {"gateway": 0, "route": 1, "service": 2}
    return tuple(sorted(found, key=lambda change: (order[change.kind], change.iri)))


def same(old: Any, new: Any) -> bool:
    """Whether two parts of the model are alike but for the names of blank nodes."""
    return bool(old == new) or _plain(old) == _plain(new)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return (type(value), *(_plain(getattr(value, field.name)) for field in fields(value)))
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    if isinstance(value, str) and not isinstance(value, Enum):
        return _UNNAMED if value.startswith(_UNNAMED) else value
    return value


def _iri(thing: Any) -> str:
    return str(getattr(thing, "iri", ""))


def _unnamed(thing: Any) -> bool:
    return _iri(thing).startswith(_UNNAMED)


class _Pairs:
    """Which thing of one list is which of another: by IRI, then what is alike, then blank nodes in their order."""

    def __init__(self, old: Sequence[Any], new: Sequence[Any]) -> None:
        self.both: list[tuple[Any, Any]] = []
        left: dict[str, list[Any]] = defaultdict(list)
        for thing in new:
            left[thing.iri].append(thing)
        lost: list[Any] = []
        for thing in old:
            same_name = left.get(thing.iri)
            if same_name:
                self.both.append((thing, same_name.pop(0)))
            else:
                lost.append(thing)
        gained = [thing for things in left.values() for thing in things]
        for rule in (same, lambda before, after: True):
            for before in [thing for thing in lost if _unnamed(thing)]:
                after = next((thing for thing in gained if _unnamed(thing) and rule(before, thing)), None)
                if after is not None:
                    lost.remove(before)
                    gained.remove(after)
                    self.both.append((before, after))
        self.lost, self.gained = lost, gained
        self.renamed: dict[str, str] = {before.iri: after.iri for before, after in self.both if before.iri != after.iri}


_Sharing = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class _Words:
    """Says differences. ``renamed``: services without a name that are called otherwise now."""

    renamed: Mapping[str, str]
    together: tuple[_Sharing, _Sharing]
    kept: frozenset[str]

    def differences(
        self, old: Any, new: Any, what: str, *, about: str = "", skip: tuple[str, ...] = ()
    ) -> Iterator[Statement]:
        """Member by member; ``old`` None: all that `new` states."""
        for field in fields(new):
            if field.name in ("iri", "stated_by") or field.name in skip:
                continue
            if field.name == "name" and (old is None or _unnamed(new)):  # a blank node's comes from what it is called
                continue
            after = getattr(new, field.name)
            before = field.default if old is None else getattr(old, field.name)
            word = _join(what, _word(field.name))
            top = about or field.name
            if isinstance(new, Endpoint) and field.name in ("host", "port"):
                if field.name == "host" and old is not None and new.authority != old.authority:
                    yield Statement(top, _join(what, "address"), old.authority, new.authority)
            elif isinstance(new, ApiKey) and field.name == "hashes":
                if before != after:
                    yield Statement(top, _join(what, "hash"), "•••", "•••")
            else:
                yield from self.member(before, after, word, top)

    def member(self, before: Any, after: Any, word: str, about: str) -> Iterator[Statement]:
        """One member of a thing, before and after."""
        if before == after:
            return
        if isinstance(before, tuple) or isinstance(after, tuple):
            yield from self._items(_items(before), _items(after), word, about)
        elif isinstance(before, PathMatch) and isinstance(after, PathMatch):
            yield Statement(about, word, _said(before), _said(after))
        elif isinstance(after, RouteMatch):
            yield from self.differences(before if isinstance(before, RouteMatch) else None, after, word, about=about)
        elif is_dataclass(before) and is_dataclass(after) and type(before) is type(after):
            if _renamed(before, after):
                yield Statement(about, f"{word} stated as", _short(_iri(before)), _short(_iri(after)))
            yield from self.differences(before, after, word, about=about)
        elif before is None or before is MISSING:
            yield Statement(about, word, None, _said(after))
        elif after is None:
            yield Statement(about, word, _said(before), None)
        elif not (isinstance(before, str) and self.renamed.get(before) == after):
            yield Statement(about, word, _said(before), _said(after))

    def _items(self, old: Sequence[Any], new: Sequence[Any], word: str, about: str) -> Iterator[Statement]:
        if any(hasattr(item, "iri") for item in (*old, *new)):
            pairs = _Pairs(old, new)
            for before, after in pairs.both:
                label = word if _unnamed(after) else f"{word} {_short(after.iri)}"
                if isinstance(after, Endpoint) and len(old) == len(new) == 1:
                    label = ""
                if isinstance(after, (HeaderMatch, QueryMatch)) and not same(before, after):
                    yield Statement(about, word, _said(before), _said(after))
                else:
                    yield from self.differences(before, after, f"{label}:" if label else label, about=about)
            yield from (Statement(about, word, _said(item), None) for item in pairs.lost)
            yield from (Statement(about, word, None, _said(item)) for item in pairs.gained)
            kept = [[self._now(pairs, item.iri) for item in old], [item.iri for item in new]]
            if not pairs.lost and not pairs.gained and kept[0] != kept[1] and sorted(kept[0]) == sorted(kept[1]):
                said = (", ".join(_said(item) for item in items) for items in (old, new))
                yield Statement(about, f"order of each {word}", *said)
            return
        before, after = [_said(item) for item in old], [_said(item) for item in new]
        lost = [item for item in before if item not in after]
        gained = [item for item in after if item not in before]
        yield from (Statement(about, word, item, None) for item in lost)
        yield from (Statement(about, word, None, item) for item in gained)
        if not lost and not gained and before != after:
            yield Statement(about, f"order of each {word}", ", ".join(before), ", ".join(after))

    @staticmethod
    def _now(pairs: _Pairs, iri: str) -> str:
        """What is called so now."""
        return str(pairs.renamed.get(iri, iri))

    def sharing(self, before: Route, after: Route) -> Iterator[Statement]:
        """Routes that count together with others than before, though the limit is the same."""
        for old, new in _Pairs(before.rate_limits, after.rate_limits).both:
            first = (self.together[0][old.iri] & self.kept) - {before.iri}
            last = (self.together[1][new.iri] & self.kept) - {after.iri}
            if first != last:
                said = [", ".join(sorted(map(_short, found))) or "no other route" for found in (first, last)]
                yield Statement("rate_limits", f"rate limit {_short(new.iri)}: counted together with", *said)


def _together(mesh: Mesh) -> _Sharing:
    found: dict[str, set[str]] = defaultdict(set)
    for route in mesh.routes:
        for limit in route.rate_limits:
            found[limit.iri].add(route.iri)
    return {iri: frozenset(routes) for iri, routes in found.items()}


def _items(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else ()


def _renamed(before: Any, after: Any) -> bool:
    one, other = _iri(before), _iri(after)
    return bool(one and other and one != other) and not (_unnamed(before) and _unnamed(after))


def _join(what: str, word: str) -> str:
    return f"{what} {word}".strip()


def _word(name: str) -> str:
    return _PLURALS.get(name) or _WORDS.get(name, name.replace("_", " "))


def _short(iri: str) -> str:
    return iri.removeprefix(_UNNAMED).rstrip("/#").replace("#", "/").rpartition("/")[2] or iri


def _said(value: Any) -> str:
    """A value in words. What stands for a secret is not said."""
    if isinstance(value, RateLimit):
        return limit_text(value)
    if isinstance(value, Endpoint):
        return value.authority
    if isinstance(value, (Route, Upstream)):
        return value.name
    if isinstance(value, PathMatch):
        text = f"{value.text}/*" if value.kind is PathKind.PREFIX else value.text
        return f"{text} ({value.kind.value})" if value.kind is PathKind.REGULAR_EXPRESSION else text
    if isinstance(value, (HeaderMatch, QueryMatch)):
        sign = {ValueKind.EXACT: "=", ValueKind.REGULAR_EXPRESSION: "~", ValueKind.PRESENT: ""}[value.kind]
        return f"{value.name}{sign}{value.value}"
    if is_dataclass(value):
        said = []
        for field in fields(value):
            held = getattr(value, field.name)
            if field.name in ("iri", "hashes", "stated_by") or held == field.default or held in ((), None):
                continue
            said.append(f"{_word(field.name)} {_said(held)}".strip())
        name = _short(_iri(value)) if _iri(value) and not _unnamed(value) else ""
        text = ", ".join(said)
        return f"{name} ({text})" if name and text else text or name
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, (tuple, frozenset)):
        items = [_said(item) for item in value]
        return ", ".join(sorted(items) if isinstance(value, frozenset) else items)
    text = str(value)
    return _short(text) if text.startswith(("http://", "https://", _UNNAMED)) else text or '""'
