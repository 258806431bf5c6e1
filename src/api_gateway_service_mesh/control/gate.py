"""What every configuration goes through before it may be served, wherever it comes from."""

from __future__ import annotations

import gc
from collections.abc import Callable

from api_gateway_service_mesh.errors import ConfigError, Finding
from api_gateway_service_mesh.graph import SourceGraph

from .build import Build, build

__all__ = ["compiled"]


def compiled(source: Callable[[], SourceGraph], gateway: str | None, previous: Build | None) -> Build | None:
    """The build of what `source` gives; None when that is what `previous` was built from. For a thread.

    Nothing empty replaces what serves.

    Raises:
        ConfigError: it is refused.
    """
    gc.disable()  # little made here is garbage, and a collection over a large graph costs more than its building
    try:
        graph = source()
        if previous is not None:
            if graph.digest == previous.source.digest:
                return None
            if not graph.rows:
                raise ConfigError(
                    Finding("empty", "the configuration has no triples", remedy="the one before stays in force")
                )
        made = build(graph, gateway, previous=previous)
        if previous is not None and previous.mesh.routes and not made.mesh.routes:
            raise ConfigError(
                Finding(
                    "no-routes",
                    "the configuration has no routes any more; an empty one never replaces one that serves",
                    remedy="stop the gateway if nothing is to be served",
                )
            )
        return made
    finally:
        gc.freeze()
        gc.enable()
