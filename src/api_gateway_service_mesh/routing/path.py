"""Path predicates in the form the index works with.

Grammar of ``agw:routePath`` by kind (paths are compared as sent: no decoding, no normalising, case counts):

- Exact ``/a/b``: that very path.
- Template ``/users/{id}/orders``: segments between slashes; ``{name}`` stands for one segment that is not empty. A
  parameter is a whole segment, and a name stands once. ``/*`` at the end stands for any further segments, or none.
- Prefix ``/a``: ``/a``, ``/a/`` and all below, by whole segments (``/ab`` is not below ``/a``). The empty text is the
  prefix of every path. Segments ``{name}`` are parameters as in a template.
- RegularExpression: RE2, matched against the whole path.

A template without parameters is an exact path, and is treated as one throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from api_gateway_service_mesh.errors import Finding, Severity
from api_gateway_service_mesh.model import PathKind, PathMatch, Route
from api_gateway_service_mesh.vocabulary import AGW

from .pattern import PatternSet, syntax_error

__all__ = ["ANY_SEGMENT", "PathPattern", "path_findings", "path_holds", "path_pattern"]

#: What stands for a parameter in `PathPattern.segments`: no literal segment can hold a slash.
ANY_SEGMENT = "/"


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A path predicate taken apart.

    ``segments`` (templates and prefixes) holds the literal segments and `ANY_SEGMENT` for parameters; ``open_ended``
    says that further segments may follow. ``text`` is the path of an exact pattern and the source of an expression.
    """

    kind: PathKind
    text: str
    segments: tuple[str, ...] = ()
    open_ended: bool = False


def path_pattern(path: PathMatch) -> PathPattern:
    """Take a well-formed path predicate apart (see `path_findings` for the others)."""
    kind, text = path.kind, path.text
    if kind is PathKind.EXACT or kind is PathKind.REGULAR_EXPRESSION:
        return PathPattern(kind, text)
    open_ended = kind is PathKind.PREFIX
    if text.endswith("/*"):
        text, open_ended = text[:-2], True
    elif open_ended and text.endswith("/"):
        text = text[:-1]
    if "{" not in text:
        if not open_ended:
            return PathPattern(PathKind.EXACT, text)
        return PathPattern(PathKind.PREFIX, text, tuple(text.split("/")[1:]), True)
    segments = tuple(ANY_SEGMENT if _is_parameter(segment) else segment for segment in text.split("/")[1:])
    return PathPattern(kind, text, segments, open_ended)


def _is_parameter(segment: str) -> bool:
    return len(segment) > 2 and segment[0] == "{" and segment[-1] == "}" and not set("{}") & set(segment[1:-1])


def path_findings(route: Route) -> list[Finding]:
    """What is wrong with a route's path: violations, and warnings for paths that no client can send."""
    path = route.match.path
    text = path.text
    if path.kind is PathKind.REGULAR_EXPRESSION:
        error = syntax_error(text)
        if error is None:
            return []
        return [
            _finding(
                route,
                "invalid-regular-expression",
                f"{route.name}: {text!r} is not an RE2 regular expression: {error}",
                allowed="RE2 syntax (no look-around, no back-references)",
                remedy="correct the expression; it has to match the whole path",
            )
        ]
    empty_prefix = path.kind is PathKind.PREFIX and not text
    if not text.startswith("/") and not empty_prefix:
        return [
            _finding(
                route,
                "malformed-path",
                f"{route.name}: the path {text!r} does not begin with a slash",
                allowed="a path such as /api/v1/products",
                remedy=f"write {'/' + text!r}",
            )
        ]
    for sign, what in (("?", "a query"), ("#", "a fragment")):
        if sign in text:
            return [
                _finding(
                    route,
                    "malformed-path",
                    f"{route.name}: the path {text!r} holds {what}; a path ends before {sign!r}",
                    remedy="match query parameters with agw:matchesQueryParameter" if sign == "?" else "leave it out",
                )
            ]
    found = _template_findings(route) if path.kind is not PathKind.EXACT else []
    if not text.isascii() or any(c <= " " or c == "\x7f" for c in text):
        encoded = quote(text, safe="/{}%:@!$&'()*+,;=-._~")
        found.append(
            _finding(
                route,
                "unencoded-path",
                f"{route.name}: clients send {text!r} percent-encoded, so this path is never seen (RFC 3986 §2.1)",
                severity=Severity.WARNING,
                remedy=f"write {encoded!r}",
            )
        )
    return found


def _template_findings(route: Route) -> list[Finding]:
    text = route.match.path.text
    found: list[Finding] = []
    names: set[str] = set()
    segments = text.removesuffix("/*").split("/")[1:]
    for segment in segments:
        if _is_parameter(segment):
            if segment in names:
                found.append(
                    _finding(
                        route,
                        "duplicate-template-name",
                        f"{route.name}: {segment} stands twice in {text!r}",
                        remedy="give each parameter its own name",
                    )
                )
            names.add(segment)
        elif "{" in segment or "}" in segment:
            found.append(
                _finding(
                    route,
                    "malformed-template",
                    f"{route.name}: {segment!r} in {text!r} is neither plain text nor one {{name}}",
                    allowed="a parameter that is a whole segment, such as /users/{id}",
                    remedy='use a whole segment, or agw:pathMatchType "RegularExpression"',
                )
            )
        elif segment == "*":
            found.append(
                _finding(
                    route,
                    "malformed-template",
                    f"{route.name}: '*' stands inside {text!r}; it is understood only as the last segment",
                    allowed="/a/* for all below /a; {name} for one segment",
                    remedy=f"write {text.replace('/*/', '/{name}/')!r}",
                )
            )
    return found


def _finding(
    route: Route,
    code: str,
    message: str,
    *,
    severity: Severity = Severity.VIOLATION,
    allowed: str | None = None,
    remedy: str | None = None,
) -> Finding:
    return Finding(
        code=code,
        message=message,
        severity=severity,
        subject=route.iri,
        predicate=AGW.routePath,
        value=route.match.path.text,
        allowed=allowed,
        remedy=remedy,
    )


def path_holds(pattern: PathPattern, path: str) -> bool:
    """Whether one path predicate holds, asked on its own; the table's index answers for all at once."""
    if pattern.kind is PathKind.EXACT:
        return path == pattern.text
    if pattern.kind is PathKind.REGULAR_EXPRESSION:
        return bool(PatternSet((pattern.text,)).matching(path))
    if not path.startswith("/"):
        return False
    wanted, segments = pattern.segments, path.split("/")[1:]
    if len(segments) < len(wanted) or (len(segments) > len(wanted) and not pattern.open_ended):
        return False
    return all(
        segment != "" if stated == ANY_SEGMENT else stated == segment
        for stated, segment in zip(wanted, segments, strict=False)
    )
