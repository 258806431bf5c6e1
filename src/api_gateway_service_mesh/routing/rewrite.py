"""A request's new path: whole, by prefix, or by expression; and what a rewrite comes to in words.

Every new path is brought into one normal form, whatever it was put together from: it begins with exactly one slash (so
that no client takes it for ``//host``), has no dot segments (RFC 3986 §5.2.4), and what may not stand in a path is
percent-encoded. The query is nobody's business here: it stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import re2

from api_gateway_service_mesh.errors import Finding
from api_gateway_service_mesh.model import PathKind, PathMatch, Redirect, Rewrite, Route
from api_gateway_service_mesh.vocabulary import AGW

from .part import Citation, Part, cite
from .pattern import syntax_error

__all__ = ["PathChange", "normal_path", "path_change", "rewrite_findings", "rewrite_part"]

#: From a path, as it was sent, to the new one.
PathChange = Callable[[str], str]

_NAME = re.compile(r"\{(\w+)\}")
_SAFE = "/!$&'()*+,;=:@-._~%"


def normal_path(path: str) -> str:
    """`path` in normal form."""
    segments: list[str] = []
    for segment in quote(path, safe=_SAFE).lstrip("/").split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment != ".":
            segments.append(segment)
    if path.endswith(("/.", "/..")):
        segments.append("")
    return "/" + "/".join(segments).lstrip("/")


def path_change(match: PathMatch, change: Rewrite | Redirect) -> PathChange | None:
    """How `change` makes a path of one that `match` took; None when it leaves paths alone. `rewrite_findings` must have
    found nothing."""
    if isinstance(change, Rewrite) and change.pattern is not None:
        return _by_expression(change.pattern, change.substitution)
    if change.prefix is not None:
        return _by_prefix(match.text, change.prefix)
    if change.full_path is None:
        return None
    return _whole(match, change.full_path)


def _by_expression(pattern: str, substitution: str) -> PathChange:
    compiled: Any = re2.compile(pattern)
    return lambda path: normal_path(compiled.sub(substitution, path))


def _by_prefix(old: str, new: str) -> PathChange:
    length, kept = len(old), new.rstrip("/")
    return lambda path: normal_path(kept + path[length:] if path[length:] else new)


def _whole(match: PathMatch, text: str) -> PathChange:
    names = _NAME.findall(text)
    if match.kind is not PathKind.TEMPLATE or not names:
        fixed = normal_path(text)
        return lambda path: fixed
    places = {name: place for place, name in enumerate(match.text.split("/")) if name[:1] == "{"}

    def filled(path: str) -> str:
        segments = path.split("/")
        return normal_path(_NAME.sub(lambda found: segments[places[found.group()]], text))

    return filled


def rewrite_findings(route: Route) -> list[Finding]:
    """Violations for changes that do not fit the route: a prefix where none was matched, a name the template does not
    have, an expression that RE2 refuses."""
    found: list[Finding] = []
    for change in (route.rewrite, route.redirect):
        if change is None:
            continue
        if change.prefix is not None and route.match.path.kind is not PathKind.PREFIX:
            found.append(
                _finding(
                    route,
                    change,
                    AGW.replacePrefixMatch,
                    change.prefix,
                    f"{route.name} matches no prefix that could be replaced",
                    "write agw:replaceFullPath, or match a prefix: agw:routePath ending in /*",
                )
            )
        known = set(_NAME.findall(route.match.path.text)) if route.match.path.kind is PathKind.TEMPLATE else set()
        missing = [name for name in _NAME.findall(change.full_path or "") if name not in known]
        if missing:
            found.append(
                _finding(
                    route,
                    change,
                    AGW.replaceFullPath,
                    change.full_path or "",
                    f"the path of {route.name} has no segment {{{missing[0]}}}",
                    "name a segment of its agw:routePath",
                )
            )
    rewrite = route.rewrite
    if rewrite is not None and rewrite.pattern is not None:
        error = syntax_error(rewrite.pattern) or _substitution_error(rewrite)
        if error is not None:
            message = f"{route.name}: {rewrite.pattern!r} with {rewrite.substitution!r} cannot be applied: {error}"
            remedy = "correct the expression (RE2), or the numbers of its groups"
            found.append(_finding(route, rewrite, AGW.rewritePattern, rewrite.pattern, message, remedy))
    return found


def _substitution_error(rewrite: Rewrite) -> str | None:
    groups: int = re2.compile(rewrite.pattern).groups
    wanted = max((int(number) for number in re.findall(r"\\(\d)", rewrite.substitution)), default=0)
    return f"it has {groups} groups, and \\{wanted} is asked for" if wanted > groups else None


def _finding(route: Route, change: Rewrite | Redirect, term: str, value: str, message: str, remedy: str) -> Finding:
    return Finding("rewrite-does-not-fit", message, subject=change.iri, predicate=term, value=value, remedy=remedy)


def rewrite_part(route: Route, rewrite: Rewrite, path: str | None) -> Part:
    """What a rewrite does; with the `path` of a request, what becomes of it."""
    cited = [cite(route.iri, "hasRewrite", rewrite.iri)]
    words: list[str] = []
    if rewrite.host is not None:
        cited.append(cite(rewrite.iri, "rewriteHost", rewrite.host))
        words.append(f"host {rewrite.host}")
    cited += change_citations(rewrite)
    if rewrite.pattern is not None:
        cited.append(cite(rewrite.iri, "rewritePattern", rewrite.pattern))
        cited.append(cite(rewrite.iri, "rewriteSubstitution", rewrite.substitution))
    change = path_change(route.match.path, rewrite)
    if change is not None:
        words.append(f"path {path} -> {change(path)}" if path is not None else "path")
    return Part("rewrite", rewrite.iri, ", ".join(words) or "changes nothing", tuple(cited))


def change_citations(change: Rewrite | Redirect) -> list[Citation]:
    """The triples that a new path follows from."""
    found = []
    if change.full_path is not None:
        found.append(cite(change.iri, "replaceFullPath", change.full_path))
    if change.prefix is not None:
        found.append(cite(change.iri, "replacePrefixMatch", change.prefix))
    return found
