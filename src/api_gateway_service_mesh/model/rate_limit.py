"""How many requests are admitted (``agw:RateLimiter``), and where replicas count together (``agw:RedisStore``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .key import KeyKind, RequestKey

__all__ = ["CalendarUnit", "FailureMode", "LimitAlgorithm", "RateLimit", "RedisStore"]


class LimitAlgorithm(StrEnum):
    """``agw:limitAlgorithm``."""

    TOKEN_BUCKET = "TOKEN_BUCKET"  # noqa: S105 - no password
    SLIDING_WINDOW = "SLIDING_WINDOW"
    FIXED_WINDOW = "FIXED_WINDOW"


class CalendarUnit(StrEnum):
    """``agw:quotaCalendar``: what of the calendar a quota is for. Weeks begin on Monday (ISO 8601)."""

    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


class FailureMode(StrEnum):
    """``agw:failureMode``: what a limit that replicas share does while its store is away."""

    LOCAL = "LOCAL"
    OPEN = "OPEN"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class RedisStore:
    """A Redis server. ``password_ref`` is a reference (``env:NAME`` or ``file:PATH``), never the password itself."""

    iri: str
    host: str
    port: int = 6379
    database: int = 0
    user_name: str | None = None
    password_ref: str | None = None
    tls: bool = False
    trust_bundle_file: str | None = None
    timeout_seconds: float = 0.1


@dataclass(frozen=True, slots=True)
class RateLimit:
    """``burst`` tokens for each ``period_seconds``, spent one a request (or what the route says it costs).

    With the token bucket ``requests_per_second`` drip in and ``burst`` are kept; the windows admit ``burst`` in each
    ``period_seconds``, and ``requests_per_second`` is what that comes to. ``keys`` empty: one bucket for all callers;
    several: one for each combination. ``shadow``: counted and logged, never refused. ``fields``: admitted requests are
    told as well what is left. ``store`` None: counted by this gateway alone.

    ``calendar``: its window is the hour, day, week or month that the clock on the wall shows in ``zone`` (IANA), and
    ``period_seconds`` is how long such a one is as a rule. ``cost_field`` and ``answer_cost_field`` (in lower case)
    say what a request costs, before it is admitted and after it was answered; ``maximum_cost`` is the most that is
    believed, None the ``burst``.
    """

    iri: str
    requests_per_second: float
    burst: int
    keys: tuple[RequestKey, ...] = ()
    algorithm: LimitAlgorithm = LimitAlgorithm.TOKEN_BUCKET
    period_seconds: float = 1.0
    name: str = "default"
    quota: bool = False
    key_capacity: int = 8192
    ipv6_prefix_length: int = 64
    shadow: bool = False
    fields: bool = False
    store: RedisStore | None = None
    failure_mode: FailureMode = FailureMode.LOCAL
    calendar: CalendarUnit | None = None
    zone: str = "UTC"
    cost_field: str | None = None
    answer_cost_field: str | None = None
    maximum_cost: int | None = None

    @property
    def highest_cost(self) -> int:
        """The most that one request can cost."""
        return self.burst if self.maximum_cost is None else self.maximum_cost

    @property
    def debt(self) -> int:
        """How many tokens a caller can owe: what answers cost is known when nothing can be refused any more."""
        return self.highest_cost if self.answer_cost_field is not None else 0

    @property
    def windowed(self) -> bool:
        """Whether it counts in windows."""
        return self.algorithm is not LimitAlgorithm.TOKEN_BUCKET

    @property
    def by_address(self) -> bool:
        """Whether it needs to know no more than where a request comes from; it is then asked before authentication."""
        kinds = {key.kind for key in self.keys}
        return KeyKind.CLIENT_ADDRESS in kinds and kinds <= {KeyKind.CLIENT_ADDRESS, KeyKind.ROUTE}
