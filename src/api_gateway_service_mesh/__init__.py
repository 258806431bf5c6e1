"""agw: an API gateway and service-mesh front end whose configuration is a knowledge graph.

People write Turtle. It is inferred, validated, projected into a typed model by SPARQL, compiled into a routing table,
and served; the same model is rendered into manifests, and what is live answers SPARQL while traffic flows. ::

    Turtle files | rdflib graph | ApiGateway.add_route
       -> SourceGraph      graph/        triples that know their line; blank nodes have names
       -> InferredGraph    graph/        and what follows from them
       -> ValidatedGraph   graph/        no violations; the report holds the warnings
       -> ProjectedRows    projection/   what queries/project/*.rq answer, one row class a query
       -> Mesh             model/        typed and frozen: no RDF, no HTTP
       -> RoutingTable     routing/      immutable, in one total order, explainable
       -> one handler a route            proxy/
       -> Manifest(path, text)           manifests/

`control.build` is that chain in one call. Live state (breakers, limits, endpoints, counters) lies in cells and flows
back as the runtime graph.

Floors, imports going down only: ``cli`` · ``gateway`` (the Python API) · ``control`` (processes, reload, admin port,
SPARQL) · ``proxy``, ``manifests``, ``projection`` side by side · ``graph``, ``routing``, ``policies``, ``security``,
``telemetry`` side by side · ``model`` · ``vocabulary``, ``resources`` · ``errors``. import-linter holds them.

One word a concept: a *source* is triples as written; a *finding* is one thing wrong, with its place, a *report* all of
them; a *row* is an answer of a projection query; a *route* matches requests and has *policies*; an *upstream* is a
service with *endpoints*; the *table* decides which route takes a request; a *cell* is a number of a policy's state; an
*engine* serves a table; *install* puts a new table in the place of the old one between two requests; *drain* is to end
well.

Python starts here::

    from api_gateway_service_mesh import ApiGateway, RouteConfig, ServiceMeshConfig

    gateway = ApiGateway(ServiceMeshConfig(mesh_type="istio", mtls_mode="STRICT"))
    gateway.add_route(RouteConfig(path="/api/v1/products", backend_service="products-service:8080", rate_limit_rps=200))
    gateway.run(host="0.0.0.0", port=8080)

Importing this package costs next to nothing: each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import AgwError, ConfigError
    from .gateway import (
        ApiGateway,
        CircuitBreakerConfig,
        RetryConfig,
        RouteConfig,
        ServiceMeshConfig,
    )

    __version__: str

__all__ = [
    "AgwError",
    "ApiGateway",
    "CircuitBreakerConfig",
    "ConfigError",
    "RetryConfig",
    "RouteConfig",
    "ServiceMeshConfig",
    "__version__",
]

_ROOMS = {
    "AgwError": "errors",
    "ConfigError": "errors",
    "ApiGateway": "gateway",
    "CircuitBreakerConfig": "gateway",
    "RetryConfig": "gateway",
    "RouteConfig": "gateway",
    "ServiceMeshConfig": "gateway",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from .resources import version

        return version()
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
