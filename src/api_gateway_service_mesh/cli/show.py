"""``agw show``."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import ConfigError
from .options import build_files, files_argument, gateway_option
from .output import print_report

__all__ = ["command"]

STAGES = ("source", "inferred", "report", "rows", "model", "table")


@click.command("show")
@files_argument
@gateway_option
@click.option("--stage", type=click.Choice(STAGES), required=True, help="Which stage of the compiler to print.")
def command(files: tuple[Path, ...], gateway: str | None, stage: str) -> int:
    """Print one stage of the way from Turtle to table.

    source: the triples that were read. inferred: what the ontology and the rules add. report: what validation found.
    rows: what queries/project/*.rq projected. model: the typed model as JSON. table: the routes in matching order.
    """
    from ..control.build import render_stage
    from ..graph import SourceGraph

    if stage in ("source", "inferred", "report"):
        # These exist for a configuration that is refused, too: it is when one wants to see them.
        from ..control.build import inspect

        click.echo(render_stage(inspect(SourceGraph.load(list(files))), stage).rstrip("\n"))
        return 0
    try:
        built = build_files(files, gateway)
    except ConfigError as error:
        print_report(error.report)
        return 1
    click.echo(render_stage(built, stage).rstrip("\n"))
    return 0
