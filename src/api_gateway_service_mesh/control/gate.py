"""What every configuration goes through before it may be served, wherever it comes from."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from pathlib import Path

from api_gateway_service_mesh.errors import ConfigError, Finding
from api_gateway_service_mesh.graph import SourceGraph

from .build import Build, build
from .change_gates import gate_findings
from .packs import Packs, load_packs, shipped_packs
from .progress import Told
from .used import stale_descriptions

__all__ = ["Gate", "compiled"]


class Gate:
    """What every configuration of one gateway goes through: which ``agw:ApiGateway`` is meant, and its policy packs.

    Raises:
        ConfigError: there is no such pack, or it asks for what is not supported.
    """

    def __init__(self, gateway: str | None, names: Sequence[str]) -> None:
        self._gateway = gateway
        self._names = tuple(names)
        self._packs = load_packs(self._names)

    @property
    def policies(self) -> str:
        """Tells one state of the packs from another."""
        return self._packs.key if self._packs is not None else ""

    @property
    def files(self) -> tuple[Path, ...]:
        """The packs that are files of somebody's own."""
        known = shipped_packs()
        return tuple(Path(name) for name in self._names if name not in known)

    def compiled(self, source: Callable[[], SourceGraph], previous: Build | None) -> Build | None:
        """See `compiled`, under the packs in force."""
        return compiled(source, self._gateway, previous, self._packs)

    def reloaded(
        self,
        source: Callable[[SourceGraph | None], SourceGraph],
        previous: Build | None,
        told: Told | None = None,
    ) -> Build | None:
        """See `compiled`, under the packs as their files say now. They are in force from then on, if what is served
        (or would be) keeps them; else it is refused, and those before stay. `source` is told what is served.

        Raises:
            ConfigError: it is refused, or a pack cannot be read.
        """
        packs = load_packs(self._names) if previous is not None and self.files else self._packs
        fresh = (packs.key if packs is not None else "") != self.policies
        served = previous.source if previous is not None else None
        made = compiled(lambda: source(served), self._gateway, previous, packs, again=fresh, told=told)
        self._packs = packs if fresh else self._packs
        return made


def compiled(
    source: Callable[[], SourceGraph],
    gateway: str | None,
    previous: Build | None,
    packs: Packs | None = None,
    *,
    again: bool = False,
    told: Told | None = None,
) -> Build | None:
    """The build of what `source` gives; None when that is what `previous` was built from. For a thread.

    Nothing empty replaces what serves, and nothing that a change gate of `packs` is against; of the first
    configuration they are asked as if nothing changed by it. ``again``: `packs` are others than before, so what is
    served is judged anew, and None still says that it stays.

    Raises:
        ConfigError: it is refused.
    """
    gc.disable()  # little made here is garbage, and a collection over a large graph costs more than its building
    try:
        graph = source()
        stale = previous is not None and stale_descriptions(previous.mesh)
        if previous is not None:
            if graph.digest == previous.source.digest:
                if not again and not stale:
                    return None
                graph = previous.source
            if not graph.count:
                raise ConfigError(
                    Finding("empty", "the configuration has no triples", remedy="the one before stays in force")
                )
        made = build(graph, gateway, previous=None if stale else previous, packs=packs, told=told)
        if previous is not None and previous.mesh.routes and not made.mesh.routes:
            raise ConfigError(
                Finding(
                    "no-routes",
                    "the configuration has no routes any more; an empty one never replaces one that serves",
                    remedy="stop the gateway if nothing is to be served",
                )
            )
        if packs is not None and packs.gates:
            against = gate_findings(packs.gates, (previous or made).inferred, made.inferred)
            if against:
                raise ConfigError(made.report.merged(against))
        return None if previous is not None and graph is previous.source and not stale else made
    finally:
        gc.freeze()
        gc.enable()
