"""What every command prints alike: reports, errors, tables, and whether to colour them."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import IO, Any

import click

from ..errors import AgwError, ConfigError, Report

__all__ = ["coloured", "print_error", "print_json", "print_report", "print_table", "step", "terminal_width"]


def coloured(stream: IO[str]) -> bool:
    """Colour on a terminal; never in a pipe, and never against ``NO_COLOR`` (no-color.org)."""
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def print_json(value: Any) -> None:
    """`value` as indented JSON with sorted keys on standard output."""
    click.echo(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False))


def print_report(report: Report, *, to: IO[str] | None = None, verdict: str | None = None) -> None:
    """A report as people read it, on standard error unless told otherwise. With a `verdict`, which its last line ends
    in, all of it is shown."""
    from ..graph.report import render_report

    stream = to or sys.stderr
    width = terminal_width() if stream.isatty() else None
    options: dict[str, Any] = {} if verdict is None else {"verdict": verdict, "most": len(report.findings)}
    text = render_report(report, colour=coloured(stream), width=width, **options)
    if text:
        click.echo(text.rstrip("\n"), file=stream)


def print_error(error: AgwError) -> None:
    """An error that ends the command: its whole report, or one sentence and its remedy."""
    if isinstance(error, ConfigError):
        print_report(error.report)
        return
    colour = coloured(sys.stderr)
    label = click.style("error", fg="red", bold=True) if colour else "error"
    click.echo(f"{label}: {error.message}", err=True)
    if error.remedy:
        click.echo(f"  = remedy: {error.remedy}", err=True)


def terminal_width() -> int:
    """Columns of the terminal; 80 where there is none."""
    return shutil.get_terminal_size((80, 24)).columns


def print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    indent: str = "",
    width: int = 0,
    wrapped: Sequence[str] = (),
) -> None:
    """Columns aligned for people. With a `width`, the cells of the columns named in `wrapped` run over several lines
    where the table would be wider."""
    cells = [tuple(header), *[tuple(row) for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    if width:
        _narrow(cells, widths, [header.index(name) for name in wrapped if name in header], width - len(indent))
    for number, row in enumerate(cells):
        parts = [
            textwrap.wrap(cell, room, break_long_words=False, break_on_hyphens=False) or [""]
            if len(cell) > room
            else [cell]
            for cell, room in zip(row, widths, strict=True)
        ]
        for at in range(max(map(len, parts))):
            found = [part[at] if at < len(part) else "" for part in parts]
            line = indent + "  ".join(cell.ljust(room) for cell, room in zip(found, widths, strict=True)).rstrip()
            click.echo(click.style(line, bold=True) if number == 0 and coloured(sys.stdout) else line)


def _narrow(cells: Sequence[Sequence[str]], widths: list[int], columns: Sequence[int], width: int) -> None:
    """Take room from the widest of `columns`, never below its longest word, until the table fits or none has any."""
    least = {i: max(len(word) for row in cells for word in row[i].split() or [""]) for i in columns}
    while sum(widths) + 2 * (len(widths) - 1) > width:
        loose = [i for i in columns if widths[i] > least[i]]
        if not loose:
            return
        widths[max(loose, key=lambda i: widths[i])] -= 1


def step(message: str) -> None:
    """Progress of long work: shown on a terminal, silent in a pipe."""
    if sys.stderr.isatty():
        click.echo(click.style(message, dim=True) if coloured(sys.stderr) else message, err=True)
