"""Answers in the place of an upstream: redirects and direct responses."""

from __future__ import annotations

from typing import Final

from api_gateway_service_mesh.manifests.gap import differs
from api_gateway_service_mesh.model import Route
from api_gateway_service_mesh.routing import RouteEntry
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context
from .rewrite import path_change
from .typed import Json

__all__ = ["direct_response", "redirect"]

_CODES: Final = {
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}


def redirect(context: Context, entry: RouteEntry) -> Json | None:
    """The redirect of a route."""
    stated = entry.route.redirect
    assert stated is not None
    made: Json = {"response_code": _CODES[stated.status]}
    if stated.scheme is not None:
        made["scheme_redirect"] = stated.scheme
    if stated.host is not None:
        made["host_redirect"] = stated.host
    if stated.port is not None:
        made["port_redirect"] = stated.port
    change = path_change(context, entry, stated)
    if change is not None:
        made["regex_rewrite"] = change
    message = f"{entry.route.name}: Envoy writes scheme and host into every Location, agw what changes"
    context.say(differs(stated.iri, AGW.hasRedirect, message))
    return {"redirect": made}


def direct_response(route: Route) -> Json | None:
    """The answer that a route gives by itself; None when it gives none."""
    direct = route.direct
    if direct is None:
        return None
    made: Json = {"status": direct.status}
    stated = [field.partition(":") for field in direct.fields]
    fields = [(name.strip(), value.strip()) for name, _, value in stated]
    if direct.body:
        made["body"] = {"inline_string": direct.body}
        fields.insert(0, ("content-type", direct.content_type))
    answer: Json = {"direct_response": made}
    if fields:
        answer["response_headers_to_add"] = [
            {"header": {"key": name, "value": value.replace("%", "%%")}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for name, value in fields
        ]
    return answer
