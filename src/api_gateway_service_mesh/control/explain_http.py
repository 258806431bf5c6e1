"""``/explain`` and ``/effective``: why a request goes where it goes, and the policies of a route."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.routing import ExplainRequest, explanation_json, render_explanation
from api_gateway_service_mesh.routing.why_not import render_why_not, why_not, why_not_json

from .as_of import AsOf, wanted_revision
from .build import Build
from .effective import effective, render_effective, route_named
from .judged import asked_by
from .live import Live
from .sparql.formats import choose

__all__ = ["explain_routes"]


def explain_routes(
    served: Callable[[web.Request], tuple[Build, Live]], past_of: Callable[[web.Request], AsOf]
) -> list[web.RouteDef]:
    """The two routes; `served` gives what is in force."""

    async def effects(request: web.Request) -> web.Response:
        build, _ = served(request)
        route = request.query.get("route")
        if route is None:
            raise ClientError("say which route: ?route=IRI")
        found = await asyncio.to_thread(lambda: effective(build, route_named(build, route)))
        form = choose(request.headers.get("Accept", "*/*"), (("json", "application/json"), ("text", "text/plain")))
        if form == "text":
            return web.Response(text=await asyncio.to_thread(render_effective, found, build))
        return _json(found)

    async def explained(request: web.Request) -> web.Response:
        build, live = served(request)
        query = request.query
        if "url" not in query:
            raise ClientError("say which request: ?method=GET&url=http://host/path (or url=/path), header=Name: value")
        headers = {}
        for field in query.getall("header", []):
            name, colon, value = field.partition(":")
            if not colon or not name.strip():
                raise ClientError(f"{field[:100]!r} is no header: write 'Name: value'")
            headers[name.strip()] = value.strip()
        asked = ExplainRequest.of(query.get("method", "GET"), query["url"], headers)
        asked = asked_by(asked, query.getall("as", []))
        past = query.get("revision")
        revision: int | None = live.revision
        weights: dict[str, float] | None = None
        if past is None:
            weights = dict(live.weights())
        else:
            then, build = await past_of(request).build(wanted_revision(past), build)
            revision = then.number
        form = choose(request.headers.get("Accept", "*/*"), (("json", "application/json"), ("text", "text/plain")))
        if "why_not" in query:
            reasons = await asyncio.to_thread(why_not, build.table, asked, route_named(build, query["why_not"]))
            if form == "text":
                return web.Response(text=f"revision {revision}\n{render_why_not(reasons)}")
            return _json({"revision": revision, **why_not_json(reasons)})
        explanation = await asyncio.to_thread(build.explain, asked, weights)
        locate = build.inferred.locate
        if form == "text":
            text = await asyncio.to_thread(render_explanation, explanation, locate)
            return web.Response(text=f"revision {revision}\n{text}")
        told = await asyncio.to_thread(explanation_json, explanation, locate)
        return _json({"revision": revision, **told})

    return [web.get("/effective", effects), web.get("/explain", explained)]


def _json(value: Any) -> web.Response:
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    return web.Response(text=text, content_type="application/json", headers={"Cache-Control": "no-store"})
