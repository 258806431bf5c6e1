"""What the Envoy beside agw has counted, put where workers count: so metrics, runtime graph and console need not know
who carries the requests."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from api_gateway_service_mesh.control.snapshot import Snapshot
from api_gateway_service_mesh.manifests.envoy import stat_prefix
from api_gateway_service_mesh.policies import CellStore

from .process import EnvoyProcess

__all__ = ["Counters"]

_EVERY_SECONDS: Final = 1.0
_NAME: Final = re.compile(r"vhost\..*\.route\.(r[0-9a-f]{16})\.upstream_rq_([1-5])xx")
_FILTER: Final = r"vhost\..*\.route\.r[0-9a-f]{16}\.upstream_rq_[1-5]xx$"


class Counters:
    """Reads Envoy's counters of routes every second into the cells of the revision in force."""

    def __init__(self, process: EnvoyProcess, cells: CellStore) -> None:
        self._process = process
        self._cells = cells
        self._routes: dict[str, int] = {}
        self._seen: dict[tuple[str, int], float] = {}
        self._task: asyncio.Task[None] | None = None

    def follow(self, snapshot: Snapshot) -> None:
        """Count for the routes of `snapshot` from now on."""
        self._routes = {
            stat_prefix(route.iri): base
            for route in snapshot.mesh.routes
            if (base := snapshot.slots.get(("route", route.iri))) is not None
        }
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            stats = await self._process.ask(f"/stats?usedonly&format=json&filter={quote(_FILTER, safe='')}")
            if isinstance(stats, dict):
                self._write(stats)

    def _write(self, stats: Mapping[str, Any]) -> None:
        totals: dict[tuple[str, int], float] = {}
        for each in stats.get("stats", ()):
            found = _NAME.fullmatch(each.get("name", ""))
            if found is not None:
                key = (found[1], int(found[2]))
                totals[key] = totals.get(key, 0.0) + each["value"]
        view = self._cells.view
        for (prefix, status), total in totals.items():
            base = self._routes.get(prefix)
            before = self._seen.get((prefix, status), 0.0)
            if base is not None:
                view[base + status] += total - before if total >= before else total  # one that came back begins at 0
        self._seen = totals
