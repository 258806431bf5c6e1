"""Which answers are compressed (``agw:Compression``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CODINGS", "Compression", "CompressionEffort"]

CODINGS = ("zstd", "br", "gzip")
"""All codings, those first that are offered first."""

COMPRESSED_TYPES = (
    "text/*", "application/json", "application/*+json", "application/xml", "application/*+xml", "image/svg+xml",
    "application/javascript", "application/n-triples", "application/n-quads", "application/trig", "application/wasm",
    "application/x-ndjson",
)  # fmt: skip
"""What is compressed where nothing else is stated."""


class CompressionEffort(StrEnum):
    """What is worth more: time, or size."""

    FAST = "FAST"
    BALANCED = "BALANCED"
    SMALL = "SMALL"


@dataclass(frozen=True, slots=True)
class Compression:
    """``codings``: in the order of `CODINGS`. ``types``: media types in lower case, with at most one ``*`` in the
    subtype. ``minimum_bytes``: smaller answers stay as they are."""

    iri: str
    codings: tuple[str, ...] = CODINGS
    types: tuple[str, ...] = COMPRESSED_TYPES
    minimum_bytes: int = 1024
    effort: CompressionEffort = CompressionEffort.BALANCED
