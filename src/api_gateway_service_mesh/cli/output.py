"""What every command prints alike: reports, errors, tables, and whether to colour them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import IO, Any

import click

from ..errors import AgwError, ConfigError, Report

__all__ = ["coloured", "print_error", "print_json", "print_report", "print_table", "step"]


def coloured(stream: IO[str]) -> bool:
    """Colour on a terminal; never in a pipe, and never against ``NO_COLOR`` (no-color.org)."""
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def print_json(value: Any) -> None:
    """`value` as indented JSON with sorted keys on standard output."""
    click.echo(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False))


def print_report(report: Report, *, to: IO[str] | None = None) -> None:
    """A report as people read it, on standard error unless told otherwise."""
    from ..graph.report import render_report

    stream = to or sys.stderr
    text = render_report(report, colour=coloured(stream))
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


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns aligned for people; the last one is never padded."""
    cells = [tuple(header), *[tuple(row) for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for number, row in enumerate(cells):
        line = "  ".join(
            cell if i == len(row) - 1 else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        if number == 0 and coloured(sys.stdout):
            line = click.style(line, bold=True)
        click.echo(line.rstrip())


def step(message: str) -> None:
    """Progress of long work: shown on a terminal, silent in a pipe."""
    if sys.stderr.isatty():
        click.echo(click.style(message, dim=True) if coloured(sys.stderr) else message, err=True)
