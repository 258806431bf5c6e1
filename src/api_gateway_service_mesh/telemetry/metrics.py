"""Metrics as text: the Prometheus exposition format 0.0.4 and OpenMetrics 1.0.

Two differences matter: OpenMetrics names a counter's family without ``_total`` and ends with ``# EOF``; and it escapes
quotes in HELP. Values are written so that integers stay integers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import accumulate

__all__ = [
    "OPENMETRICS_TYPE",
    "PROMETHEUS_TYPE",
    "Family",
    "Histogram",
    "Kind",
    "Pattern",
    "Sample",
    "cumulative",
    "number",
    "render_metrics",
]

PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Kind(StrEnum):
    """Metric types both formats know."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


_SUFFIX = {Kind.COUNTER: "_total", Kind.INFO: "_info"}
_PLACE = "\0"
"""Stands in a `Pattern` where the label's value comes."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One number. ``suffix`` is what the sample's name adds to the family's (``_bucket``, ``_sum``, ``_total`` …)."""

    value: float
    labels: Sequence[tuple[str, str]] = ()
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Histogram:
    """All samples of one histogram. ``counts`` are per bucket, with one more than ``bounds`` for what is slower."""

    bounds: tuple[float, ...]
    counts: Sequence[int]
    total: float
    labels: Sequence[tuple[str, str]] = ()

    def lines(self, name: str) -> Iterator[str]:
        """As text. A gateway with thousands of routes has more of these lines than of all others together."""
        labels = _labels(self.labels)
        start = f"{name}_bucket{labels[:-1]}," if labels else f"{name}_bucket{{"
        seen = 0
        for bound, count in zip(_bounds(self.bounds), self.counts, strict=True):
            seen += count
            yield f"{start}{bound} {seen}"
        yield f"{name}_sum{labels} {number(self.total)}"
        yield f"{name}_count{labels} {seen}"


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: ``name`` without ``_total``, one line of help, its type, its samples.

    ``lines`` are samples that are text already (`Pattern`): the same in both formats, without a newline at their end.
    """

    name: str
    help: str
    kind: Kind
    samples: Sequence[Sample | Histogram] = ()
    lines: Sequence[str] = ()


class Pattern:
    """The lines that a family has of each of many things. They differ in one label and in their numbers, so all else is
    put together once."""

    __slots__ = ("_text",)

    def __init__(self, name: str, kind: Kind, label: str, rows: Sequence[Sequence[tuple[str, str]]] = ((),)) -> None:
        """`label`: the name of the label that tells the things apart; `rows`: for each line its further labels."""
        start = f'{name}{_SUFFIX.get(kind, "")}{{{label}="{_PLACE}"'
        more = ("".join(f',{key}="{_escaped(value)}"' for key, value in row).replace("%", "%%") for row in rows)
        self._text = "\n".join(f"{start}{labels}}} %s" for labels in more)

    @classmethod
    def histogram(cls, name: str, label: str, bounds: tuple[float, ...]) -> Pattern:
        """Of a histogram with these bounds; the numbers are those of `cumulative`."""
        made = cls(name + "_bucket", Kind.GAUGE, label, [(("le", number(bound)),) for bound in (*bounds, math.inf)])
        made._text += "".join(f'\n{name}_{what}{{{label}="{_PLACE}"}} %s' for what in ("sum", "count"))
        return made

    def lines(self, value: str, numbers: tuple[float | str, ...]) -> str:
        """Those of the thing whose label has this value: one number a line, as `number` has it if it is no integer."""
        return (self._text % numbers).replace(_PLACE, _escaped(value))


def cumulative(counts: Sequence[int], total: float) -> tuple[float | str, ...]:
    """The numbers of a histogram: up to each bound, sum, count."""
    sums = tuple(accumulate(counts))
    return *sums, number(total), sums[-1]


@cache
def _bounds(bounds: tuple[float, ...]) -> tuple[str, ...]:
    """What ends the labels of each bucket."""
    return tuple(f'le="{number(bound)}"}}' for bound in (*bounds, math.inf))


def render_metrics(families: Iterable[Family], *, openmetrics: bool = False) -> str:
    """The text of a scrape."""
    lines: list[str] = []
    for family in families:
        suffix = _SUFFIX.get(family.kind, "")
        kind = str(family.kind)
        if openmetrics:
            name = family.name
        else:
            name, kind = family.name + suffix, "gauge" if family.kind is Kind.INFO else kind
        lines.append(f"# HELP {name} {_help(family.help, openmetrics)}")
        lines.append(f"# TYPE {name} {kind}")
        base = family.name + suffix
        for sample in family.samples:
            if isinstance(sample, Histogram):
                lines.extend(sample.lines(base))
            else:
                lines.append(f"{base}{sample.suffix}{_labels(sample.labels)} {number(sample.value)}")
        lines.extend(family.lines)
    if openmetrics:
        lines.append("# EOF")
    return "\n".join(lines) + "\n"


def _help(text: str, openmetrics: bool) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace('"', '\\"') if openmetrics else escaped


def _labels(labels: Sequence[tuple[str, str]]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    if "\\" in value or '"' in value or "\n" in value:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return value


def number(value: float) -> str:
    """As both formats have it; integers stay integers."""
    if value == math.inf:
        return "+Inf"
    if value != value:
        return "NaN"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value)
