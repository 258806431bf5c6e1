"""What ``serve`` is asked to do."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .sparql.service import SparqlLimits

if TYPE_CHECKING:
    from api_gateway_service_mesh.graph import SourceGraph

    from .cluster_routes import ClusterRoutes
    from .xds.plane import FleetDoor

__all__ = ["ServeOptions", "default_workers"]


def default_workers() -> int:
    """One worker for each core this process may use."""
    return max(1, len(os.sched_getaffinity(0)))


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Options of `supervisor.serve`; each has the name of the command line's.

    ``store`` is what keeps the configuration in place of files: a folder, or the URL of a triple store; ``files`` then
    only make its first revision. ``poll_seconds`` is how often a triple store is asked for changes. ``writable`` lets
    updates over HTTP be written back to ``files``.
    ``policies`` are policy packs, by name or path (`control.packs`).
    ``data_plane`` is ``embedded`` or ``envoy``; with ``envoy`` and a ``fleet`` no Envoy is started here, those of the
    fleet connect there. ``allow_loss``: what Envoy cannot say is left out, not refused.
    ``routes`` follows a cluster, whose routes are in one of ``files``.
    ``load`` replaces reading ``files`` (the Python API hands in its graph). ``host`` and ``port`` override the
    address of the configuration's listener; with neither a listener nor an override the gateway listens on
    0.0.0.0:8080. Port 0 takes a free port. ``admin_port`` None: no admin port. ``admin_token`` (default:
    ``AGW_ADMIN_TOKEN``) lets the admin port be opened off loopback. Pages of ``allow_origins`` may talk to it from a
    browser. ``drain_seconds`` bounds how long running
    requests may end after SIGTERM. ``colour`` and ``width`` are the terminal's that reports are printed on.
    """

    files: tuple[Path, ...] = ()
    store: Path | str | None = None
    writable: bool = False
    poll_seconds: float = 2.0
    load: Callable[[], SourceGraph] | None = None
    routes: ClusterRoutes | None = None
    host: str | None = None
    port: int | None = None
    admin_host: str = "127.0.0.1"
    admin_port: int | None = 9901
    admin_token: str | None = field(default=None, repr=False)
    allow_origins: tuple[str, ...] = ()
    workers: int | None = None
    data_plane: str = "embedded"
    fleet: FleetDoor | None = None
    allow_loss: bool = False
    watch: bool = True
    gateway: str | None = None
    policies: tuple[str, ...] = ()
    drain_seconds: float = 10.0
    colour: bool = False
    width: int | None = None
    sparql: SparqlLimits = field(default_factory=SparqlLimits)
