"""CORS policies of others: Gateway API's filter, and Istio's ``corsPolicy``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from api_gateway_service_mesh.errors import Location
from api_gateway_service_mesh.vocabulary import AGW

from .draft import RouteDraft, Test
from .kubernetes import seconds
from .part import Part
from .turtle import Seconds, anonymous

__all__ = ["cors_policy", "is_origin", "is_preflight"]

_ORIGIN: Final = re.compile(r"https?://(?:\*\.)?[a-z0-9._-]+(?::[0-9]{1,5})?|\*")
_BELOW: Final = re.compile(r"(https?)://\(\[0-9a-z_-\]\+\\\.\)\+((?:[A-Za-z0-9_]|\\[.:-])+)")
_ASKED: Final = "access-control-request-method"


def is_preflight(methods: Sequence[str], headers: Sequence[Test]) -> bool:
    """Whether a match is there for preflights alone; agw finds their route itself."""
    return tuple(methods) == ("OPTIONS",) and any(test.name == _ASKED for test in headers)


def is_origin(text: str) -> bool:
    """Whether agw can be told that the pages of `text` may call."""
    return _ORIGIN.fullmatch(text.lower()) is not None


def cors_policy(part: Part, route: RouteDraft, *, compared: bool) -> None:
    """State what `part` says of CORS on `route`; nothing of it where no origin can be said.

    `compared`: as Istio has it, with origins that are compared in several ways, and durations."""
    made = anonymous("CorsPolicy")
    origins = [text for text, place in _origins(part, compared=compared) if _said(part, text, place)]
    headers, exposed = part.texts("allowHeaders"), part.texts("exposeHeaders")
    methods, credentials = part.texts("allowMethods"), part.flag("allowCredentials") or False
    age = seconds(part, "maxAge") if compared else part.number("maxAge")
    part.ignore("unmatchedPreflights")
    if "*" in origins:
        origins = ["*"]
    if not origins:
        part.findings.lost(part.place, f"{part.name}: no origin is left, so it is not taken over", "state one")
        return
    if credentials and "*" in (*origins, *headers, *exposed):
        message = f"{part.name}: with credentials nothing can be any; agw lets pages call without them"
        part.findings.lost(part.at("allowCredentials"), message, "name the origins and the header fields")
        credentials = False
    made.say(AGW.allowedOrigin, *dict.fromkeys(origins))
    made.say(AGW.allowedMethod, *(method for method in methods if method not in ("*", "CONNECT", "TRACE")))
    made.say(AGW.allowedHeader, *dict.fromkeys(headers)).say(AGW.exposedHeader, *dict.fromkeys(exposed))
    made.say(AGW.allowCredentials, True if credentials else None)
    made.say(AGW.preflightMaxAge, Seconds(age) if age else None)
    _note(part, methods)
    route.say(AGW.hasCors, made)


def _note(part: Part, methods: Sequence[str]) -> None:
    if "*" in methods:
        message = f"{part.name}: agw names methods; pages may call with those of the route, else GET, HEAD and POST"
        part.findings.differs(part.at("allowMethods"), message, "state agw:allowedMethod for each")


def _origins(part: Part, *, compared: bool) -> list[tuple[str, Location]]:
    """Texts (Gateway API), or ways to compare one (Istio)."""
    if compared:
        found: list[tuple[str, Location]] = []
        for each in part.parts("allowOrigins"):
            text, expression = each.text("exact"), each.text("regex")
            below = _BELOW.fullmatch(expression) if expression is not None else None
            if below is not None:
                text = f"{below[1]}://*.{below[2].replace(chr(92), '')}"
            elif expression == ".*":
                text = "*"
            found.append((text or expression or f"{each.text('prefix')}…", each.place))
        return found
    return [(text, part.at("allowOrigins")) for text in part.texts("allowOrigins")]


def _said(part: Part, text: str, place: Location) -> bool:
    if is_origin(text):
        return True
    part.findings.lost(place, f"{part.name}: agw names origins, and not by {text}", "state agw:allowedOrigin for each")
    return False
