"""Content negotiation for query answers (RFC 9110 §12.5.1) over the formats SPARQL names."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["GRAPH_TYPES", "RESULT_TYPES", "choose", "formats_for"]

RESULT_TYPES: tuple[tuple[str, str], ...] = (
    ("json", "application/sparql-results+json"),
    ("xml", "application/sparql-results+xml"),
    ("csv", "text/csv"),
    ("tsv", "text/tab-separated-values"),
    ("json", "application/json"),
    ("xml", "application/xml"),
    ("csv", "text/plain"),
)
"""Formats of SELECT and ASK, in the server's order; the first media type of a format is the one it is sent as."""

GRAPH_TYPES: tuple[tuple[str, str], ...] = (
    ("turtle", "text/turtle"),
    ("ntriples", "application/n-triples"),
    ("jsonld", "application/ld+json"),
    ("rdfxml", "application/rdf+xml"),
    ("jsonld", "application/json"),
    ("turtle", "text/plain"),
)
"""Formats of CONSTRUCT and DESCRIBE, likewise."""


def choose(accept: str, offered: Iterable[tuple[str, str]]) -> str | None:
    """The key of the format that `accept` likes best among `offered` (key, media type); None when it takes none of
    them.

    An absent or unreadable field accepts everything. The most specific range decides for each type; ties go to the
    order of `offered`."""
    ranges = _ranges(accept)
    best: tuple[float, int] = (0.0, 0)
    chosen = None
    for position, (key, media_type) in enumerate(offered):
        quality = _quality(media_type, ranges)
        if quality > best[0]:
            best, chosen = (quality, -position), key
    return chosen


def formats_for(accept: str) -> dict[str, str | None]:
    """The format for each kind of result."""
    results = choose(accept, RESULT_TYPES)
    return {"solutions": results, "boolean": results, "graph": choose(accept, GRAPH_TYPES)}


def _ranges(accept: str) -> dict[str, float]:
    ranges: dict[str, float] = {}
    for part in accept.split(",")[:64]:
        media, *parameters = part.split(";")
        media = media.strip().lower()
        if "/" not in media:
            continue
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "q":
                try:
                    quality = min(max(float(value), 0.0), 1.0)
                except ValueError:
                    quality = 0.0
        ranges[media] = max(quality, ranges.get(media, 0.0))
    return ranges or {"*/*": 1.0}


def _quality(media_type: str, ranges: dict[str, float]) -> float:
    for candidate in (media_type, media_type.split("/")[0] + "/*", "*/*"):
        if candidate in ranges:
            return ranges[candidate]
    return 0.0
