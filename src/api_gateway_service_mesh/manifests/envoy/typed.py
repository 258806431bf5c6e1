"""Envoy's messages as JSON values (the proto3 JSON form): what a bootstrap file holds and what xDS is made of.

One form serves both, so a fleet that is told over gRPC and a file that is written by ``agw manifests`` cannot differ.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

__all__ = [
    "ANY_REQUEST",
    "EXTENSION",
    "FILTER",
    "MATCHER",
    "NETWORK",
    "TRANSPORT",
    "Json",
    "extension",
    "seconds",
    "typed",
]

#: One message, or a part of one.
Json: TypeAlias = dict[str, Any]

EXTENSION: Final = "envoy.extensions"
FILTER: Final = "envoy.extensions.filters.http"
NETWORK: Final = "envoy.extensions.filters.network"
TRANSPORT: Final = "envoy.extensions.transport_sockets"
MATCHER: Final = "envoy.type.matcher.v3"

#: A `RouteMatch` that says nothing: what a route asks for stands in the tree that leads to it.
ANY_REQUEST: Final[Json] = {"prefix": "/"}


def typed(kind: str, **fields: Any) -> Json:
    """A message in a ``google.protobuf.Any``: its full name, and its fields."""
    return {"@type": f"type.googleapis.com/{kind}", **fields}


def extension(name: str, kind: str, **fields: Any) -> Json:
    """A ``TypedExtensionConfig``."""
    return {"name": name, "typed_config": typed(kind, **fields)}


def seconds(value: float) -> str:
    """A duration in the JSON form: ``0.25s``; never finer than a microsecond."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return f"{text}s"
