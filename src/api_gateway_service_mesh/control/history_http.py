"""``/revisions``: what was served, what changed between, and the way back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Any

import pyoxigraph as ox
from aiohttp import web

from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.graph.excerpt import masked, secret_properties
from api_gateway_service_mesh.graph.report import report_json
from api_gateway_service_mesh.model.codec import encode
from api_gateway_service_mesh.vocabulary import PREFIXES

from .access import AccessRefused
from .as_of import wanted_revision
from .build import Build
from .compared import Comparison, compared, comparison_json, render_comparison
from .delta import Delta, between, ntriples
from .history import Revision
from .sparql.formats import GRAPH_TYPES, choose
from .sparql.protocol import RDF_FORMATS, media_type_of
from .supervisor import Supervisor
from .update_http import changed, updated

__all__ = ["revision_json", "revision_routes"]


def revision_routes(supervisor_of: Callable[[web.Request], Supervisor]) -> list[web.RouteDef]:
    """The routes under ``/revisions``."""
    revisions = _Revisions(supervisor_of)
    return [
        web.get("/revisions", revisions.listed),
        web.get("/revisions/{revision}", revisions.one),
        web.get("/revisions/{revision}/delta", revisions.difference),
        web.get("/revisions/{revision}/diff", revisions.meaning),
        web.get("/revisions/{revision}/graph", revisions.graph),
        web.post("/revisions/{revision}/rollback", revisions.rollback),
    ]


class _Revisions:
    """What can be asked of the history of the supervisor that a request belongs to."""

    def __init__(self, supervisor_of: Callable[[web.Request], Supervisor]) -> None:
        self._of = supervisor_of

    async def listed(self, request: web.Request) -> web.Response:
        """The newest first, `?limit=` of them."""
        limit = request.query.get("limit", "")
        if limit and not (limit.isascii() and limit.isdigit() and int(limit[:9]) > 0):
            raise ClientError(f"{limit[:100]!r} is no number of revisions", remedy="write ?limit=100")
        wanted = islice(reversed(self._of(request).revisions), int(limit[:9]) if limit else None)
        return _json([revision_json(item) for item in wanted])

    async def one(self, request: web.Request) -> web.Response:
        """One revision."""
        return _json(revision_json(self._of(request).history.revision(_wanted(request))))

    async def difference(self, request: web.Request) -> web.Response:
        """The triples that came and went, as JSON or as an update."""
        history = self._of(request).history
        item = history.revision(_wanted(request))
        since = request.query.get("from")
        if since is None and item.parent is None:
            delta = item.delta or Delta()
        else:
            old = wanted_revision(since) if since is not None else item.parent or 0
            delta = await asyncio.to_thread(history.delta, old, item.number or 0)
        delta = await asyncio.to_thread(_told, delta, self._of(request))
        forms = (("json", "application/json"), ("update", "application/sparql-update"), ("update", "text/plain"))
        if choose(request.headers.get("Accept", "*/*"), forms) == "update":
            return web.Response(text=_as_update(delta), content_type="application/sparql-update")
        return _json({"added": _lines(delta.added), "removed": _lines(delta.removed)})

    async def meaning(self, request: web.Request) -> web.Response:
        """What changed in meaning and in decisions, as JSON or as text."""
        supervisor = self._of(request)
        item = supervisor.history.revision(_wanted(request))
        since = request.query.get("from")
        if since is None and item.parent is None:
            raise ClientError(f"revision {item.number} is the first: there is nothing to compare it with")
        old = wanted_revision(since) if since is not None else item.parent or 0
        _, after = await supervisor.as_of.build(item.number or 0, supervisor.build)
        _, before = await supervisor.as_of.build(old, supervisor.build)
        found: Comparison = await asyncio.to_thread(compared, before, after)
        forms = (("json", "application/json"), ("text", "text/plain"))
        if choose(request.headers.get("Accept", "*/*"), forms) == "text":
            return web.Response(text=render_comparison(found))
        return _json(comparison_json(found))

    async def graph(self, request: web.Request) -> web.Response:
        """The whole graph of a revision, secrets masked."""
        source = await asyncio.to_thread(self._of(request).history.graph_at, _wanted(request))
        form = choose(request.headers.get("Accept", "*/*"), GRAPH_TYPES)
        if form is None:
            raise AccessRefused(
                "it comes as Turtle, N-Triples, JSON-LD or RDF/XML", status=406, problem="not-acceptable"
            )
        prefixes = {**PREFIXES, **source.prefixes}
        secrets = await asyncio.to_thread(_secrets, self._of(request))
        triples = (masked(triple, secrets) for triple in source.triples)
        body = ox.serialize(triples, format=RDF_FORMATS[form], prefixes=prefixes)
        media_type, charset = media_type_of("graph", form)
        return web.Response(body=body, content_type=media_type, charset=charset)

    async def rollback(self, request: web.Request) -> web.Response:
        """Serve a revision's graph again, as a change like any other."""
        supervisor = self._of(request)
        target = supervisor.history.revision(_wanted(request))
        wanted = await asyncio.to_thread(supervisor.history.graph_at, target.number or 0)

        async def back(made: Build) -> Delta:
            return between(made.source, wanted)

        return changed(await updated(request, supervisor, back, to=target.number))


def _wanted(request: web.Request) -> int | datetime:
    return wanted_revision(request.match_info["revision"])


def _told(delta: Delta, supervisor: Supervisor) -> Delta:
    return delta.masked(_secrets(supervisor))


def _secrets(supervisor: Supervisor) -> frozenset[ox.NamedNode]:
    """The properties whose values are not told."""
    made = supervisor.build
    return frozenset() if made is None else secret_properties(made.inferred)


def revision_json(item: Revision) -> dict[str, Any]:
    """A revision as ``/revisions`` lists it."""
    told = item.changed
    return {
        "revision": item.number,
        "parent": item.parent,
        "at": item.at.isoformat(timespec="milliseconds"),
        "who": item.author.who,
        "why": item.author.why,
        "where": item.author.where,
        "digest": item.digest,
        "routes": item.routes,
        "seconds": round(item.seconds, 4),
        "added": item.added,
        "removed": item.removed,
        "rolled_back_to": item.rolled_back_to,
        "changed": encode(told) if told is not None else None,
        "summary": str(told) if told is not None else "refused" if item.refused is not None else None,
        "refused": report_json(item.refused) if item.refused is not None else None,
    }


def _lines(triples: tuple[ox.Triple, ...]) -> list[str]:
    return [f"{triple} ." for triple in triples]


def _as_update(delta: Delta) -> str:
    parts = (("DELETE DATA", delta.removed), ("INSERT DATA", delta.added))
    return " ;\n".join(f"{verb} {{\n{ntriples(triples).decode()}}}" for verb, triples in parts if triples) + "\n"


def _json(value: Any) -> web.Response:
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    return web.Response(text=text, content_type="application/json", headers={"Cache-Control": "no-store"})
