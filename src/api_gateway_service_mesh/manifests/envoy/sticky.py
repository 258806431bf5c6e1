"""Sticky sessions: Envoy's filter that keeps a client at its endpoint by a cookie."""

from __future__ import annotations

from typing import Any, Final

from api_gateway_service_mesh.manifests.gap import differs
from api_gateway_service_mesh.model import Route, SameSite, StickyCookie
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context
from .typed import EXTENSION, FILTER, Json, extension, seconds, typed

__all__ = ["route_stickiness", "sticky_filters"]

_NAME: Final = "agw.sticky"
_COOKIE: Final = f"{EXTENSION}.http.stateful_session.cookie.v3.CookieBasedSessionState"


def _cookie(route: Route) -> StickyCookie | None:
    return route.balancer.sticky if route.balancer is not None else None


def sticky_filters(context: Context) -> list[Json]:
    """The filter, where a route needs it; it does nothing unless a route says so."""
    sticky = [route for route in context.routes if _cookie(route) is not None]
    for route in sticky:
        assert route.balancer is not None
        message = f"{route.name}: Envoy's cookie says the address of the instance, in plain Base64"
        context.say(differs(route.balancer.iri, AGW.stickyCookie, message))
    return [extension(_NAME, f"{FILTER}.stateful_session.v3.StatefulSession")] if sticky else []


def route_stickiness(route: Route) -> dict[str, Any]:
    """A route's own configuration of the filter."""
    cookie = _cookie(route)
    if cookie is None:
        return {}
    stated: Json = {"name": cookie.name, "path": cookie.path}
    if cookie.ttl_seconds is not None:
        stated["ttl"] = seconds(cookie.ttl_seconds)
    attributes = [{"name": "HttpOnly"}, {"name": "SameSite", "value": cookie.same_site.value}]
    if cookie.same_site is SameSite.NONE:
        attributes.append({"name": "Secure"})
    stated["attributes"] = attributes
    state = extension("envoy.http.stateful_session.cookie", _COOKIE, cookie=stated)
    return {
        _NAME: typed(f"{FILTER}.stateful_session.v3.StatefulSessionPerRoute", stateful_session={"session_state": state})
    }
