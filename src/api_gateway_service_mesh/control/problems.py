"""Errors of the admin port as HTTP: RFC 9457 problem details, here and nowhere else in ``control``."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import pyoxigraph as ox
from aiohttp import web

from api_gateway_service_mesh.errors import AgwError, ConfigError
from api_gateway_service_mesh.graph.report import report_json
from api_gateway_service_mesh.vocabulary import PREFIXES

from .sparql.formats import GRAPH_TYPES, choose
from .sparql.protocol import RDF_FORMATS, media_type_of
from .update import UpdateRefused

__all__ = ["problem_response", "problems"]


def problem_response(error: AgwError, accept: str = "*/*") -> web.Response:
    """`error` as ``application/problem+json``, with its remedy, place and report where it has them; the report of a
    refused change as RDF (``sh:ValidationReport``), where `accept` prefers that."""
    if isinstance(error, UpdateRefused):
        form = choose(
            accept, (("problem", "application/problem+json"), *GRAPH_TYPES[:4], ("problem", "application/json"))
        )
        if form is not None and form != "problem":
            body = ox.serialize(error.triples, format=RDF_FORMATS[form], prefixes=PREFIXES)
            media_type, charset = media_type_of("graph", form)
            return web.Response(status=error.status, body=body, content_type=media_type, charset=charset)
    return _problem(error)


def _problem(error: AgwError) -> web.Response:
    body: dict[str, Any] = {
        "type": f"urn:agw:problem:{error.problem}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.message,
    }
    if error.remedy:
        body["remedy"] = error.remedy
    for member in ("line", "column", "parameters", "checks"):
        value = getattr(error, member, None)
        if value is not None:
            body[member] = value
    if isinstance(error, ConfigError):
        body["report"] = report_json(error.report)
    headers = {"Cache-Control": "no-store"}
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="agw admin"'
    allow = getattr(error, "allow", None)
    if allow:
        headers["Allow"] = allow
    text = json.dumps(body, ensure_ascii=False)
    return web.Response(status=error.status, text=text, content_type="application/problem+json", headers=headers)


@web.middleware
async def problems(request: web.Request, handler: Any) -> web.StreamResponse:
    """Turns what a handler raises into problem details; what it did not expect into a 500 without inner words."""
    try:
        response: web.StreamResponse = await handler(request)
        return response
    except AgwError as error:
        return problem_response(error, request.headers.get("Accept", "*/*"))
    except web.HTTPException as error:
        known = AgwError(_SENTENCES.get(error.status, error.reason))
        known.status = error.status
        known.problem = error.reason.lower().replace(" ", "-")
        response = problem_response(known)
        if isinstance(error, web.HTTPMethodNotAllowed):
            response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        return response
    except Exception:
        request.app.logger.exception("admin request failed: %s %s", request.method, request.path)
        return problem_response(AgwError("the gateway failed to answer this; its log says why"))


_SENTENCES = {
    404: "the admin port has nothing at this path; / lists what is there",
    405: "this path does not take that method",
    413: "the request is too large",
}
