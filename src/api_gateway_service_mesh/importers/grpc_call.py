"""Calls of gRPC as GRPCRoute asks for them."""

from __future__ import annotations

import re
from typing import Final

from .draft import RouteDraft
from .part import Part
from .path import UnsayableError, expression, prefix
from .predicate import tests

__all__ = ["calls"]

_SEGMENT: Final = "[^/]+"


def calls(rule: Part, wanted: str) -> list[RouteDraft]:
    """A route for each match of a rule."""
    listed = rule.parts("matches")
    if not listed:
        return [RouteDraft(wanted, rule.place, prefix("/"), methods=("POST",))]
    made: list[RouteDraft] = []
    for match in listed:
        headers = tests(match, "headers", header=True)
        route = _call(match, wanted)
        if headers is not None and route is not None:
            route.headers = headers
            made.append(route)
    return made


def _call(match: Part, wanted: str) -> RouteDraft | None:
    stated = match.part("method")
    if stated is None:
        return RouteDraft(wanted, match.place, prefix("/"), methods=("POST",))
    kind, service, method = stated.text("type") or "Exact", stated.text("service"), stated.text("method")
    if kind == "Exact" and service:
        service = service.removeprefix(".")
        return RouteDraft(wanted, match.place, prefix("/"), call=(service, method or None))
    parts = [_expression(text, exact=kind == "Exact") for text in (service, method)]
    try:
        if kind not in ("Exact", "RegularExpression"):
            raise UnsayableError(f"{kind!r} is no way to match a call that agw knows")
        return RouteDraft(wanted, match.place, expression("/" + "/".join(parts)), methods=("POST",))
    except UnsayableError as error:
        match.drop()
        match.findings.lost(stated.place, f"{match.name} is not taken over: {error}", "correct it there")
        return None


def _expression(text: str | None, *, exact: bool) -> str:
    """A part of the path; none: any."""
    if not text:
        return _SEGMENT
    return re.escape(text) if exact else f"(?:{text})"
