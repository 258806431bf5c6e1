"""Counters: per-worker columns of cells that only their worker writes, so they need no lock; readers sum the columns.

A slot of N workers is N columns one after the other, each of whole cache lines. Counters only grow (a reader takes
rates); the two gauges, an endpoint's ``active`` and ``connections``, return to 0 when the worker is idle, and
`clear_gauges` repairs them after a worker's crash.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .concurrency import clear_in_use
from .http2 import clear_http2
from .row import row
from .websocket import clear_open

__all__ = [
    "BUCKET_SECONDS",
    "ENDPOINT_CELLS",
    "LOG_CELLS",
    "RATE_LIMIT_COUNT_CELLS",
    "ROUTE_CELLS",
    "EndpointCounters",
    "EndpointTotals",
    "LogCounters",
    "LogTotals",
    "RateLimitCounters",
    "RateLimitTotals",
    "RouteCounters",
    "RouteTotals",
    "clear_gauges",
    "read_endpoint",
    "read_log",
    "read_rate_limit",
    "read_route",
]

BUCKET_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency buckets, each inclusive; one more bucket takes what is slower."""

# A route's column. Cell 0 counts requests that ended without an answer (status 0: the client went away first);
# cells 1 to 5 count answers by class, so that a status finds its cell by one division. What a plain request writes
# stands in two cache lines: with ten thousand routes each of them is a miss.
ROUTE_SECONDS = 6
ROUTE_BYTES_OUT = 7
ROUTE_BUCKETS = 8
ROUTE_BYTES_IN = 22
ROUTE_GATEWAY_ERRORS = 23
ROUTE_CELLS = 24

ENDPOINT_ACTIVE = 0
ENDPOINT_REQUESTS = 1
ENDPOINT_FAILURES = 2
ENDPOINT_CONNECTIONS = 3
ENDPOINT_CELLS = 8

RATE_LIMIT_ADMITTED = 0
RATE_LIMIT_REJECTED = 1
RATE_LIMIT_SHADOWED = 2
RATE_LIMIT_FALLBACKS = 3
RATE_LIMIT_CHARGED = 4
RATE_LIMIT_UNREADABLE = 5
RATE_LIMIT_COUNT_CELLS = 8

LOG_WRITTEN = 0
LOG_DROPPED = 1
LOG_CELLS = 8


class RouteCounters:
    """One worker's counters of one route."""

    # One number is kept for each route and the others are reckoned: with ten thousand routes a number that is kept is
    # a miss of the processor's cache, one that is reckoned is not.
    __slots__ = ("_column", "_view")

    def __init__(self, view: memoryview[float], base: int, worker: int = 0) -> None:
        self._view = view
        self._column = base + worker * ROUTE_CELLS

    def observe(self, status: int, seconds: float, bytes_in: int = 0, bytes_out: int = 0) -> None:
        """Count one finished request. `status` 100 to 599, or 0 when the client got no answer."""
        view, column = self._view, self._column
        view[column + status // 100] += 1.0
        view[column + ROUTE_SECONDS] += seconds
        # Most answers are quick: for them two comparisons, without a call.
        bucket = 0 if seconds <= 0.001 else 1 if seconds <= 0.0025 else bisect_left(BUCKET_SECONDS, seconds)
        view[column + ROUTE_BUCKETS + bucket] += 1.0
        if bytes_in:
            view[column + ROUTE_BYTES_IN] += bytes_in
        if bytes_out:
            view[column + ROUTE_BYTES_OUT] += bytes_out

    def gateway_error(self) -> None:
        """Count an answer that agw made itself because something failed; comes beside `observe`."""
        self._view[self._column + ROUTE_GATEWAY_ERRORS] += 1.0

    def __repr__(self) -> str:
        return f"<RouteCounters {read_route(self._view, self._column, 1)!s}>"


@dataclass(frozen=True, slots=True)
class RouteTotals:
    """A route's counters over all workers. ``buckets`` are counts per bucket, not cumulative."""

    by_class: tuple[int, int, int, int, int]
    unanswered: int
    gateway_errors: int
    seconds: float
    bytes_in: int
    bytes_out: int
    buckets: tuple[int, ...]

    @property
    def requests(self) -> int:
        """All finished requests."""
        return sum(self.by_class) + self.unanswered

    @property
    def errors(self) -> int:
        """Answers of class 5xx."""
        return self.by_class[4]

    def __str__(self) -> str:
        errors = f"5xx={self.errors} gateway_errors={self.gateway_errors}"
        return f"requests={self.requests} {errors} seconds={self.seconds:.3f}"


def read_route(view: memoryview[float], base: int, workers: int) -> RouteTotals:
    """Sum a route's columns."""
    cells = _summed(view, base, workers, ROUTE_CELLS)
    return RouteTotals(
        by_class=(int(cells[1]), int(cells[2]), int(cells[3]), int(cells[4]), int(cells[5])),
        unanswered=int(cells[0]),
        gateway_errors=int(cells[ROUTE_GATEWAY_ERRORS]),
        seconds=cells[ROUTE_SECONDS],
        bytes_in=int(cells[ROUTE_BYTES_IN]),
        bytes_out=int(cells[ROUTE_BYTES_OUT]),
        buckets=tuple(map(int, cells[ROUTE_BUCKETS : ROUTE_BUCKETS + len(BUCKET_SECONDS) + 1])),
    )


class EndpointCounters:
    """One worker's counters of one endpoint."""

    __slots__ = ("_column", "_connections", "_failures", "_requests", "_view")

    def __init__(self, view: memoryview[float], base: int, worker: int = 0) -> None:
        self._view = view
        self._column = base + worker * ENDPOINT_CELLS
        self._requests = self._column + ENDPOINT_REQUESTS
        self._failures = self._column + ENDPOINT_FAILURES
        self._connections = self._column + ENDPOINT_CONNECTIONS

    def start(self) -> None:
        """An attempt begins."""
        view = self._view
        view[self._column] += 1.0
        view[self._requests] += 1.0

    def finish(self, ok: bool) -> None:
        """An attempt ended; to be called exactly once for each `start`, in every way an attempt can end."""
        view = self._view
        view[self._column] -= 1.0
        if not ok:
            view[self._failures] += 1.0

    def connections(self, change: int) -> None:
        """A connection was opened (+1) or closed (-1)."""
        self._view[self._connections] += change

    def __repr__(self) -> str:
        return f"<EndpointCounters {read_endpoint(self._view, self._column, 1)!s}>"


@dataclass(frozen=True, slots=True)
class EndpointTotals:
    """An endpoint's counters over all workers; ``active`` and ``connections`` are of this moment."""

    active: int
    requests: int
    failures: int
    connections: int

    def __str__(self) -> str:
        return f"active={self.active} requests={self.requests} failures={self.failures} connections={self.connections}"


def read_endpoint(view: memoryview[float], base: int, workers: int) -> EndpointTotals:
    """Sum an endpoint's columns."""
    cells = _summed(view, base, workers, ENDPOINT_CELLS)
    return EndpointTotals(
        active=int(cells[ENDPOINT_ACTIVE]),
        requests=int(cells[ENDPOINT_REQUESTS]),
        failures=int(cells[ENDPOINT_FAILURES]),
        connections=int(cells[ENDPOINT_CONNECTIONS]),
    )


class RateLimitCounters:
    """One worker's counters of one rate limit."""

    __slots__ = ("_admitted", "_fallbacks", "_rejected", "_shadowed", "_view")

    def __init__(self, view: memoryview[float], base: int, worker: int = 0) -> None:
        self._view = view
        self._admitted = base + worker * RATE_LIMIT_COUNT_CELLS + RATE_LIMIT_ADMITTED
        self._rejected = base + worker * RATE_LIMIT_COUNT_CELLS + RATE_LIMIT_REJECTED
        self._shadowed = self._admitted + RATE_LIMIT_SHADOWED
        self._fallbacks = self._admitted + RATE_LIMIT_FALLBACKS

    def admitted(self) -> None:
        """Count a request that the limit let through."""
        self._view[self._admitted] += 1.0

    def rejected(self) -> None:
        """Count a request that the limit refused."""
        self._view[self._rejected] += 1.0

    def shadowed(self) -> None:
        """Count a request that the limit would have refused, were it not in shadow mode."""
        self._view[self._shadowed] += 1.0

    def fallback(self) -> None:
        """Count a request that was decided without the shared store; comes beside the decision."""
        self._view[self._fallbacks] += 1.0

    def charged(self, cost: int) -> None:
        """Count what an answer cost beyond what its request had taken."""
        self._view[self._admitted + RATE_LIMIT_CHARGED] += cost

    def unreadable(self) -> None:
        """Count a cost that was stated and is no whole number."""
        self._view[self._admitted + RATE_LIMIT_UNREADABLE] += 1.0

    def __repr__(self) -> str:
        return f"<RateLimitCounters {read_rate_limit(self._view, self._admitted, 1)!s}>"


@dataclass(frozen=True, slots=True)
class RateLimitTotals:
    """A rate limit's decisions over all workers."""

    admitted: int
    rejected: int
    shadowed: int = 0
    fallbacks: int = 0
    charged: int = 0
    unreadable: int = 0

    def __str__(self) -> str:
        return f"admitted={self.admitted} rejected={self.rejected}"


def read_rate_limit(view: memoryview[float], base: int, workers: int) -> RateLimitTotals:
    """Sum a rate limit's columns."""
    cells = _summed(view, base, workers, RATE_LIMIT_COUNT_CELLS)
    return RateLimitTotals(*(int(cells[kind]) for kind in range(RATE_LIMIT_UNREADABLE + 1)))


class LogCounters:
    """One worker's counters of the access log's lines."""

    __slots__ = ("_column", "_view")

    def __init__(self, view: memoryview[float], base: int, worker: int = 0) -> None:
        self._view = view
        self._column = base + worker * LOG_CELLS

    def count(self, written: int, dropped: int) -> None:
        """So many more lines were written, and so many dropped."""
        self._view[self._column + LOG_WRITTEN] += written
        self._view[self._column + LOG_DROPPED] += dropped

    def __repr__(self) -> str:
        return f"<LogCounters {read_log(self._view, self._column, 1)!s}>"


@dataclass(frozen=True, slots=True)
class LogTotals:
    """What became of the access log's lines, over all workers. Up to half a second old."""

    written: int
    dropped: int

    def __str__(self) -> str:
        return f"written={self.written} dropped={self.dropped}"


def read_log(view: memoryview[float], base: int, workers: int) -> LogTotals:
    """Sum the access log's columns."""
    cells = _summed(view, base, workers, LOG_CELLS)
    return LogTotals(int(cells[LOG_WRITTEN]), int(cells[LOG_DROPPED]))


def clear_gauges(view: memoryview[float], slots: Mapping[tuple[str, str], int], worker: int) -> None:
    """Forget the requests and connections that a crashed worker held. Only while no process runs as that worker."""
    for base in _bases(slots, "endpoint"):
        column = base + worker * ENDPOINT_CELLS
        view[column + ENDPOINT_ACTIVE] = 0.0
        view[column + ENDPOINT_CONNECTIONS] = 0.0
    for base in _bases(slots, "concurrency"):
        clear_in_use(view, base, worker)
    for base in _bases(slots, "http2"):
        clear_http2(view, base, worker)
    for base in _bases(slots, "websocket"):
        clear_open(view, base, worker)


def _bases(slots: Mapping[tuple[str, str], int], kind: str) -> Iterable[int]:
    return (base for (slot_kind, _), base in slots.items() if slot_kind == kind)


def _summed(view: memoryview[float], base: int, workers: int, size: int) -> list[float]:
    cells = row(view[base : base + workers * size])
    if workers == 1:
        return cells
    return list(map(sum, zip(*(cells[at : at + size] for at in range(0, workers * size, size)), strict=True)))
