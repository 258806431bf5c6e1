"""``cors``, ``request-transformer``, ``response-transformer`` and ``request-termination``."""

from __future__ import annotations

import json
from typing import Final

from api_gateway_service_mesh.importers.cors import is_origin
from api_gateway_service_mesh.importers.part import Part
from api_gateway_service_mesh.importers.turtle import Seconds, Stated, Subject, anonymous
from api_gateway_service_mesh.vocabulary import AGW

__all__ = ["cors", "request_changes", "response_changes", "termination"]

_METHODS: Final = ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT")
_NEVER: Final = ("TRACE", "CONNECT")


def cors(config: Part) -> list[Stated]:
    """The CORS policy; none where no origin can be said."""
    findings, name = config.findings, config.name
    listed = config.texts("origins") or ["*"]
    origins = [origin for origin in listed if is_origin(origin)]
    if len(origins) < len(listed):
        other = ", ".join(origin for origin in listed if origin not in origins)
        message = f"{name}: agw names origins, and not by expressions: {other}"
        findings.lost(config.at("origins"), message, "state agw:allowedOrigin for each")
    headers, exposed = config.texts("headers") or ["*"], config.texts("exposed_headers")
    methods, age = config.texts("methods") or list(_METHODS), config.number("max_age")
    credentials = config.flag("credentials") is True
    if config.flag("preflight_continue"):
        message = f"{name}: agw answers preflights itself, and forwards none"
        findings.differs(config.at("preflight_continue"), message, "leave CORS to the backend where it shall answer")
    config.ignore("private_network", "allow_origin_absent")
    if not origins:
        return []
    if "*" in origins:
        origins = ["*"]
    if credentials and "*" in (*origins, *headers, *exposed):
        message = f"{name}: with credentials nothing can be any; agw lets pages call without them"
        findings.lost(config.at("credentials"), message, "name the origins and the header fields")
        credentials = False
    made = anonymous("CorsPolicy").say(AGW.allowedOrigin, *dict.fromkeys(origins))
    made.say(AGW.allowedMethod, *dict.fromkeys(method for method in methods if method not in _NEVER))
    made.say(AGW.allowedHeader, *dict.fromkeys(headers)).say(AGW.exposedHeader, *dict.fromkeys(exposed))
    made.say(AGW.allowCredentials, True if credentials else None)
    return [(AGW.hasCors, made.say(AGW.preflightMaxAge, Seconds(age) if age else None))]


def request_changes(config: Part) -> list[Stated]:
    """Changes of header fields and of the query, and a new path."""
    made: list[Stated] = []
    if "http_method" in config:
        message = f"{config.name}: agw changes no methods"
        config.findings.lost(config.at("http_method"), message, "let the backend take both")
        config.ignore("http_method")
    change = anonymous("RequestTransformation")
    _changes(config, change, query=True)
    if change.stated:
        made.append((AGW.hasRequestTransformation, change))
    replaced = config.part("replace")
    uri = replaced.text("uri") if replaced is not None else None
    if replaced is not None:
        replaced.drop()
    if uri is not None and "$(" in uri:
        message = f"{config.name}: agw fills in no {uri}"
        config.findings.lost(config.at("replace"), message, "match with a template, and state agw:replaceFullPath")
    elif uri is not None:
        made.append((AGW.hasRewrite, anonymous("Rewrite", (AGW.replaceFullPath, uri))))
    return made


def response_changes(config: Part) -> list[Stated]:
    """Changes of the answer's header fields."""
    change = anonymous("ResponseTransformation")
    _changes(config, change, query=False)
    return [(AGW.hasResponseTransformation, change)] if change.stated else []


def _changes(config: Part, made: Subject, *, query: bool) -> None:
    """Kong removes, renames, replaces, adds where there is none, and appends; agw copies, removes, sets and adds."""
    for step in ("remove", "rename", "replace", "add", "append"):
        part = config.part(step)
        if part is None:
            continue
        _fields(part, step, made)
        if query:
            _parameters(part, step, made)
            part.ignore("uri")
        for key in ("body", "json", "json_types", "if_status"):
            if part.texts(key):
                message = f"{part.name}: what it does to bodies is not taken over"
                part.findings.lost(part.at(key), message, "state agw:setsMember or agw:removesMember")


def _fields(part: Part, step: str, made: Subject) -> None:
    for text in part.texts("headers"):
        name, _, value = text.partition(":")
        if step == "remove":
            made.say(AGW.removesHeader, text)
        elif step == "rename":
            made.say(AGW.copiesHeader, f"{name}: {value.strip()}").say(AGW.removesHeader, name)
        elif _fixed(part, text):
            term = AGW.addsHeader if step == "append" else AGW.setsHeader
            made.say(term, f"{name}: {value.strip()}")
            _note(part, step, name)


def _parameters(part: Part, step: str, made: Subject) -> None:
    for text in part.texts("querystring"):
        name, _, value = text.partition(":")
        if step == "remove":
            made.say(AGW.removesParameter, text)
        elif step == "rename":
            message = f"{part.name}: agw renames no query parameters"
            part.findings.lost(part.at("querystring"), message, "let the backend take both names")
        elif _fixed(part, text):
            made.say(AGW.addsParameter if step == "append" else AGW.setsParameter, f"{name}={value}")
            _note(part, step, name)


def _fixed(part: Part, text: str) -> bool:
    if "$(" not in text:
        return True
    message = f"{part.name}: agw fills in no {text}"
    part.findings.lost(part.place, message, "state a fixed value, or copy a field: agw:copiesHeader")
    return False


def _note(part: Part, step: str, name: str) -> None:
    if step == "append":
        return
    when = "where it is there" if step == "replace" else "where it is not there"
    message = f"{part.name}: Kong sets {name} {when}, agw always"
    part.findings.differs(part.place, message, "see whether that matters")


def termination(config: Part) -> list[Stated]:
    """An answer without a backend."""
    body, message, status = config.text("body"), config.text("message"), config.integer("status_code")
    if "trigger" in config or config.flag("echo"):
        config.drop()
        message = f"{config.name}: agw answers all requests of a route so, or none"
        config.findings.lost(config.place, message, "give those that it is for a route of their own")
        return []
    kind = config.text("content_type") or "application/json; charset=utf-8"
    if body is None:
        body = json.dumps({"message": message or "Service unavailable"})
        kind = "application/json; charset=utf-8"
    made = anonymous("DirectResponse", (AGW.responseStatus, 503 if status is None else status))
    return [(AGW.hasDirectResponse, made.say(AGW.responseBody, body).say(AGW.responseContentType, kind))]
