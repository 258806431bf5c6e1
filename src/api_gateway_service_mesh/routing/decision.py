"""One request put to single routes, predicate by predicate: what `explain` and its citations are made of.

The hot path never comes here. The table's index and this module answer the same question by different roads; a property
test holds them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.model import Caller, PathKind, ValueKind
from api_gateway_service_mesh.model.url import url_parts

from .condition import ValueTest, first_parameters
from .entry import RouteEntry
from .host import host_holds, host_text
from .path import path_holds
from .precedence import ELEMENTS, Precedence, precedence

__all__ = ["ExplainRequest", "Verdict", "path_text", "reason", "rung", "verdicts"]


@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """A request as the table sees it: host without port, `path` and `query` as sent. Header names in any case.

    Routes are not chosen by who is calling, from where and when; what they may do is: ``caller`` (None: not told),
    ``address`` and ``at`` (seconds since 1970; None: now)."""

    method: str
    host: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    caller: Caller | None = None
    address: str = ""
    at: float | None = None

    @classmethod
    def of(cls, method: str, url: str, headers: Mapping[str, str] | None = None) -> ExplainRequest:
        """`method` on `url`: ``http://host/path?query``, or ``/path?query`` for a request that names no host.

        Raises:
            ClientError: `url` is neither.
        """
        remedy = "write http://host/path, or /path for any host"
        parts = url_parts(url, remedy)
        path = parts.path or ("/" if parts.netloc else "")
        if not path.startswith("/"):
            raise ClientError(f"{url[:200]!r} is no URL", remedy=remedy)
        return cls(method.upper(), parts.hostname or "", path, parts.query, dict(headers or {}))

    @property
    def fields(self) -> dict[str, str]:
        """The headers by their names in lower case."""
        return {name.lower(): value for name, value in self.headers.items()}

    def __str__(self) -> str:
        origin = f"http://{self.host}" if self.host else ""
        return f"{self.method} {origin}{self.path}{'?' + self.query if self.query else ''}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One predicate of one route: what it wants, what the request has (None: nothing), and whether it held."""

    predicate: str
    wanted: str
    got: str | None
    held: bool


def verdicts(entry: RouteEntry, request: ExplainRequest) -> tuple[Verdict, ...]:
    """All predicates of a route, in the order of precedence; a route that states no host or method has none for it."""
    host = request.host.lower()
    found: list[Verdict] = []
    if entry.route.match.hosts:
        wanted = " or ".join(host_text(key) for key in entry.hosts)
        found.append(Verdict("host", wanted, host or None, any(host_holds(key, host) for key in entry.hosts)))
    kind = entry.path.kind.value
    found.append(Verdict(f"path ({kind})", path_text(entry), request.path, path_holds(entry.path, request.path)))
    if entry.methods:
        wanted = " or ".join(entry.methods)
        found.append(Verdict("method", wanted, request.method, entry.method_rank(request.method) is not None))
    conditions = entry.conditions
    if conditions is not None:
        fields = request.fields
        found += [_value_verdict("header", test, fields.get(test.name)) for test in conditions.headers]
        parameters = first_parameters(request.query) if conditions.query else {}
        found += [_value_verdict("query", test, parameters.get(test.name)) for test in conditions.query]
    return tuple(found)


def _value_verdict(what: str, test: ValueTest, got: str | None) -> Verdict:
    wanted = {
        ValueKind.EXACT: f"= {test.match.value!r}",
        ValueKind.REGULAR_EXPRESSION: f"~ {test.match.value!r}",
        ValueKind.PRESENT: "is present",
    }[test.kind]
    return Verdict(f"{what} {test.name}", wanted, got, test.holds(got))


def path_text(entry: RouteEntry) -> str:
    """The path as people write it."""
    path = entry.route.match.path
    return f"{path.text}/*" if path.kind is PathKind.PREFIX and not path.text.endswith("/*") else path.text


def rung(entry: RouteEntry, request: ExplainRequest) -> Precedence | None:
    """The rung by which a route holds for a request; None when a predicate fails."""
    host = next((key for key in entry.hosts if host_holds(key, request.host.lower())), None)
    method = entry.method_rank(request.method)
    if host is None or method is None or not path_holds(entry.path, request.path):
        return None
    if entry.conditions is not None and not entry.conditions.hold(request.fields, request.query):
        return None
    return precedence(entry.route, host, entry.path_key, method)


def reason(winner: Precedence, other: Precedence) -> str:
    """Which element of the order put `winner` before `other`."""
    position = next(i for i, (mine, theirs) in enumerate(zip(winner, other, strict=True)) if mine != theirs)
    return ELEMENTS[position]
