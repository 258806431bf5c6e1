"""Cells: the numbers of all policy machines, in one run of float64.

Rules:

- A machine gets a view and a base index and keeps its whole state in its cells. All cells at 0.0 is every machine's
  first state, so fresh memory needs no set-up.
- With one process the store is private memory, with workers one memory file that the control process and all workers
  map: limits and breakers are exact over workers, live state is read without asking anyone, and it survives both the
  crash of a worker and a reload.
- Memory is sparse: a page costs nothing until it is written.
- One cell is read and written whole (aligned 8 bytes). Whoever changes a cell that depends on what it held takes the
  lock, unless the cell belongs to one worker alone (`policies.counters`).
- The owner (control process) allocates with `CellLayout`; workers get its ``slots``.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Algorithm, Mesh, Route, Upstream

from .balancer import BALANCER_CELLS, balancer_key
from .breaker import breaker_cells, breaker_units
from .budget import BUDGET_CELLS, budget_key, budgeted
from .bulkhead import BULKHEAD_CELLS
from .concurrency import concurrency_cells
from .connection_cap import connection_cells
from .counters import ENDPOINT_CELLS, LOG_CELLS, RATE_LIMIT_COUNT_CELLS, ROUTE_CELLS
from .health import HEALTH_CELLS
from .hedge import HEDGE_CELLS
from .http2 import HTTP2_CELLS
from .latency import LATENCY_CELLS
from .listener import LISTENER_CELLS
from .lock import NO_LOCK, Lock, NoLock, SharedLock
from .outlier import SWEEP_CELLS, outlier_cells, outlier_key
from .overload import OVERLOAD_CELLS
from .rate_limit import rate_limit_cells
from .redis import REDIS_CELLS
from .refusal import REFUSAL_CELLS
from .roster import EPOCH_CELLS, EPOCH_SLOT
from .sticky import STICKY_CELLS
from .traffic import traffic_slots

__all__ = [
    "ALIGNMENT",
    "DEFAULT_CELLS",
    "NO_LOCK",
    "CellLayout",
    "CellStore",
    "CellsExhausted",
    "Lock",
    "NoLock",
    "SharedLock",
    "cells_needed",
    "layout_for",
    "relayout",
]

CELL_BYTES = 8
DEFAULT_CELLS = 1024 * 1024 * 1024 // CELL_BYTES
"""1 GiB of address space: room for 8,000 keyed rate limits. Memory it takes only where something is written."""

ALIGNMENT = 8
"""Cells in a cache line. Slots and per-worker columns begin on one, so that workers do not slow each other down."""


class CellsExhausted(AgwError):
    """The cell store has no room left for what a configuration needs."""

    problem = "cells-exhausted"


def aligned(cells: int) -> int:
    """`cells` rounded up to whole cache lines."""
    return -(-cells // ALIGNMENT) * ALIGNMENT


class CellStore:
    """A run of cells: ``view`` shows them as float64. Make one with `local`, `shared` or `attach`."""

    __slots__ = ("_memory", "cells", "fd", "view")

    def __init__(self, memory: mmap.mmap, cells: int, fd: int | None) -> None:
        self._memory = memory
        self.cells = cells
        self.fd = fd
        """The memory file, or None for a local store. It is inheritable only when the owner makes it so."""
        self.view: memoryview[float] = memoryview(memory).cast("d")

    @classmethod
    def local(cls, cells: int = DEFAULT_CELLS // 4) -> CellStore:
        """Private zeroed memory of this process. By default less than `shared`: a kernel that counts every private page
        as if it were used may grant less."""
        return cls(mmap.mmap(-1, cells * CELL_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), cells, None)

    @classmethod
    def shared(cls, cells: int = DEFAULT_CELLS) -> CellStore:
        """A zeroed memory file (Linux ``memfd_create``) that other processes map with `attach`."""
        fd = os.memfd_create("agw-cells", os.MFD_CLOEXEC)
        os.ftruncate(fd, cells * CELL_BYTES)
        return cls._map(fd, cells)

    @classmethod
    def attach(cls, fd: int, cells: int) -> CellStore:
        """Map the memory file of another process, received by inheritance or over a socket.

        Raises:
            AgwError: the file is smaller than `cells` cells.
        """
        size = os.fstat(fd).st_size
        if size < cells * CELL_BYTES:
            raise AgwError(f"the cell store has {size} bytes, {cells * CELL_BYTES} are needed")
        return cls._map(fd, cells)

    @classmethod
    def _map(cls, fd: int, cells: int) -> CellStore:
        return cls(mmap.mmap(fd, cells * CELL_BYTES, flags=mmap.MAP_SHARED), cells, fd)

    def close(self) -> None:
        """Unmap, and close the memory file. No machine on this store may be used afterwards."""
        self.view.release()
        self._memory.close()
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def __repr__(self) -> str:
        kind = "local" if self.fd is None else f"shared fd={self.fd}"
        return f"<CellStore {kind} cells={self.cells}>"


class CellLayout:
    """Which cells belong to whom. Kept by the owner of the store alone.

    A slot is named by (kind, IRI). Asking again with the same size gives the same cells, so state survives a reload.
    Cells return only through `release_missing`, and are handed out again not before the *following* call of it:
    requests that still run on the table before last may write to them until then.
    """

    __slots__ = ("_free", "_next", "_retired", "_sizes", "_store", "_superseded", "slots")

    def __init__(self, store: CellStore) -> None:
        self._store = store
        self._next = 0
        self._sizes: dict[tuple[str, str], int] = {}
        self._superseded: list[tuple[int, int]] = []
        self._retired: list[tuple[int, int]] = []
        self._free: dict[int, list[int]] = {}
        self.slots: dict[tuple[str, str], int] = {}
        """(kind, IRI) to the index of the first cell; a plain dict, to be pickled for workers."""

    def reserve(self, kind: str, iri: str, cells: int) -> int:
        """The base of the slot (kind, iri), made when missing. With another size than before: a new, zeroed slot.

        Raises:
            CellsExhausted: the store is full.
        """
        key = (kind, iri)
        size = aligned(max(cells, 1))
        base = self.slots.get(key)
        if base is not None:
            if self._sizes[key] == size:
                return base
            self._superseded.append((base, self._sizes[key]))
        base = self._take(key, size)
        self.slots[key] = base
        self._sizes[key] = size
        return base

    def release_missing(self, live: AbstractSet[tuple[str, str]]) -> None:
        """Retire every slot not in `live` (the keys of the table in force), and free what was retired before."""
        for base, size in self._retired:
            self._free.setdefault(size, []).append(base)
        self._retired = self._superseded
        self._superseded = []
        for key in [key for key in self.slots if key not in live]:
            self._retired.append((self.slots.pop(key), self._sizes.pop(key)))

    @property
    def used(self) -> int:
        """Cells handed out at any time so far; what lies beyond was never touched."""
        return self._next

    def _take(self, key: tuple[str, str], size: int) -> int:
        bases = self._free.get(size)
        if bases:
            base = bases.pop()
            self._store.view[base : base + size] = memoryview(bytes(size * CELL_BYTES)).cast("d")
            return base
        base = self._next
        if base + size > self._store.cells:
            raise CellsExhausted(
                f"no room for the state of {key[0]} {key[1]}: it needs {size} cells, "
                f"{self._store.cells - base} of {self._store.cells} are left",
                remedy="let routes share rate limiters that have a key, or lower their agw:keyCapacity",
            )
        self._next = base + size
        return base

    def __repr__(self) -> str:
        return f"<CellLayout slots={len(self.slots)} used={self._next}/{self._store.cells}>"


def layout_for(mesh: Mesh, layout: CellLayout, workers: int) -> dict[tuple[str, str], int]:
    """Reserve all that `mesh` needs with `workers` workers, and say where: (kind, IRI) to base.

    Kinds: ``rate_limit`` and ``rate_limit_count`` (RateLimit), ``redis`` (RedisStore), ``route`` (Route), ``endpoint``,
    ``health`` and ``latency`` (Endpoint), ``sticky`` (Balancer), ``bulkhead`` and ``outlier_sweep`` (Upstream),
    ``listener`` and ``connections`` (Listener), ``epoch`` (one for all), ``access_log``, ``http2`` and ``refusal``
    (Mesh),
    ``hedge`` (Hedging), ``concurrency`` (AdaptiveConcurrency), ``overload`` (OverloadGuard), those of
    `policies.traffic`; named by themselves: ``balancer`` (`balancer_key`), ``breaker`` (`breaker_key`),
    ``retry_budget`` (`budget_key`), ``outlier`` (`outlier_key`).
    A policy that several routes name is one machine.

    Raises:
        CellsExhausted: the store is too small; `cells_needed` tells what it takes.
    """
    return {(kind, iri): layout.reserve(kind, iri, cells) for kind, iri, cells in _needs(mesh, workers)}


def relayout(
    mesh: Mesh,
    routes: Iterable[Route],
    upstreams: AbstractSet[str],
    slots: Mapping[tuple[str, str], int],
    layout: CellLayout,
    workers: int,
) -> dict[tuple[str, str], int]:
    """The slots that `mesh` needs beyond `slots`, or elsewhere, where only these `routes` are new or changed, and the
    services with these IRIs. What nothing needs any more stays, until `layout_for` and `CellLayout.release_missing`.

    Raises:
        CellsExhausted: as `layout_for`.
    """
    concerned = {route.iri: route for route in routes}
    if upstreams:
        concerned.update({r.iri: r for r in mesh.routes if not upstreams.isdisjoint(r.reached)})
    reached = upstreams | {name for route in concerned.values() for name in route.reached}
    services = tuple(upstream for upstream in mesh.upstreams if upstream.iri in reached)
    small = replace(mesh, routes=tuple(concerned.values()), upstreams=services)
    wanted = layout_for(small, layout, workers)
    return {key: base for key, base in wanted.items() if slots.get(key) != base}


def cells_needed(mesh: Mesh, workers: int) -> int:
    """How many cells `layout_for` reserves in an empty layout.

    A store should hold several times as many: while a changed configuration is taken up, the old slots still stand.
    """
    return sum(aligned(size) for size in {(kind, iri): size for kind, iri, size in _needs(mesh, workers)}.values())


def _needs(mesh: Mesh, workers: int) -> Iterator[tuple[str, str, int]]:
    yield "refusal", mesh.iri, REFUSAL_CELLS * workers
    yield "http2", mesh.iri, HTTP2_CELLS * workers
    for listener in mesh.listening:
        yield "listener", listener.iri, LISTENER_CELLS * workers
        if listener.connection_cap is not None:
            yield "connections", listener.iri, connection_cells(workers)
    if mesh.overload is not None:
        yield "overload", mesh.overload.iri, OVERLOAD_CELLS * workers
    if mesh.logs:
        yield "access_log", mesh.iri, LOG_CELLS * workers
    upstreams = {upstream.iri: upstream for upstream in mesh.upstreams}
    for route in mesh.routes:
        yield "route", route.iri, ROUTE_CELLS * workers
        if route.concurrency is not None:
            yield "concurrency", route.concurrency.iri, concurrency_cells(workers)
        for limit in route.rate_limits:
            yield "rate_limit", limit.iri, rate_limit_cells(limit)
            yield "rate_limit_count", limit.iri, RATE_LIMIT_COUNT_CELLS * workers
            if limit.store is not None:
                yield "redis", limit.store.iri, REDIS_CELLS * workers
        yield from traffic_slots(route, workers)
        yield from _balancers(route, upstreams, workers)
    for route in mesh.routes:
        if route.hedging is not None:
            yield "hedge", route.hedging.iri, HEDGE_CELLS * workers
    for unit in breaker_units(mesh):
        yield *unit.key, breaker_cells(unit.breaker)
    for policy, target in budgeted(mesh):
        yield *budget_key(policy, target), BUDGET_CELLS * workers
    yield *EPOCH_SLOT, EPOCH_CELLS
    for upstream in mesh.upstreams:
        yield "bulkhead", upstream.iri, BULKHEAD_CELLS * workers
        for endpoint in upstream.endpoints:
            yield "endpoint", endpoint.iri, ENDPOINT_CELLS * workers
            yield "health", endpoint.iri, HEALTH_CELLS
        if upstream.outlier is not None:
            yield "outlier_sweep", upstream.iri, SWEEP_CELLS
            for endpoint in upstream.endpoints:
                yield *outlier_key(upstream.iri, endpoint.iri), outlier_cells(workers)


def _balancers(route: Route, upstreams: Mapping[str, Upstream], workers: int) -> Iterator[tuple[str, str, int]]:
    asked = route.external_authorization
    if asked is not None and asked.upstream in upstreams:
        # What is asked is not balanced as the route is: its positions are those of a route without a balancer.
        yield *balancer_key(replace(route, balancer=None), asked.upstream), BALANCER_CELLS * workers
    for target, subset in (*route.targets, *((mirror.upstream, ()) for mirror in route.mirrors)):
        upstream = upstreams.get(target)
        if upstream is None:
            continue
        yield *balancer_key(route, target, subset), BALANCER_CELLS * workers
        if route.balancer is not None and route.balancer.algorithm is Algorithm.EWMA:
            for endpoint in upstream.endpoints:
                yield "latency", endpoint.iri, LATENCY_CELLS
        if route.balancer is not None and route.balancer.sticky is not None:
            yield "sticky", route.balancer.iri, STICKY_CELLS
