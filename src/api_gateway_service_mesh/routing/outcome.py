"""What becomes of a request as far as configuration and request decide it, in the order of the data plane's gates.

Of limits, breakers and endpoints nothing is assumed: they let everything through here. A fault counts when it is
certain (all of the requests, 100 per cent).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from api_gateway_service_mesh.model import ConditionSource, Maintenance, RequestCondition, Route, Upstream

from .condition import ValueTest
from .cors import CorsRules, preflight_method, routed
from .decision import ExplainRequest
from .redirect import locator
from .rewrite import path_change
from .table import RoutingTable
from .validation import objection

__all__ = ["Admits", "Outcome", "outcome"]

#: What authentication says to a request on a route: None, or status and kind of refusal.
Admits = Callable[[Route, ExplainRequest], tuple[int, str] | None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The route that takes a request (IRI), and what it does with it.

    ``status`` is what the gateway answers by itself (0: nothing, the connection is reset), and ``refusal`` the kind
    where that is a refusal; else the request goes to one of ``services`` with ``path`` (and query). ``location``: of a
    redirect.
    """

    route: str | None
    status: int | None = None
    refusal: str | None = None
    services: tuple[str, ...] = ()
    path: str | None = None
    location: str | None = None


def outcome(
    table: RoutingTable, request: ExplainRequest, admits: Admits, *, scheme: str, authority: str, client: str | None
) -> Outcome:
    """What `table` does with a request that comes from `client` (None: an address that nothing lets by)."""
    host = request.host.lower()
    entry = routed(table, host, request.method, request.path, request.query, request.fields)
    if entry is None:
        known = table.allowed_methods(host, request.path)
        refused = bool(known) and request.method not in known
        return Outcome(None, 405, "method-not-allowed") if refused else Outcome(None, 404, "no-route")
    route, iri, fields = entry.route, entry.route.iri, request.fields
    if route.cors is not None and (asked := preflight_method(request.method, fields.get)) is not None:
        rules = CorsRules(route.cors, route.match.methods)
        refused = rules.objection(fields["origin"], asked, fields.get("access-control-request-headers", "")) is not None
        return Outcome(iri, 403, "cors-refused") if refused else Outcome(iri, 204)
    mode = route.maintenance
    if mode is not None and mode.enabled and not _let_by(mode, fields, client):
        return Outcome(iri, 503, "maintenance")
    denied = admits(route, request)
    if denied is not None:
        return Outcome(iri, *denied)
    for fault in route.faults:
        if fault.reset_percent >= 100 and _hold(fault.triggered_by, fields, empty=True):
            return Outcome(iri, 0, "fault-injected")
        if fault.abort_status and fault.abort_percent >= 100 and _hold(fault.triggered_by, fields, empty=True):
            return Outcome(iri, fault.abort_status, "fault-injected")
    if route.validation is not None and (wrong := objection(route.validation, request)) is not None:
        return Outcome(iri, wrong.status, wrong.problem)
    if route.redirect is not None:
        place = locator(route, route.redirect)(scheme, authority, request.path, request.query)
        if place is not None:
            return Outcome(iri, route.redirect.status, location=place)
    if route.direct is not None:
        return Outcome(iri, route.direct.status)
    services = _services(route, fields)
    if not services:
        return Outcome(iri, 503, "no-upstream")
    upstreams: Mapping[str, Upstream] = {upstream.iri: upstream for upstream in table.mesh.upstreams}
    if all(one in upstreams and upstreams[one].plaintext_forbidden for one in services):
        return Outcome(iri, 503, "plaintext-forbidden", services)
    change = path_change(route.match.path, route.rewrite) if route.rewrite is not None else None
    path = change(request.path) if change is not None else request.path
    return Outcome(iri, services=services, path=f"{path}?{request.query}" if request.query else path)


def _services(route: Route, fields: Mapping[str, str]) -> tuple[str, ...]:
    """Where it may go: the first split that it is steered to, else all that have a share."""
    if not route.splits:
        return (route.upstream,) if route.upstream is not None else ()
    for split in route.splits:
        if _hold(split.steered_by, fields, empty=False):
            return (split.upstream,)
    return tuple(dict.fromkeys(split.upstream for split in route.splits if split.weight or split.canary is not None))


def _let_by(mode: Maintenance, fields: Mapping[str, str], client: str | None) -> bool:
    if _hold(mode.bypassed_by, fields, empty=False):
        return True
    if client is None:
        return False
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(block) for block in mode.bypass_addresses)


def _hold(conditions: Sequence[RequestCondition], fields: Mapping[str, str], *, empty: bool) -> bool:
    if not conditions:
        return empty
    return all(ValueTest(each).holds(_value(each, fields)) for each in conditions)


def _value(condition: RequestCondition, fields: Mapping[str, str]) -> str | None:
    if condition.source is ConditionSource.HEADER:
        return fields.get(condition.name)
    for pair in fields.get("cookie", "").split(";"):
        name, equals, value = pair.strip(" \t").partition("=")
        if equals and name == condition.name:
            return value
    return None
