"""The admin port: health, metrics, SPARQL and graphs (read and changed), routes, explanations, revisions.

It lives in the control process, so nothing asked here can hold up a request. Query texts go to the query processes;
the rest is read from the build in force and from the cells.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from typing import Any

import pyoxigraph as ox
from aiohttp import web

from api_gateway_service_mesh.errors import AgwError, ClientError
from api_gateway_service_mesh.graph.report import report_json
from api_gateway_service_mesh.model.codec import shown
from api_gateway_service_mesh.telemetry import render_metrics
from api_gateway_service_mesh.telemetry.metrics import OPENMETRICS_TYPE, PROMETHEUS_TYPE
from api_gateway_service_mesh.vocabulary import ONTOLOGY, RDF_TYPE, XSD

from .access import AccessRefused, admin_token, guard, is_loopback, read_token, recorded, writer
from .allowed_origins import ORIGINS, origins_of, preflights, shared
from .as_of import refuse_past, wanted_revision
from .build import Build
from .cache_http import cache_routes, replicas_of
from .certificates_http import certificate_routes
from .console import CONSOLE_PATHS, console_routes, harden
from .delta import Delta
from .doctor_http import doctor_routes
from .explain_http import explain_routes
from .graph_store import graph_store
from .history_http import revision_routes
from .impact_http import impact_routes
from .live import Live
from .metrics import metric_families
from .overview import overview_routes
from .ports import port_holder
from .principals import Principals, admin_tls, load_principals
from .probes import NotReady, probe_routes
from .problems import problems
from .questions import bound, question, questions
from .reference_http import reference_paths, reference_routes
from .series import Series
from .shapes_http import ShapesEndpoint
from .sparql.dataset import NAMED_GRAPHS
from .sparql.formats import GRAPH_TYPES, RESULT_TYPES, choose, formats_for
from .sparql.protocol import base_of, sparql_endpoint
from .supervisor import Supervisor
from .update import delta_of
from .update_http import changed, updated

__all__ = ["AdminServer", "admin_application"]

_SUPERVISOR: web.AppKey[Supervisor] = web.AppKey("supervisor", Supervisor)
_SHAPES: web.AppKey[ShapesEndpoint] = web.AppKey("shapes", ShapesEndpoint)
_SERIES: web.AppKey[Series] = web.AppKey("series", Series)
_VOID = "http://rdfs.org/ns/void#"
_BODY_BYTES = 1024 * 1024


def admin_application(
    supervisor: Supervisor, token: str | None, principals: Principals | None = None
) -> web.Application:
    """The application; `token` None restricts it to requests for loopback names."""
    app = web.Application(
        middlewares=[
            preflights,
            problems,
            recorded(supervisor.audit),
            guard(token, read_token(), CONSOLE_PATHS | reference_paths(), principals),
        ],
        client_max_size=_BODY_BYTES,
    )
    app[_SUPERVISOR] = supervisor
    app[_SHAPES] = ShapesEndpoint()
    app[_SERIES] = Series()
    app[ORIGINS] = origins_of(supervisor.options.allow_origins)
    app.cleanup_ctx.append(replicas_of)
    app.on_response_prepare.extend((harden, shared))
    app.add_routes(
        [
            *probe_routes(lambda request: request.app[_SUPERVISOR]),
            web.get("/metrics", _metrics),
            web.get("/sparql", _sparql),
            web.post("/sparql", _sparql),
            web.options("/sparql", _sparql_methods),
            web.get("/queries", _questions),
            web.get("/queries/{name}", _question),
            web.get("/routes", _routes),
            *overview_routes(lambda request: _served(request)[1]),
            *explain_routes(_served, lambda request: request.app[_SUPERVISOR].as_of),
            *doctor_routes(_served, lambda request: request.app[_SUPERVISOR].doctor),
            *impact_routes(_served, lambda request: request.app[_SUPERVISOR]),
            web.get("/config", _config),
            *revision_routes(lambda request: request.app[_SUPERVISOR]),
            web.route("*", "/data", _data),
            web.route("*", "/data/{name}", _data),
            *certificate_routes(lambda request: _served(request)[1], lambda request: request.app[_SUPERVISOR].issuing),
            *cache_routes(lambda request: _served(request)[1]),
            web.post("/reload", _reload),
            web.post("/shacl", _shacl),
            web.get("/.well-known/void", _void),
            *reference_routes(),
            *console_routes(),
            web.get("/", _index),
        ]
    )
    return app


class AdminServer:
    """The open admin port."""

    def __init__(self, runner: web.AppRunner, host: str, port: int, scheme: str = "http") -> None:
        self._runner = runner
        self.host = host
        self.port = port
        self._scheme = scheme

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"{self._scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @classmethod
    async def open(cls, supervisor: Supervisor, host: str, port: int, token: str | None = None) -> AdminServer:
        """Open the port (0: any free one).

        Raises:
            AgwError: it is in use, or `host` is not loopback and there is no token.
        """
        secret, principals, tls = admin_token(token), load_principals(), admin_tls()
        if secret is None and not principals and not is_loopback(host):
            raise AgwError(
                f"the admin port is not opened on {host} without a token: whoever reaches it reads the configuration",
                remedy="set AGW_ADMIN_TOKEN (or AGW_ADMIN_TOKEN_FILE), or leave --admin-host at 127.0.0.1",
            )
        quiet = logging.getLogger("agw.admin")
        runner = web.AppRunner(
            admin_application(supervisor, secret, principals), access_log=None, logger=quiet, shutdown_timeout=1.0
        )
        await runner.setup()
        site = web.TCPSite(runner, host, port, ssl_context=tls)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            holder = port_holder(port)
            by = f" by {holder}" if holder else ""
            what = f"is in use{by}" if error.errno == 98 else f"cannot be opened: {error.strerror}"
            raise AgwError(
                f"admin port {port} on {host} {what}", remedy="stop it, or choose another port with --admin-port"
            ) from None
        server: Any = site._server
        bound_port = server.sockets[0].getsockname()[1]
        return cls(runner, host, bound_port, "http" if tls is None else "https")

    async def close(self) -> None:
        """Close the port and what is open on it."""
        await self._runner.cleanup()


async def _metrics(request: web.Request) -> web.Response:
    supervisor = request.app[_SUPERVISOR]
    form = choose(
        request.headers.get("Accept", "*/*"),
        (("prometheus", "text/plain"), ("openmetrics", "application/openmetrics-text")),
    )
    openmetrics = form == "openmetrics"
    live, counters = supervisor.live, supervisor.counters
    series = request.app[_SERIES]

    def scrape() -> bytes:
        return render_metrics(
            metric_families(live, counters, series, exemplars=openmetrics), openmetrics=openmetrics
        ).encode()

    headers = {"Content-Type": OPENMETRICS_TYPE if openmetrics else PROMETHEUS_TYPE}
    return web.Response(body=await asyncio.to_thread(scrape), headers=headers)


async def _sparql(request: web.Request) -> web.Response:
    supervisor = request.app[_SUPERVISOR]

    async def updating(text: str, using: Sequence[str] | None, named: Sequence[str] | None) -> web.Response:
        async def edit(made: Build) -> Delta:
            changes = await supervisor.sparql.update(text, using=using, named=named, base=base_of(request))
            return delta_of(changes, made)

        return changed(await updated(request, supervisor, edit))

    past = request.query.get("revision")
    if past is None:
        return await sparql_endpoint(request, supervisor.sparql, NAMED_GRAPHS, updating)
    _, made = await supervisor.as_of.build(wanted_revision(past), supervisor.build)
    return await sparql_endpoint(request, supervisor.as_of.queries(made), NAMED_GRAPHS, refuse_past)


async def _sparql_methods(_request: web.Request) -> web.Response:
    return web.Response(status=204, headers={"Allow": "GET, HEAD, OPTIONS, POST"})


async def _questions(request: web.Request) -> web.Response:
    listed = await asyncio.to_thread(questions)
    return _json(
        [
            {
                "name": item.name,
                "question": item.question,
                "parameters": list(item.variables),
                "href": f"/queries/{item.name}",
                "query": item.text,
            }
            for item in listed
        ]
    )


async def _question(request: web.Request) -> web.Response:
    asked = await asyncio.to_thread(question, request.match_info["name"])
    parameters = dict(request.query)
    if len(parameters) != len(request.query):
        raise ClientError("each parameter may be given once")
    text = bound(asked, parameters)
    answer = await request.app[_SUPERVISOR].sparql.query(text, formats_for(request.headers.get("Accept", "*/*")))
    types = GRAPH_TYPES if answer.kind == "graph" else RESULT_TYPES
    media_type = next(name for key, name in types if key == answer.form)
    return web.Response(body=answer.body, content_type=media_type)


async def _routes(request: web.Request) -> web.Response:
    build, live = _served(request)

    def rows() -> list[dict[str, Any]]:
        totals = {route.iri: counted for route, counted in live.routes()}
        found = []
        for place, entry in enumerate(build.table.entries):
            route = entry.route
            counted = totals[route.iri]
            found.append(
                {
                    "index": place,
                    "iri": route.iri,
                    "name": route.name,
                    "path": route.match.path.text,
                    "path_kind": str(route.match.path.kind),
                    "hosts": list(route.match.hosts),
                    "methods": list(route.match.methods),
                    "upstream": route.upstream,
                    "splits": [
                        {"iri": split.iri, "upstream": split.upstream, "weight": split.weight} for split in route.splits
                    ],
                    "rate_limits": [limit.iri for limit in route.rate_limits],
                    "breaker": route.breaker.iri if route.breaker is not None else None,
                    "requests": counted.requests,
                    "errors": counted.errors,
                    "by_class": dict(zip(("1xx", "2xx", "3xx", "4xx", "5xx"), counted.by_class, strict=True)),
                }
            )
        return found

    return _json({"revision": live.revision, "routes": await asyncio.to_thread(rows)})


async def _config(request: web.Request) -> web.Response:
    build, live = _served(request)
    supervisor = request.app[_SUPERVISOR]
    refused = supervisor.refused
    return _json(
        {
            "revision": live.revision,
            "digest": build.source.digest,
            "files": list(build.source.files),
            "model": await asyncio.to_thread(shown, build.mesh),
            "report": report_json(build.report),
            "refused": report_json(refused) if refused is not None else None,
        }
    )


async def _data(request: web.Request) -> web.Response:
    if request.method not in ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"):
        raise web.HTTPMethodNotAllowed(request.method, ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"))
    return await graph_store(request, request.app[_SUPERVISOR])


async def _shacl(request: web.Request) -> web.Response:
    return await request.app[_SHAPES].answer(request, request.app[_SUPERVISOR])


async def _reload(request: web.Request) -> web.Response:
    """What notifies a gateway that its store (or a file) has changed."""
    writer(request)
    supervisor = request.app[_SUPERVISOR]
    fresh = await supervisor.load()
    latest = supervisor.history.latest
    return _json({"revision": latest.number if latest is not None else None, "changed": fresh})


async def _void(request: web.Request) -> web.Response:
    build, live = _served(request)
    form = choose(request.headers.get("Accept", "*/*"), GRAPH_TYPES)
    if form not in ("turtle", "ntriples", "jsonld"):
        raise AccessRefused(
            "the description comes as Turtle, N-Triples or JSON-LD", status=406, problem="not-acceptable"
        )
    base = str(request.url.origin())
    dataset = ox.NamedNode(f"{base}/.well-known/void#dataset")

    def void(name: str) -> ox.NamedNode:
        return ox.NamedNode(_VOID + name)

    inferred = build.inferred
    triples_held = build.source.count + len(inferred.because) + len(inferred.rules)
    count = ox.Literal(str(triples_held), datatype=ox.NamedNode(XSD.integer))
    triples = [
        ox.Triple(dataset, ox.NamedNode(RDF_TYPE), void("Dataset")),
        ox.Triple(dataset, void("sparqlEndpoint"), ox.NamedNode(f"{base}/sparql")),
        ox.Triple(dataset, void("vocabulary"), ox.NamedNode(ONTOLOGY)),
        ox.Triple(dataset, void("triples"), count),
        ox.Triple(dataset, void("rootResource"), ox.NamedNode(live.mesh.iri)),
    ]
    formats = {"turtle": ox.RdfFormat.TURTLE, "ntriples": ox.RdfFormat.N_TRIPLES, "jsonld": ox.RdfFormat.JSON_LD}
    body = ox.serialize(triples, format=formats[form], prefixes={"void": _VOID})
    return web.Response(body=body, content_type=next(name for key, name in GRAPH_TYPES if key == form))


async def _index(request: web.Request) -> web.Response:
    paths = sorted(
        resource.canonical
        for resource in request.app.router.resources()
        if resource.canonical != "/" and not resource.canonical.startswith("/console/")
    )
    return web.Response(text="agw admin\n\n" + "\n".join(paths) + "\n")


def _served(request: web.Request) -> tuple[Build, Live]:
    supervisor = request.app[_SUPERVISOR]
    if supervisor.build is None or supervisor.live is None:
        raise NotReady
    return supervisor.build, supervisor.live


def _json(value: Any) -> web.Response:
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    return web.Response(text=text, content_type="application/json", headers={"Cache-Control": "no-store"})
