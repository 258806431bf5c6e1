"""New hosts and paths on the way to a backend."""

from __future__ import annotations

import re
from typing import Final

from api_gateway_service_mesh.manifests.gap import lost
from api_gateway_service_mesh.model import PathKind, Redirect, Rewrite
from api_gateway_service_mesh.routing import RouteEntry
from api_gateway_service_mesh.routing.rewrite import normal_path
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context
from .match import shape_expression
from .typed import Json

__all__ = ["path_change", "rewrite"]

_NAME: Final = re.compile(r"\{(\w+)\}")


def rewrite(context: Context, entry: RouteEntry) -> Json:
    """What a route action says of host and path."""
    change = entry.route.rewrite
    if change is None:
        return {}
    made: Json = {}
    if change.host is not None:
        made["host_rewrite_literal"] = change.host
    if change.pattern is not None:
        made["regex_rewrite"] = {"pattern": {"regex": change.pattern}, "substitution": change.substitution}
        return made
    found = path_change(context, entry, change)
    if found is not None:
        made["regex_rewrite"] = found
    return made


def path_change(context: Context, entry: RouteEntry, change: Rewrite | Redirect) -> Json | None:
    """A path's replacement as an expression; None when paths stay."""
    path = entry.route.match.path
    if change.prefix is not None:
        if "{" in path.text:
            message = f"{entry.route.name}: Envoy cannot replace a prefix with parameters"
            context.say(lost(change.iri, AGW.replacePrefixMatch, message, "write agw:rewritePattern"))
            return None
        kept = change.prefix.rstrip("/")
        if kept:
            return _regex(f"^{re.escape(path.text)}", kept)
        return _regex(f"^{re.escape(path.text)}/*", "/")
    if change.full_path is None:
        return None
    names = _NAME.findall(change.full_path)
    if path.kind is not PathKind.TEMPLATE or not names:
        return _regex("^.*$", normal_path(change.full_path))
    numbers = {name: number for number, name in enumerate(_NAME.findall(path.text), 1)}
    pattern = f"^{shape_expression(entry, capture=True)}{'.*' if entry.path.open_ended else ''}$"
    pieces = _NAME.split(change.full_path)
    text = "".join(f"\\{numbers[piece]}" if odd % 2 else _literal(piece) for odd, piece in enumerate(pieces))
    return {"pattern": {"regex": pattern}, "substitution": text}


def _regex(pattern: str, text: str) -> Json:
    return {"pattern": {"regex": pattern}, "substitution": _literal(text)}


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\")
