"""Figures, goals, and whether a goal is met."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

__all__ = ["Bound", "CaseResult", "Goal", "Sample", "Series", "Verdict", "judge"]

BUSY = 0.9
"""A program that had its core for less than this share of the time it could have had was not what held things up."""

Sample = dict[str, float]
"""One run: figure → value. Names end in their unit; ``rate``, ``mib_s`` are better when larger, all else when smaller."""

_PER_CPU = {"rate": "cpu_us", "mib_s": "cpu_us"}


@dataclass
class Series:
    """The runs of one program in one variant of a case."""

    variant: str
    program: str
    samples: list[Sample] = field(default_factory=list)
    failed: str | None = None
    """Why there are no (further) samples."""

    def median(self, figure: str) -> float | None:
        """The median over the runs; None without any."""
        values = [sample[figure] for sample in self.samples if figure in sample]
        return statistics.median(values) if values else None

    @property
    def figures(self) -> list[str]:
        """Names of the figures, in order."""
        return list(dict.fromkeys(name for sample in self.samples for name in sample))


@dataclass(frozen=True, slots=True)
class Bound:
    """One figure of one series."""

    variant: str
    program: str
    figure: str


@dataclass(frozen=True, slots=True)
class Goal:
    """``of`` divided by ``against`` (or alone, without) must be at least, or at most, ``bound``."""

    text: str
    of: Bound
    bound: float
    against: Bound | None = None
    at_most: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a goal; ``met`` is None where it could not be measured."""

    goal: Goal
    value: float | None
    met: bool | None
    by: str
    """What was compared."""
    plain: float | None = None
    """The ratio of the rates, where not they but processor times were compared."""

    @property
    def word(self) -> str:
        """In a word. Met by processor time alone is told apart: the rates themselves do not show it."""
        if self.met is None:
            return "not measured"
        if self.met and self.plain is not None and self.plain < self.goal.bound:
            return "by CPU only"
        return "met" if self.met else "NOT MET"


@dataclass
class CaseResult:
    """All that a case found."""

    name: str
    about: str
    carries: str = "requests"
    """What a rate counts."""
    paced: bool = False
    """Everybody is given the same to do: a rate shows who falls behind, not who is faster."""
    series: list[Series] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    details: dict[str, list[str]] = field(default_factory=dict)
    """What is too long for a report, by program."""

    def one(self, variant: str, program: str) -> Series | None:
        """The series of that variant and program."""
        return next((s for s in self.series if (s.variant, s.program) == (variant, program)), None)

    @property
    def verdicts(self) -> list[Verdict]:
        """Each goal, judged."""
        return [judge(self, goal) for goal in self.goals]


def _held_up(series: Series) -> bool:
    busy = series.median("busy")
    return busy is not None and busy < BUSY


def judge(result: CaseResult, goal: Goal) -> Verdict:
    """Whether the goal is met, by medians.

    A rate says nothing about a program whose core was idle for part of the run because load and backend had no more to
    give. Where that is so of either side, requests per second of processor time are compared instead, and both are told.
    """
    of = result.one(goal.of.variant, goal.of.program)
    against = result.one(goal.against.variant, goal.against.program) if goal.against else None
    if of is None or (goal.against and against is None):
        return Verdict(goal, None, None, "not measured")
    figure, by = goal.of.figure, goal.of.figure
    other = goal.against.figure if goal.against else figure
    invert, plain = False, None
    if against is not None and figure in _PER_CPU and (_held_up(of) or _held_up(against)):
        rates = of.median(figure), against.median(other)
        plain = rates[0] / rates[1] if rates[0] is not None and rates[1] else None
        figure = other = _PER_CPU[figure]
        invert, by = True, "processor time (the load was the limit)"
    value = of.median(figure)
    if against is not None:
        base = against.median(other)
        value = None if value is None or not base else (base / value if invert and value else value / base)
    if value is None:
        return Verdict(goal, None, None, "not measured")
    met = value <= goal.bound if goal.at_most else value >= goal.bound
    return Verdict(goal, value, met, by, plain)
