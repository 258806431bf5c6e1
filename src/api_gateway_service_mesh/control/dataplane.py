"""What the data plane consists of, seen from the control process: cells, their layout, a lock, workers.

It is started before the graph libraries are even imported, so this module and what it imports stay light.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from api_gateway_service_mesh.policies import NO_LOCK, CellLayout, CellStore, Lock, clear_bulkheads, clear_gauges
from api_gateway_service_mesh.policies.connection_cap import clear_connections
from api_gateway_service_mesh.policies.listener import ListenerCounters

from .lock import attach_lock, create_lock, remove_lock
from .open_ports import OpenPorts
from .plane import Proxy
from .workers import WorkerPool

__all__ = ["DataPlane"]


class DataPlane:
    """``workers`` processes over one memory of cells. ``slots`` are those of the revision in force."""

    def __init__(self, workers: int, say: Callable[[str], None]) -> None:
        self.workers = workers
        self.cells = CellStore.shared()
        self.layout = CellLayout(self.cells)
        self.slots: Mapping[tuple[str, str], int] = {}
        self._lock = create_lock() if workers > 1 else ""
        self.pool = WorkerPool(workers, self.cells, self._lock, on_crash=self.forget, say=say)

    @property
    def lock(self) -> Lock:
        """The lock of the cells, for what the control process itself writes to them."""
        return attach_lock(self._lock) if self._lock else NO_LOCK

    def proxies(self) -> tuple[Proxy, ...]:
        """None: workers are no proxies of somebody else's."""
        return ()

    def ports(self, host: str | None, port: int | None) -> OpenPorts:
        """The ports that the workers share."""
        return OpenPorts(self.pool, host, port)

    async def start(self) -> None:
        """Start the workers."""
        await self.pool.start()

    async def stop(self, drain_seconds: float) -> None:
        """Drain and end the workers."""
        await self.pool.drain(drain_seconds)
        if self._lock:
            remove_lock(self._lock)

    def forget(self, worker: int) -> None:
        """Give back what a worker that ended held: requests, connections and places under way. Of the revision that is
        on its way to the workers too: it may have been there already."""
        for slots in (self.slots, self.layout.slots):
            clear_gauges(self.cells.view, slots, worker)
            clear_bulkheads(self.cells.view, slots, worker)
            for (kind, _), base in slots.items():
                if kind == "listener":
                    ListenerCounters(self.cells.view, base, worker).clear()
                elif kind == "connections":
                    clear_connections(self.cells.view, base, worker, self.workers)
