"""Routes for tests: written in one line, or drawn by Hypothesis; and the table's meaning said the slow, plain way."""

from __future__ import annotations

import random
from dataclasses import dataclass
from urllib.parse import parse_qsl

import re2
from hypothesis import strategies as st

from api_gateway_service_mesh.model import (
    HeaderMatch,
    Mesh,
    PathKind,
    PathMatch,
    QueryMatch,
    Route,
    RouteMatch,
    ValueKind,
)

EX = "https://example.org/"


def route(
    name: str,
    path: str,
    kind: str | None = None,
    *,
    hosts: tuple[str, ...] = (),
    methods: tuple[str, ...] = (),
    headers: tuple[HeaderMatch, ...] = (),
    query: tuple[QueryMatch, ...] = (),
    priority: int = 0,
    **policies: object,
) -> Route:
    """A route; the kind of path is read from its text unless stated, as the projection does."""
    if kind is None:
        kind = "Template" if "{" in path else "Prefix" if path.endswith("/*") else "Exact"
    text = path.removesuffix("/*") if kind == "Prefix" else path
    match = RouteMatch(PathMatch(PathKind(kind), text), hosts, methods, headers, query, priority)
    return Route(EX + name, f"ex:{name}", match, **policies)  # type: ignore[arg-type]


def header(name: str, value: str = "", kind: str = "Exact") -> HeaderMatch:
    return HeaderMatch(f"{EX}header-{name}-{value}", name, ValueKind(kind), value)


def parameter(name: str, value: str = "", kind: str = "Exact") -> QueryMatch:
    return QueryMatch(f"{EX}query-{name}-{value}", name, ValueKind(kind), value)


def mesh(*routes: Route, **more: object) -> Mesh:
    return Mesh(EX + "gateway", "ex:gateway", routes, **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Request:
    method: str = "GET"
    host: str = "example.com"
    path: str = "/"
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def fields(self) -> dict[str, str]:
        return dict(self.headers)


# --- the meaning of a table, by a scan of all routes: no index, and no code of the package -------------------------


def oracle(routes: tuple[Route, ...], request: Request) -> Route | None:
    """The route whose best rung for this request is smallest."""
    rungs = [(key, r) for r in routes if (key := _rung(r, request)) is not None]
    return min(rungs, key=lambda rung: rung[0])[1] if rungs else None


def _rung(r: Route, request: Request) -> tuple[object, ...] | None:
    match = r.match
    host = _host(match.hosts, request.host)
    path = _path(match.path, request.path)
    method = _method(match.methods, request.method)
    if host is None or path is None or method is None:
        return None
    if not all(_value(h.kind, h.value, request.fields.get(h.name)) for h in match.headers):
        return None
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        parameters.setdefault(name, value)
    if not all(_value(q.kind, q.value, parameters.get(q.name)) for q in match.query):
        return None
    return (host, path, method, -len(match.headers), -len(match.query), -match.priority, r.iri)


def _host(hosts: tuple[str, ...], host: str) -> tuple[int, int] | None:
    ranks: list[tuple[int, int]] = [] if hosts else [(2, 0)]
    for stated in hosts:
        if stated == host:
            ranks.append((0, 0))
        elif stated.startswith("*.") and host.endswith(stated[1:]) and len(host) > len(stated) - 1:
            ranks.append((1, -len(stated)))
    return min(ranks, default=None)


def _path(match: PathMatch, path: str) -> tuple[object, ...] | None:
    if match.kind is PathKind.REGULAR_EXPRESSION:
        return (2, -len(match.text), match.text) if re2.fullmatch(match.text, path) else None
    if match.kind is PathKind.EXACT or (match.kind is PathKind.TEMPLATE and "{" not in match.text):
        return (0,) if path == match.text else None
    if not path.startswith("/"):
        return None
    wanted, got = match.text.split("/")[1:], path.split("/")[1:]
    goes_on = match.kind is PathKind.PREFIX
    if len(got) < len(wanted) or (len(got) > len(wanted) and not goes_on):
        return None
    for segment, actual in zip(wanted, got, strict=False):
        if not (actual if segment.startswith("{") else segment == actual):
            return None
    return (1, -len(wanted), tuple(segment.startswith("{") for segment in wanted), goes_on)


def _method(methods: tuple[str, ...], method: str) -> int | None:
    if not methods:
        return 2
    if method in methods:
        return 0
    return 1 if method == "HEAD" and "GET" in methods else None


def _value(kind: ValueKind, wanted: str, got: str | None) -> bool:
    if got is None:
        return False
    if kind is ValueKind.REGULAR_EXPRESSION:
        return bool(re2.fullmatch(wanted, got))
    return kind is ValueKind.PRESENT or got == wanted


# --- drawing: small alphabets, so that routes and requests collide ---------------------------------------------------

_SEGMENTS = st.sampled_from(["a", "b", "users", "me", "{x}"])
_METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT"])
_HOSTS = st.sampled_from(["example.com", "a.example.com", "*.example.com", "*.a.example.com", "*.com", "other.org"])
_VALUES = st.sampled_from(["1", "2", ""])
_EXPRESSIONS = ["/a", "/a/.*", "/[ab]", "/users/[a-z]+", ".*", "/(a|b)/me", "/a/b/[a-z]*", "/users/me", "/.*"]


def _named(segments: list[str]) -> str:
    return "".join(f"/{s if s != '{x}' else '{x' + str(i) + '}'}" for i, s in enumerate(segments))


@st.composite
def path_matches(draw: st.DrawFn) -> PathMatch:
    kind = draw(st.sampled_from([PathKind.EXACT, PathKind.TEMPLATE, PathKind.PREFIX, PathKind.REGULAR_EXPRESSION]))
    if kind is PathKind.REGULAR_EXPRESSION:
        return PathMatch(kind, draw(st.sampled_from(_EXPRESSIONS)))
    segments = draw(st.lists(_SEGMENTS, min_size=0 if kind is PathKind.PREFIX else 1, max_size=3))
    text = _named(segments)
    if kind is PathKind.EXACT:
        text = text.replace("{", "").replace("}", "")
    return PathMatch(kind, text)


def _tests(cls: type[HeaderMatch | QueryMatch], name: str) -> st.SearchStrategy[HeaderMatch | QueryMatch]:
    kinds = [
        (ValueKind.EXACT, "1"),
        (ValueKind.EXACT, "2"),
        (ValueKind.PRESENT, ""),
        (ValueKind.REGULAR_EXPRESSION, "[12]"),
    ]
    return st.sampled_from(kinds).map(lambda kv: cls(f"{EX}{name}", name, *kv))


@st.composite
def route_sets(draw: st.DrawFn, max_size: int = 12) -> tuple[Route, ...]:
    count = draw(st.integers(1, max_size))
    made = []
    for index in range(count):
        match = RouteMatch(
            draw(path_matches()),
            tuple(draw(st.lists(_HOSTS, max_size=2, unique=True))),
            tuple(draw(st.lists(_METHODS, max_size=2, unique=True))),
            tuple(
                draw(st.lists(st.sampled_from(["x-a", "x-b"]).flatmap(lambda n: _tests(HeaderMatch, n)), max_size=2))
            ),
            tuple(draw(st.lists(st.sampled_from(["p", "q"]).flatmap(lambda n: _tests(QueryMatch, n)), max_size=1))),
            draw(st.integers(0, 1)),
        )
        made.append(Route(f"{EX}r{index:02}", f"ex:r{index:02}", match))
    return tuple(made)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    segments = draw(st.lists(st.sampled_from(["a", "b", "users", "me", "", "c"]), max_size=4))
    pairs = draw(st.lists(st.tuples(st.sampled_from(["p", "q"]), _VALUES), max_size=2))
    fields = draw(st.dictionaries(st.sampled_from(["x-a", "x-b"]), _VALUES, max_size=2))
    hosts = ["example.com", "a.example.com", "b.a.example.com", "other.org", "x.org", ""]
    return Request(
        draw(st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE"])),
        draw(st.sampled_from(hosts)),
        "/" + "/".join(segments),
        "&".join(f"{name}={value}" for name, value in pairs),
        tuple(sorted(fields.items())),
    )


# --- the same, drawn by a seeded generator: no shrinking, and a hundred times as many cases in the same time ----------


def random_routes(rng: random.Random, count: int) -> tuple[Route, ...]:
    """A route set from the same small alphabets."""
    return tuple(Route(f"{EX}r{i:02}", f"ex:r{i:02}", _random_match(rng)) for i in range(count))


def _random_match(rng: random.Random) -> RouteMatch:
    kind = rng.choice([PathKind.EXACT, PathKind.TEMPLATE, PathKind.PREFIX, PathKind.REGULAR_EXPRESSION])
    text = rng.choice(_EXPRESSIONS)
    if kind is not PathKind.REGULAR_EXPRESSION:
        least = 0 if kind is PathKind.PREFIX else 1
        text = _named([rng.choice(["a", "b", "users", "me", "{x}"]) for _ in range(rng.randint(least, 3))])
    if kind is PathKind.EXACT:
        text = text.replace("{", "").replace("}", "")
    hosts = rng.sample(
        ["example.com", "a.example.com", "*.example.com", "*.a.example.com", "*.com"], rng.choice([0, 0, 1, 2])
    )
    methods = rng.sample(["GET", "HEAD", "POST", "PUT"], rng.choice([0, 1, 2]))
    values = [
        (ValueKind.EXACT, "1"),
        (ValueKind.EXACT, "2"),
        (ValueKind.PRESENT, ""),
        (ValueKind.REGULAR_EXPRESSION, "[12]"),
    ]
    headers = [
        HeaderMatch(f"{EX}h", rng.choice(["x-a", "x-b"]), *rng.choice(values)) for _ in range(rng.choice([0, 0, 1, 2]))
    ]
    query = [QueryMatch(f"{EX}q", rng.choice(["p", "q"]), *rng.choice(values)) for _ in range(rng.choice([0, 0, 1]))]
    return RouteMatch(
        PathMatch(kind, text), tuple(hosts), tuple(methods), tuple(headers), tuple(query), rng.randint(0, 1)
    )


def random_request(rng: random.Random) -> Request:
    """A request from the same small alphabets."""
    segments = [rng.choice(["a", "b", "users", "me", "", "c"]) for _ in range(rng.randint(0, 4))]
    return Request(
        rng.choice(["GET", "HEAD", "POST", "PUT", "DELETE"]),
        rng.choice(["example.com", "a.example.com", "b.a.example.com", "other.org", "x.com", ""]),
        "/" + "/".join(segments),
        "&".join(f"{rng.choice('pq')}={rng.choice('12')}" for _ in range(rng.randint(0, 2))),
        tuple((name, rng.choice("12")) for name in ("x-a", "x-b") if rng.randint(0, 1)),
    )
