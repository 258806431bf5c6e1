"""Compression by Envoy's filters: one for each coding of each policy, switched on by the routes that have it."""

from __future__ import annotations

from typing import Any, Final

from api_gateway_service_mesh.manifests.gap import differs
from api_gateway_service_mesh.model import Compression, CompressionEffort, Route
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context
from .typed import EXTENSION, FILTER, Json, extension, typed

__all__ = ["compression_filters", "media_types", "route_compression"]

_LEVELS: Final[dict[str, dict[CompressionEffort, Any]]] = {
    "gzip": {
        CompressionEffort.FAST: "COMPRESSION_LEVEL_1",
        CompressionEffort.BALANCED: "COMPRESSION_LEVEL_5",
        CompressionEffort.SMALL: "COMPRESSION_LEVEL_9",
    },
    "br": {CompressionEffort.FAST: 1, CompressionEffort.BALANCED: 4, CompressionEffort.SMALL: 6},
    "zstd": {CompressionEffort.FAST: 1, CompressionEffort.BALANCED: 3, CompressionEffort.SMALL: 9},
}
_LIBRARIES: Final = {
    "gzip": ("gzip.compressor.v3.Gzip", "compression_level"),
    "br": ("brotli.compressor.v3.Brotli", "quality"),
    "zstd": ("zstd.compressor.v3.Zstd", "compression_level"),
}

#: Envoy compares whole media types, so what a star stands for is written out: what is usual on the web.
_USUAL: Final = {
    "text/*": (
        "text/html", "text/plain", "text/css", "text/javascript", "text/csv", "text/markdown", "text/xml",
        "text/event-stream", "text/turtle",
    ),
    "application/*+json": (
        "application/ld+json", "application/problem+json", "application/vnd.api+json", "application/hal+json",
        "application/geo+json", "application/manifest+json", "application/sparql-results+json",
    ),
    "application/*+xml": (
        "application/xhtml+xml", "application/atom+xml", "application/rss+xml", "application/rdf+xml",
        "application/soap+xml", "application/problem+xml", "application/sparql-results+xml",
    ),
}  # fmt: skip


def media_types(compression: Compression) -> tuple[list[str], list[str]]:
    """The media types of a policy, and those with a star of which nothing usual is known."""
    found: list[str] = []
    unknown: list[str] = []
    for name in compression.types:
        if "*" not in name:
            found.append(name)
        elif name in _USUAL:
            found += _USUAL[name]
        else:
            unknown.append(name)
    return sorted(dict.fromkeys(found)), unknown


def compression_filters(context: Context) -> list[Json]:
    """The filters of all policies; Envoy asks the last first, so what is offered first stands last."""
    policies = {route.compression.iri: route.compression for route in context.routes if route.compression is not None}
    return [_filter(policy, coding) for policy in policies.values() for coding in reversed(policy.codings)]


def route_compression(context: Context, route: Route) -> dict[str, Any]:
    """What switches a route's own filters on."""
    policy = route.compression
    if policy is None:
        return {}
    stars = [name for name in policy.types if "*" in name]
    unknown = media_types(policy)[1]
    if stars:
        left = f", and nothing for {', '.join(unknown)}" if unknown else ""
        message = f"{route.name}: Envoy compares whole media types; the usual ones are written for a star{left}"
        context.say(differs(policy.iri, AGW.compressesType, message, "state agw:compressesType for each"))
    on = typed("envoy.config.route.v3.FilterConfig", config={})
    return {_name(policy, coding): on for coding in policy.codings}


def _name(policy: Compression, coding: str) -> str:
    return f"agw.{coding} {policy.iri}"


def _filter(policy: Compression, coding: str) -> Json:
    kind, level = _LIBRARIES[coding]
    library = extension(coding, f"{EXTENSION}.compression.{kind}", **{level: _LEVELS[coding][policy.effort]})
    common = {"min_content_length": policy.minimum_bytes, "content_type": media_types(policy)[0]}
    made = extension(
        _name(policy, coding),
        f"{FILTER}.compressor.v3.Compressor",
        response_direction_config={
            "common_config": common,
            "uncompressible_response_codes": [205, 206],
        },
        compressor_library=library,
        choose_first=True,
    )
    return {**made, "disabled": True}
