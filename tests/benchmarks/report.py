"""What was found, as Markdown and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .figures import CaseResult, Goal, Series, Verdict

__all__ = ["as_json", "heading", "section", "summary"]

_TITLES = {
    "mib_s": "MiB/s",
    "cpu_us": "CPU µs each",
    "p50_us": "p50 µs",
    "p99_us": "p99 µs",
    "kernel": "in the kernel",
    "busy": "core busy",
    "p999_us": "p99.9 µs",
    "added_p50_us": "p50 added µs",
    "added_p99_us": "p99 added µs",
    "first_ms": "first ms",
    "added_first_ms": "first added ms",
    "grown_mib": "grown MiB",
    "kib_each": "KiB each",
    "mib_before": "MiB before",
}
_RATES = ("rate", "mib_s", "messages_s")


def _rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table with aligned columns, so that it reads well unrendered too."""
    cells = [list(header), *map(list, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = [
        "| "
        + " | ".join(c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (w + 1) + ("-" if i < 2 else ":") for i, w in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def heading(about: dict[str, str], absent: Sequence[str]) -> str:
    """What ran where."""
    lines = [f"- {name}: {told}" for name, told in about.items()]
    if absent:
        lines.append(f"- not here, so not compared: {', '.join(absent)}")
    return "\n".join(lines)


def _number(value: float | None, figure: str = "") -> str:
    if value is None:
        return ""
    if figure in ("busy", "kernel"):
        return f"{value:.0%}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _title(figure: str, result: CaseResult) -> str:
    return f"{result.carries}/s" if figure == "rate" else _TITLES.get(figure, figure.replace("_", " "))


def section(result: CaseResult) -> str:
    """One case: medians, ratios, goals, notes."""
    text = [f"\n### {result.name}: {result.about}\n"]
    figures = list(dict.fromkeys(name for series in result.series for name in series.figures))
    main = next((name for name in figures if name in _RATES), None)
    ratios = ["× Envoy", "× nginx", "× Envoy, CPU"] if main else []
    rows = []
    for series in result.series:
        row = [series.variant, series.program]
        row += [_number(series.median(figure), figure) for figure in figures]
        if main:
            row += [_ratio(result, series, "envoy", main), _ratio(result, series, "nginx", main)]
            row += [_ratio(result, series, "envoy", "cpu_us", invert=True)]
        rows.append(row)
    titles = [_title(figure, result) for figure in figures]
    text.append(_rows(["variant", "program", *titles, *ratios], rows))
    text += ["", *(_verdict(one) for one in result.verdicts)]
    text += [
        f"- {series.program}, {series.variant}: FAILED: {series.failed}" for series in result.series if series.failed
    ]
    text += [f"- {note}" for note in result.notes]
    return "\n".join(text)


def _ratio(result: CaseResult, series: Series, program: str, figure: str, *, invert: bool = False) -> str:
    other = result.one(series.variant, program)
    mine, theirs = series.median(figure), other.median(figure) if other else None
    if not mine or not theirs or series.program in (program, "(no gateway)"):
        return ""
    return f"{theirs / mine if invert else mine / theirs:.2f}"


def _verdict(verdict: Verdict) -> str:
    found = f": {_number(verdict.value)} by {_by(verdict)}" if verdict.value is not None else ""
    return f"- {verdict.word}: {verdict.goal.text}{found}"


def _by(verdict: Verdict) -> str:
    by = _TITLES.get(verdict.by, verdict.by)
    return by if verdict.plain is None else f"{by}; {_number(verdict.plain)} by rate"


def _reason(result: CaseResult, verdict: Verdict) -> str:
    """Why a goal is not met, as far as it was measured: what a request costs, where, and what it may cost."""
    goal = verdict.goal
    mine = result.one(goal.of.variant, goal.of.program)
    theirs = result.one(goal.against.variant, goal.against.program) if goal.against else None
    failed = [f"{one.program}: {one.failed}" for one in (mine, theirs) if one is not None and one.failed]
    cost = mine.median("cpu_us") if mine else None
    other = theirs.median("cpu_us") if theirs else None
    if failed or verdict.met or mine is None:
        return "; ".join(failed)
    if cost is None or other is None or goal.of.figure not in _RATES:
        return _beside(mine, theirs, goal)
    words = [f"{cost:.1f} µs each"]
    kernel, busy = mine.median("kernel"), mine.median("busy")
    if kernel is not None:
        words.append(f"{kernel:.0%} of them in the kernel")
    theirs_kernel = theirs.median("kernel") if theirs else None
    words.append(f"theirs {other:.1f} µs" + (f" ({theirs_kernel:.0%})" if theirs_kernel is not None else ""))
    if not goal.at_most:
        words.append(f"{other / goal.bound:.1f} µs would meet it")
    if busy is not None:
        words.append(f"core busy {busy:.0%}")
    return ", ".join(words)


def _beside(mine: Series, theirs: Series | None, goal: Goal) -> str:
    """The figures themselves, where a goal is not about a rate."""
    found, figure = mine.median(goal.of.figure), goal.of.figure
    words = [f"{_TITLES.get(figure, figure)} {_number(found)}"]
    if theirs is not None and goal.against is not None:
        words.append(f"theirs {_number(theirs.median(goal.against.figure))}")
    spread = [sample[figure] for sample in mine.samples if figure in sample]
    if len(spread) > 1:
        words.append(f"{_number(min(spread))} to {_number(max(spread))} over the rounds")
    return ", ".join(words)


def summary(results: Sequence[CaseResult]) -> str:
    """All goals in one table, with the reason where one is not met."""
    rows = [
        [result.name, one.goal.text, _number(one.value), one.word, _by(one), _reason(result, one)]
        for result in results
        for one in result.verdicts
    ]
    return "\n### Goals\n\n" + _rows(["case", "goal", "found", "", "judged by", "where it goes"], rows) if rows else ""


def as_json(result: CaseResult) -> dict[str, Any]:
    """A case with all its samples."""
    return {
        "case": result.name,
        "about": result.about,
        "series": [
            {
                "variant": series.variant,
                "program": series.program,
                "medians": {figure: series.median(figure) for figure in series.figures},
                "samples": series.samples,
                "failed": series.failed,
            }
            for series in result.series
        ],
        "goals": [
            {
                "goal": one.goal.text,
                "bound": one.goal.bound,
                "found": one.value,
                "met": one.met,
                "by": one.by,
                "rate": one.plain,
            }
            for one in result.verdicts
        ],
        "notes": result.notes,
        "details": result.details,
    }
