"""What every configuration goes through before it may be served, wherever it comes from."""

from __future__ import annotations

import gc
from collections.abc import Callable

from api_gateway_service_mesh.errors import ConfigError, Finding
from api_gateway_service_mesh.graph import SourceGraph

from .build import Build, build
from .change_gates import gate_findings
from .packs import Packs

__all__ = ["Gate", "compiled"]


class Gate:
    """What every configuration of one gateway goes through: which ``agw:ApiGateway`` is meant, and its policy packs.
    ``policies`` tells one choice of packs from another."""

    def __init__(self, gateway: str | None, packs: Packs | None) -> None:
        self._gateway = gateway
        self._packs = packs
        self.policies = packs.key if packs is not None else ""

    def compiled(self, source: Callable[[], SourceGraph], previous: Build | None) -> Build | None:
        """See `compiled`."""
        return compiled(source, self._gateway, previous, self._packs)


def compiled(
    source: Callable[[], SourceGraph], gateway: str | None, previous: Build | None, packs: Packs | None = None
) -> Build | None:
    """The build of what `source` gives; None when that is what `previous` was built from. For a thread.

    Nothing empty replaces what serves, and nothing that a change gate of `packs` is against.

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
        made = build(graph, gateway, previous=previous, packs=packs)
        if previous is not None and previous.mesh.routes and not made.mesh.routes:
            raise ConfigError(
                Finding(
                    "no-routes",
                    "the configuration has no routes any more; an empty one never replaces one that serves",
                    remedy="stop the gateway if nothing is to be served",
                )
            )
        if previous is not None and packs is not None and packs.gates:
            against = gate_findings(packs.gates, previous.inferred, made.inferred)
            if against:
                raise ConfigError(made.report.merged(against))
        return made
    finally:
        gc.freeze()
        gc.enable()
