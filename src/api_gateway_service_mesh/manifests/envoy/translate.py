"""The one translation: from the model to all that Envoy is told, for a file and for a fleet alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from api_gateway_service_mesh.errors import Report
from api_gateway_service_mesh.manifests.gap import lost
from api_gateway_service_mesh.model import Listener, Mesh
from api_gateway_service_mesh.routing import ANY_HOST, HostKey, RoutingTable, compile_table, host_text
from api_gateway_service_mesh.vocabulary import AGW

from .authentication import key_clusters
from .condition import early_fields
from .context import Context
from .listener import http_filters, listener, listener_name, rds
from .match import virtual_host_matcher
from .refusal import problem_route
from .resources import Resources
from .route import Routes
from .secret import awaited, secrets
from .tracing import collector_clusters
from .typed import Json
from .upstream import cluster, is_static, load_assignment

__all__ = ["ROUTES", "resources"]

ROUTES: Final = "agw"
"""The name of the route configuration; over ADS the beginning of it.

There it goes on with a digest of the filters. Envoy lets old connections be served by the old filters for a while;
under one name they would get the new routes with them, and a route that is guarded from now on would be served
unguarded. With a name of their own old filters keep the routes that they had, and nothing fails in between.
"""

_DEFAULT_PORT: Final = 8080
_LONGEST_BODY: Final = 1 << 20  # Envoy's own is 4 KiB


def resources(
    mesh: Mesh,
    *,
    table: RoutingTable | None = None,
    dynamic: bool = True,
    listeners: Sequence[Listener] | None = None,
    scope: str = "",
    names_callers: bool = False,
) -> Resources:
    """All resources of a gateway.

    `table`: the compiled routes of `mesh`, where they are at hand. `dynamic`: resources refer to each other over ADS
    (EDS, RDS, SDS); else they stand in one file and nothing is asked for. `listeners`: in the place of the model's.
    `scope` and `names_callers`: see `Context`.

    Raises ConfigError for routes that do not compile.
    """
    context = Context(mesh, compile_table(mesh) if table is None else table, dynamic, scope, names_callers)
    routes = _route_configuration(context)
    context.add_unused()
    if dynamic:
        routes["name"] = f"{scope}{ROUTES}-{_filters_digest(context)}"
    where: Json = rds(routes["name"]) if dynamic else {"route_config": routes}
    stated = (mesh.listeners or (Listener(mesh.iri, _DEFAULT_PORT),)) if listeners is None else listeners
    made = {listener_name(each): listener(context, each, where) for each in stated}
    clusters = {name: cluster(context, name, use) for name, use in sorted(context.uses.items())}
    clusters |= key_clusters(context) | collector_clusters(context)
    endpoints = {
        name: load_assignment(name, use) for name, use in sorted(context.uses.items()) if dynamic and is_static(use)
    }
    _report(context)
    return Resources(
        secrets=secrets(context),
        clusters=dict(sorted(clusters.items())),
        endpoints=endpoints,
        listeners=made,
        routes={routes["name"]: routes} if dynamic else {},
        report=Report().merged(context.findings),
        awaited=awaited(context),
    )


def _route_configuration(context: Context) -> Json:
    variants = Routes(context)
    refused = problem_route(
        400, "malformed-target", "the path holds a dot segment, a backslash, %00 or a broken escape"
    )
    hosts = [
        {
            "name": host_text(chain[0].host),
            "domains": _domains(chain[0].host),
            "matcher": virtual_host_matcher(chain, variants, refused),
        }
        for chain in context.table.chains
    ]
    return {
        "name": ROUTES,
        "virtual_hosts": hosts,
        "request_headers_to_remove": [*early_fields(context.routes), "proxy-authorization"],
        "ignore_port_in_host_matching": True,
        "validate_clusters": False,
        "max_direct_response_body_size_bytes": _LONGEST_BODY,
    }


def _filters_digest(context: Context) -> str:
    text = json.dumps([http_filters(context), early_fields(context.routes)], sort_keys=True)
    return sha256(text.encode()).hexdigest()[:12]


def _domains(host: HostKey) -> list[str]:
    """A host, and the same with the root's dot."""
    text = host_text(host)
    return [text] if host == ANY_HOST or text.endswith("]") else [text, f"{text}."]


def _report(context: Context) -> None:
    mesh = context.mesh
    if mesh.overload is not None:
        message = "Envoy's overload manager stands in its bootstrap and knows no loop lag; the guard is left out"
        context.say(lost(mesh.overload.iri, AGW.hasOverloadGuard, message, "state an overload_manager by hand"))
