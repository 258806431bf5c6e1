"""Policies: pure state machines that decide; the proxy's layers ask them and act.

Rules of this package:

- **No clock, no randomness, no waiting.** Time (seconds of one monotonic clock), random numbers and key hashes come in
  as arguments. The same arguments on the same cells give the same decision.
- **State lives in cells** (`policies.cells`), so it is exact over workers, outlives a worker's crash and a reload, and
  is read by observers without asking. A machine is a view on its cells: any number of processes may hold one.
- **The healthy path is cheap**: well under two microseconds, without a lock where a lock is not needed.
- **``repr`` is a status line** of the live state, so that debugging output is never stale.

Who decides what: `TokenBucket` and `KeyedTokenBucket` (may this request go now?), `CircuitBreaker` (is the upstream
worth asking?), `Splitter` (which upstream?), `CanaryMachine` (how much for the new version?), `EndpointBalancer` (which
endpoint?), `EndpointHealth` (is an endpoint well?), `OutlierDetector` (does it answer badly?), `RetryPolicy` (once
more, and when?). `RouteCounters`, `ShareCounters`, `EndpointCounters` and `RateLimitCounters` count what came of it.
"""

from .balancer import EndpointBalancer, balancer_key, make_balancer, prepare_hashes, subset_of
from .breaker import BreakerState, BreakerUnit, CircuitBreaker, breaker_key, breaker_units, read_breaker
from .budget import BudgetTotals, RetryBudget, budget_key, budgeted, budgeting, read_budget
from .bulkhead import Bulkhead, BulkheadTotals, Overflow, clear_bulkheads, read_bulkhead
from .canary import (
    CanaryDecision,
    CanaryMachine,
    CanaryOutcome,
    CanaryPhase,
    CanaryState,
    Observation,
    weight_cell,
)
from .cells import CellLayout, CellsExhausted, CellStore, cells_needed, layout_for, relayout
from .counters import (
    BUCKET_SECONDS,
    EndpointCounters,
    EndpointTotals,
    LogCounters,
    LogTotals,
    RateLimitCounters,
    RateLimitTotals,
    RouteCounters,
    RouteTotals,
    clear_gauges,
    read_endpoint,
    read_log,
    read_rate_limit,
    read_route,
)
from .event import EventCounters, read_events
from .fault import FAULT_ABORTED, FAULT_DELAYED, FAULT_RESET, FAULT_TRUNCATED, FaultPolicy
from .health import EndpointHealth, HealthState, read_ejection, read_ever_healthy, read_failing, read_health
from .hedge import HedgeCounters, HedgeTotals, may_hedge, read_hedge
from .key import key_hash
from .latency import PeakLatency
from .lock import NO_LOCK, Lock, NoLock, SharedLock
from .outlier import OutlierDetector, detector
from .rate_limit import KeyedTokenBucket, Limiter, TokenBucket, limiter
from .rate_limit_window import CalendarWindow, FixedWindow, SlidingWindow
from .retry import IDEMPOTENT_METHODS, Failure, RetryPolicy
from .roster import EPOCH_SLOT
from .share import SHARE_BOUNDS, ShareCounters, ShareTotals, read_share
from .split import CanarySplitter, Splitter
from .sticky import StickyTokens
from .tracing import SpanCounters, SpanTotals, read_spans

__all__ = [
    "BUCKET_SECONDS",
    "EPOCH_SLOT",
    "FAULT_ABORTED",
    "FAULT_DELAYED",
    "FAULT_RESET",
    "FAULT_TRUNCATED",
    "IDEMPOTENT_METHODS",
    "NO_LOCK",
    "SHARE_BOUNDS",
    "BreakerState",
    "BreakerUnit",
    "BudgetTotals",
    "Bulkhead",
    "BulkheadTotals",
    "CalendarWindow",
    "CanaryDecision",
    "CanaryMachine",
    "CanaryOutcome",
    "CanaryPhase",
    "CanarySplitter",
    "CanaryState",
    "CellLayout",
    "CellStore",
    "CellsExhausted",
    "CircuitBreaker",
    "EndpointBalancer",
    "EndpointCounters",
    "EndpointHealth",
    "EndpointTotals",
    "EventCounters",
    "Failure",
    "FaultPolicy",
    "FixedWindow",
    "HealthState",
    "HedgeCounters",
    "HedgeTotals",
    "KeyedTokenBucket",
    "Limiter",
    "Lock",
    "LogCounters",
    "LogTotals",
    "NoLock",
    "Observation",
    "OutlierDetector",
    "Overflow",
    "PeakLatency",
    "RateLimitCounters",
    "RateLimitTotals",
    "RetryBudget",
    "RetryPolicy",
    "RouteCounters",
    "RouteTotals",
    "ShareCounters",
    "ShareTotals",
    "SharedLock",
    "SlidingWindow",
    "SpanCounters",
    "SpanTotals",
    "Splitter",
    "StickyTokens",
    "TokenBucket",
    "balancer_key",
    "breaker_key",
    "breaker_units",
    "budget_key",
    "budgeted",
    "budgeting",
    "cells_needed",
    "clear_bulkheads",
    "clear_gauges",
    "detector",
    "key_hash",
    "layout_for",
    "limiter",
    "make_balancer",
    "may_hedge",
    "prepare_hashes",
    "read_breaker",
    "read_budget",
    "read_bulkhead",
    "read_ejection",
    "read_endpoint",
    "read_events",
    "read_ever_healthy",
    "read_failing",
    "read_health",
    "read_hedge",
    "read_log",
    "read_rate_limit",
    "read_route",
    "read_share",
    "read_spans",
    "relayout",
    "subset_of",
    "weight_cell",
]
