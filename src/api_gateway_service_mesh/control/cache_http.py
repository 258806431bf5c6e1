"""``/cache``: what is kept; ``/cache/purge``: what is not to be used any more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web

from api_gateway_service_mesh.errors import ClientError

from .access import writer
from .cache import Purge, purge
from .cache_replicas import Replicas
from .live import Live

__all__ = ["REPLICAS", "cache_routes", "replicas_of"]

REPLICAS: web.AppKey[Replicas] = web.AppKey("replicas", Replicas)
"""Who tells other gateways."""
_STORE = ("hits", "misses", "unusable", "failed", "written", "refused")
_MOST = 1000
"""URLs and tags in one request."""


def cache_routes(live_of: Callable[[web.Request], Live]) -> list[web.RouteDef]:
    """The routes under ``/cache``; the application has `REPLICAS`, kept by `replicas_of`."""

    async def listed(request: web.Request) -> web.Response:
        live = live_of(request)
        counts = {policy.iri: events for policy, events in live.events()}
        words = ("hits", "misses", "stale", "revalidated", "stored", "evicted", "collapsed", "passed")
        shared = {cache.iri: counts for cache, counts in live.cache_stores()}
        told = [
            {
                "iri": cache.iri,
                "entries": entries,
                "bytes": size,
                "maximum_bytes": cache.maximum_bytes,
                **dict(zip(words, counts[cache.iri], strict=True)),
                **({"shared": dict(zip(_STORE, shared[cache.iri], strict=False))} if cache.iri in shared else {}),
            }
            for cache, entries, size in live.caches()
        ]
        return web.json_response(told, headers={"Cache-Control": "no-store"})

    async def purged(request: web.Request) -> web.Response:
        writer(request)
        wanted = await _wanted(request)
        caches = purge(live_of(request), wanted)
        said: dict[str, object] = {"purged": [cache.iri for cache in caches]}
        told = await request.app[REPLICAS].tell(caches, wanted)
        if told is not None:
            said["replicas_told"] = told
        return web.json_response(said, headers={"Cache-Control": "no-store"})

    return [web.get("/cache", listed), web.post("/cache/purge", purged)]


async def replicas_of(app: web.Application) -> AsyncIterator[None]:
    """For as long as the application runs."""
    app[REPLICAS] = made = Replicas()
    yield
    made.close()


async def _wanted(request: web.Request) -> Purge:
    """From a JSON object: ``urls``, ``tags``, ``everything``, ``cache``."""
    try:
        said: Any = await request.json()
    except ValueError:
        raise ClientError("the body is no JSON", remedy='send {"tags": ["product-7"]}') from None
    if not isinstance(said, dict) or said.keys() - {"urls", "tags", "everything", "cache"}:
        raise ClientError("the body is an object of urls, tags, everything, cache", remedy='{"tags": ["product-7"]}')
    urls, tags, cache = said.get("urls", []), said.get("tags", []), said.get("cache")
    if not (_texts(urls) and _texts(tags)) or not (cache is None or isinstance(cache, str)):
        raise ClientError(f"urls and tags are lists of at most {_MOST} texts, cache is an IRI")
    return Purge(tuple(urls), tuple(tags), said.get("everything") is True, cache)


def _texts(value: object) -> bool:
    return isinstance(value, list) and len(value) <= _MOST and all(isinstance(item, str) for item in value)
