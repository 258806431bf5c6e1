"""What JSON access logs say of each route, read line by line: memory grows with a number a request, not with lines."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

__all__ = ["AccessSummary", "RouteSummary", "summarized"]


@dataclass(slots=True)
class RouteSummary:
    """``requests`` and those of them answered with 500 and above or not at all; how long each took, in seconds."""

    requests: int = 0
    errors: int = 0
    durations: array[float] = field(default_factory=lambda: array("d"))

    def quantile(self, share: float) -> float:
        """Seconds within which `share` (0 to 1) of the requests ended; 0.0 where no line told."""
        ordered = sorted(self.durations)
        return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0.0


_OPTIONAL = frozenset(("duration_ms", "refused_by"))


@dataclass(slots=True)
class AccessSummary:
    """By route IRI; by policy IRI how many it refused; the times of the first and the last line, where lines tell; how
    many lines are none of a JSON access log with routes; which of the fields that may be left out some line has."""

    routes: dict[str, RouteSummary] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None
    skipped: int = 0
    tells: set[str] = field(default_factory=set)

    @property
    def seconds(self) -> float:
        """From the first line to the last; at least one."""
        return 1.0 if self.first is None or self.last is None else max(1.0, (self.last - self.first).total_seconds())


def summarized(lines: Iterable[bytes]) -> AccessSummary:
    """All of `lines` together. Requests that no route took count for none."""
    found = AccessSummary()
    for line in lines:
        try:
            said = json.loads(line)
            iri, status = said["route"], int(said["status"])
        except (ValueError, KeyError, TypeError):
            found.skipped += bool(line.strip())
            continue
        found.tells.update(said.keys() & _OPTIONAL)
        if isinstance(said.get("refused_by"), str):
            found.refused[said["refused_by"]] += 1
        _note_time(found, said.get("time"))
        if not isinstance(iri, str):
            continue
        route = found.routes.setdefault(iri, RouteSummary())
        route.requests += 1
        route.errors += status >= 500 or not status
        taken = said.get("duration_ms")
        if isinstance(taken, int | float):
            route.durations.append(taken / 1000.0)
    return found


def _note_time(found: AccessSummary, said: object) -> None:
    try:
        at = datetime.fromisoformat(str(said))
    except ValueError:
        return
    if at.tzinfo is not None:
        found.first = at if found.first is None else min(found.first, at)
        found.last = at if found.last is None else max(found.last, at)
