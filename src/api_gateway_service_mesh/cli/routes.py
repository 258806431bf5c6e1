"""``agw routes``."""

from __future__ import annotations

from pathlib import Path

import click

from .options import build_files, files_argument, format_option, gateway_option
from .output import print_json, print_report

__all__ = ["command"]


@click.command("routes")
@files_argument
@gateway_option
@format_option("human", "json")
def command(files: tuple[Path, ...], gateway: str | None, form: str) -> int:
    """List the routes in the order in which they are tried, with what each one carries."""
    from ..routing import render_table

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
    click.echo(render_table(built.table).rstrip("\n"))
    return 0
