"""``/impact``: what a change would touch, asked of the running gateway. Nothing is changed by it.

``GET /impact?iri=IRI``: what hangs on a thing. ``POST /impact`` with a change, as ``/sparql`` takes it (a SPARQL
Update) or as ``agw apply`` does (RDF: what it describes becomes what it says): what would be different after it; 422
with the report if it would be refused.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from aiohttp import web

from api_gateway_service_mesh.errors import ClientError, ConfigError
from api_gateway_service_mesh.graph import SourceGraph

from .apply import applied_to, parse_graph
from .build import Build
from .delta import Delta, applied, between, parse_ntriples
from .graph_store import ACCEPTED
from .impact import Impact, impact, impact_json, impact_of, render_impact, thing_named
from .live import Live
from .sparql.answers import QueryUnavailable
from .sparql.formats import choose
from .sparql.protocol import base_of
from .supervisor import Supervisor
from .update import delta_of, refusal

__all__ = ["impact_routes"]

_WAITING = 4
_MANIFESTS_UP_TO = 1_000
"""Routes: manifests of larger configurations take many seconds to write, and are compared only for whoever asks."""


def impact_routes(
    served: Callable[[web.Request], tuple[Build, Live]], supervisor_of: Callable[[web.Request], Supervisor]
) -> list[web.RouteDef]:
    """The routes; `served` gives what is in force."""
    turns = asyncio.Semaphore(1)
    waiting = 0

    async def one_by_one(work: Callable[[], Impact]) -> Impact:
        nonlocal waiting
        if waiting >= _WAITING:
            raise QueryUnavailable("too many wait to be told what changes would touch", problem="query-queue-full")
        waiting += 1
        try:
            async with turns:
                return await asyncio.to_thread(work)
        finally:
            waiting -= 1

    def manifests(request: web.Request, build: Build) -> bool:
        wanted = request.query.get("manifests")
        if wanted not in (None, "true", "false"):
            raise ClientError("manifests is true or false: whether manifests are compared")
        return len(build.mesh.routes) <= _MANIFESTS_UP_TO if wanted is None else wanted == "true"

    async def hanging(request: web.Request) -> web.Response:
        build, live = served(request)
        named = request.query.get("iri")
        if not named:
            raise ClientError("say which thing: ?iri=IRI, or POST a change")
        iri, counts, whole = thing_named(build, named), _counts(live), manifests(request, build)
        found = await one_by_one(lambda: impact_of(build, iri, counts, manifests=whole))
        return _told(request, live, found)

    async def changing(request: web.Request) -> web.Response:
        build, live = served(request)
        supervisor = supervisor_of(request)
        delta = await _delta(request, supervisor, build)
        counts, whole = _counts(live), manifests(request, build)

        def work() -> Impact:
            source = applied(build.source, delta)
            made = supervisor.gate.compiled(lambda: source, build) or build
            return impact(build.mesh, made.mesh, counts, manifests=whole)

        try:
            return _told(request, live, await one_by_one(work))
        except ConfigError as error:
            raise refusal(error) from None

    return [web.get("/impact", hanging), web.post("/impact", changing)]


async def _delta(request: web.Request, supervisor: Supervisor, build: Build) -> Delta:
    body = await request.read()
    if request.content_type == "application/sparql-update":
        text = body.decode("utf-8", "replace")
        return delta_of(await supervisor.sparql.update(text, base=base_of(request)), build)
    form = ACCEPTED.get(request.content_type)
    if form is None:
        error = ClientError("a change does not come as " + request.content_type,
                            remedy="send application/sparql-update, or what things become as text/turtle")  # fmt: skip
        error.status = 415
        error.problem = "unsupported-media-type"
        raise error
    told = SourceGraph.of(parse_ntriples(await supervisor.sparql.parse(body, form, base_of(request))))
    wanted, _, _ = await asyncio.to_thread(lambda: applied_to(build.source, told, replace=False))
    return between(build.source, parse_graph(wanted.decode()))


def _counts(live: Live) -> dict[str, int]:
    return {route.iri: counted.requests for route, counted in live.routes()}


def _told(request: web.Request, live: Live, found: Impact) -> web.Response:
    form = choose(request.headers.get("Accept", "*/*"), (("json", "application/json"), ("text", "text/plain")))
    fields = {"Cache-Control": "no-store", "Vary": "Accept"}
    if form == "text":
        return web.Response(text=f"revision {live.revision}\n{render_impact(found)}", headers=fields)
    told = json.dumps({"revision": live.revision, **impact_json(found)}, ensure_ascii=False, indent=2) + "\n"
    return web.Response(text=told, content_type="application/json", headers=fields)
