"""``agw routes``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .options import build_files, files_argument, format_option, gateway_option
from .output import print_json, print_report, print_table, terminal_width

__all__ = ["command"]


@click.command("routes")
@files_argument
@gateway_option
@format_option("human", "json")
def command(files: tuple[Path, ...], gateway: str | None, form: str) -> int:
    """List the routes in the order in which they are tried, with what each one carries."""
    from ..routing import render_table, table_rows

    built = build_files(files, gateway)
    if form == "json":
        print_json(
            [
                {
                    "iri": entry.route.iri,
                    "methods": entry.route.match.methods,
                    "hosts": entry.route.match.hosts,
                    "path": entry.route.match.path.text,
                    "pathKind": str(entry.route.match.path.kind),
                    "upstream": entry.route.upstream,
                    "splits": [{"upstream": split.upstream, "weight": split.weight} for split in entry.route.splits],
                }
                for entry in built.table.entries
            ]
        )
        return 0
    print_report(built.report)
    text = render_table(built.table).rstrip("\n")
    if sys.stdout.isatty() and max(map(len, text.splitlines())) > terminal_width():
        _print_narrow(table_rows(built.table))
    else:
        click.echo(text)
    return 0


def _print_narrow(rows: list[tuple[str, ...]]) -> None:
    """For a terminal that the table does not fit: without the columns that say nothing, long cells over lines."""
    header, *lines = rows
    telling = [i for i, name in enumerate(header) if name == "#" or any(line[i] not in "*-" for line in lines)]
    print_table(
        [header[i] for i in telling],
        [[line[i] for i in telling] for line in lines],
        width=terminal_width(),
        wrapped=("PREDICATES", "TARGET", "POLICIES"),
    )
