"""``agw validate``."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import ConfigError
from .options import build_files, files_argument, format_option, gateway_option, policy_option
from .output import print_json, print_report

__all__ = ["command"]


@click.command("validate")
@files_argument
@gateway_option
@policy_option
@format_option("human", "json")
def command(files: tuple[Path, ...], gateway: str | None, policies: tuple[str, ...], form: str) -> int:
    """Check configurations: syntax, names, shapes, routes and the files they name.

    Exit status 1 and a report when something refuses it; warnings are shown and pass.
    """
    from ..graph.report import report_json

    try:
        built = build_files(files, gateway, policies)
    except ConfigError as error:
        if form == "json":
            print_json(report_json(error.report))
        else:
            print_report(error.report)
        return 1
    if form == "json":
        print_json(report_json(built.report))
        return 0
    print_report(built.report)
    mesh = built.mesh
    click.echo(
        f"ok: {_counted(len(mesh.routes), 'route')}, {_counted(len(mesh.upstreams), 'service')}, "
        f"{_counted(len(built.source.triples), 'triple')}, revision {built.source.digest[:12]}"
    )
    return 0


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
