"""What a cache does with the requests of a route, for explanations."""

from __future__ import annotations

from api_gateway_service_mesh.model import Cache, Route

from .decision import ExplainRequest
from .part import Part, cite, number

__all__ = ["cache_part", "is_guarded"]


def is_guarded(route: Route) -> bool:
    """Whether only callers get through whom the gateway knows: then answers must say that they are for all."""
    return not (
        route.authentication is None
        and route.client_certificate is None
        and route.authorization is None
        and route.external_authorization is None
    )


def cache_part(route: Route, cache: Cache, request: ExplainRequest | None) -> Part:
    """What is kept, for how long, and what becomes of a request."""
    iri, standard = cache.iri, Cache("")
    cited = [cite(route.iri, "hasCache", iri)]
    said = f"answers up to {cache.object_bytes} bytes, as they allow"
    if is_guarded(route):
        said += " (public, s-maxage or must-revalidate: callers are known)"
    for term, value, usual, words in (
        ("defaultFreshness", cache.default_seconds, standard.default_seconds, "; for {:g} s where they do not say"),
        ("maximumFreshness", cache.maximum_seconds, standard.maximum_seconds, "; for {:g} s at most"),
        ("staleWhileRevalidate", cache.stale_while_seconds, 0.0, "; stale for {:g} s while they are fetched anew"),
        ("staleIfError", cache.stale_error_seconds, 0.0, "; stale for {:g} s when the backend fails"),
        ("collapseTimeout", cache.collapse_seconds, standard.collapse_seconds, "; the same is waited for {:g} s"),
    ):
        if value is not None and value != usual:
            said += words.format(value)
            cited.append(cite(iri, term, f"PT{number(value)}S"))
    for term, size, usual_size in (
        ("cacheBytes", cache.maximum_bytes, standard.maximum_bytes),
        ("cacheObjectBytes", cache.object_bytes, standard.object_bytes),
    ):
        if size != usual_size:
            cited.append(cite(iri, term, str(size)))
    for term, holds, usually in (
        ("heuristicFreshness", cache.heuristic, standard.heuristic),
        ("heedsRequestDirectives", cache.heeds_requests, standard.heeds_requests),
        ("showsCacheStatus", cache.shows_status, standard.shows_status),
        ("hidesCacheTags", cache.hides_tags, standard.hides_tags),
    ):
        if holds is not usually:
            cited.append(cite(iri, term, "true" if holds else "false"))
    if cache.keyed_fields:
        said += f"; told apart by {', '.join(cache.keyed_fields)}"
        cited += [cite(iri, "keyedField", name) for name in cache.keyed_fields]
    if cache.store is not None:
        said += f"; kept together with other gateways in {cache.store.host}:{cache.store.port}"
        cited.append(cite(iri, "sharedThrough", cache.store.iri))
    for purge in cache.purges:
        cited.append(cite(iri, "hasPurge", purge.iri))
        if purge.url is not None:
            cited.append(cite(purge.iri, "purgesUrl", purge.url))
        if purge.tag is not None:
            cited.append(cite(purge.iri, "purgesTag", purge.tag))
    if request is not None and request.method not in ("GET", "HEAD"):
        said += f"; {request.method} goes to the backend"
    return Part("cache", iri, said, tuple(cited))
