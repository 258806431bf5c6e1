"""Rates of the last seconds and minutes, reckoned from counters that only grow.

Pure: the clock's time comes as an argument. Whoever counts requests knows nothing of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["LIVE_TIERS", "WINDOWS", "Counts", "LiveRate", "Series", "quantile", "rate_of"]

Counts = tuple[float, ...]
"""What has been counted of a subject until some moment."""

WINDOWS = (10.0, 60.0, 300.0)
"""The windows of live rates, in seconds."""

LIVE_TIERS = ((1.0, 10.0), (5.0, 60.0), (30.0, 300.0))
"""How closely live rates are kept: a sample every so many seconds, for so many seconds. A window's edge is so met to
within a tenth of it, with some 35 samples instead of 300."""

_JITTER = 0.9  # a sample that is due comes with the sampler's next look, which may be a little early


class Series:
    """Samples of one subject's counters, thinned as they grow older.

    Args:
        tiers: seconds between two samples, and for how many seconds they are kept; finest first.
        counts: what was counted at `now`; before, it had not changed since `born`, or there was nothing.
    """

    __slots__ = ("_tiers", "born", "changed", "latest", "samples")

    def __init__(self, tiers: Sequence[tuple[float, float]], now: float, counts: Counts, born: float) -> None:
        self._tiers = tiers
        self.born = born
        self.changed = now
        self.latest = counts
        self.samples: list[list[tuple[float, Counts]]] = [[(now, counts)] for _ in tiers]

    def add(self, now: float, counts: Counts) -> None:
        """What is counted at `now`. Counters that went back were begun anew, and so is this."""
        if counts is not self.latest:
            if any(new < old for new, old in zip(counts, self.latest, strict=True)):
                self.samples = [[(now, counts)] for _ in self._tiers]
                self.born = now
            self.latest, self.changed = counts, now
        for (step, kept), samples in zip(self._tiers, self.samples, strict=True):
            if now - samples[-1][0] >= step * _JITTER:
                samples.append((now, counts))
                # The newest that is older than is kept stays: it is where the longest window begins.
                while len(samples) > 2 and samples[1][0] <= now - kept:
                    del samples[0]

    def quiet(self, now: float) -> bool:
        """Nothing was counted in the longest window."""
        return now - self.changed > self._tiers[-1][1] + self._tiers[-1][0]

    def since(self, now: float, seconds: float) -> tuple[float, Counts]:
        """What was counted in the last `seconds`: over how many seconds that is, and by how much each counter grew.
        The time is less where the record is younger, and a little more where no sample stands at the window's edge."""
        edge = now - seconds
        samples = next(
            (samples for (_, kept), samples in zip(self._tiers, self.samples, strict=True) if kept >= seconds),
            self.samples[-1],
        )
        place = bisect_right(samples, edge, key=lambda sample: sample[0])
        at, counts = samples[max(0, place - 1)]
        begun = at if place else max(self.born, edge)
        grown = tuple(new - old for new, old in zip(self.latest, counts, strict=True))
        return max(now - begun, 1.0), grown


@dataclass(frozen=True, slots=True)
class LiveRate:
    """What a subject does in a window of `seconds`. ``latency`` has the seconds within which 50, 95 and 99 of 100
    requests ended; None where nothing was timed."""

    seconds: float
    per_second: float
    error_share: float
    latency: tuple[float, float, float] | None


def rate_of(series: Series, now: float, seconds: float, bounds: Sequence[float]) -> LiveRate | None:
    """The rate of a series whose counters are requests, errors, and a latency histogram of `bounds` and one more
    bucket. None without a request in the window."""
    over, grown = series.since(now, seconds)
    requests, errors, buckets = grown[0], grown[1], grown[2:]
    if requests <= 0:
        return None
    timed = sum(buckets) > 0
    latency = (quantile(bounds, buckets, 0.5), quantile(bounds, buckets, 0.95), quantile(bounds, buckets, 0.99))
    return LiveRate(seconds, requests / over, min(1.0, errors / requests), latency if timed else None)


def quantile(bounds: Sequence[float], buckets: Sequence[float], share: float) -> float:
    """Seconds within which `share` (0 to 1) ended, evenly spread within a bucket; the greatest bound where it is in the
    bucket beyond it, 0.0 without any."""
    wanted, below = sum(buckets) * share, 0.0
    for index, count in enumerate(buckets):
        if count and below + count >= wanted:
            upper = bounds[min(index, len(bounds) - 1)]
            lower = bounds[index - 1] if index else 0.0
            return lower + (upper - lower) * max(0.0, wanted - below) / count
        below += count
    return 0.0
