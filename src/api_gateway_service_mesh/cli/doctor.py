"""``agw doctor``."""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from pathlib import Path

import click

from .live import ask
from .options import build_files, format_option, gateway_option
from .output import print_json, print_report

__all__ = ["command"]


@click.command("doctor")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE...]")
@click.option("--live", metavar="ADMIN_URL", help="Examine a running gateway: its live state, and its endpoints.")
@click.option("--connect/--no-connect", default=None, help="Try connections to the endpoints. Default: with --live.")
@click.option("--name", "names", multiple=True, metavar="DIAGNOSIS", help="Ask only this one; several allowed.")
@click.option(
    "--diagnoses", "folders", multiple=True, metavar="DIR", help="With files: a folder of further diagnoses (.rq).",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
)  # fmt: skip
@click.option("--list", "listing", is_flag=True, help="List the diagnoses.")
@gateway_option
@format_option("human", "json")
def command(
    files: tuple[Path, ...],
    live: str | None,
    connect: bool | None,
    names: tuple[str, ...],
    folders: tuple[Path, ...],
    listing: bool,
    gateway: str | None,
    form: str,
) -> int:
    """Find what ails a gateway: breakers that stay open, handshakes that fail, limiters that are too tight, routes that
    are dead, endpoints that are never healthy, clocks that differ, certificates that end.

    Each finding has its evidence and the remedy; an edit comes as Turtle that agw apply takes. Exit status 1 when there
    is an error or a warning among them.
    """
    from ..control.diagnosis import diagnoses
    from ..control.doctor import diagnosed_files, render_findings

    known = diagnoses(folders)
    if listing:
        from .output import print_table

        print_table(["NAME", "SEVERITY", "QUESTION"], [[one.name, one.severity, one.question] for one in known])
        return 0
    if bool(files) == bool(live):
        raise click.UsageError("say either files or --live ADMIN_URL")
    unknown = sorted(set(names) - {one.name for one in known})
    if unknown:
        raise click.UsageError(f"there is no diagnosis {unknown[0]}; --list shows them")
    if live is not None:
        if folders:
            raise click.UsageError("--diagnoses goes with files; a running gateway asks those it was installed with")
        wanted = [("connect", "true" if connect in (None, True) else "false"), *(("name", name) for name in names)]
        answer = ask(live, f"/doctor?{urllib.parse.urlencode(wanted)}", accept="application/json", seconds=60)
        found = json.loads(answer.body)
    else:
        built = build_files(files, gateway)
        print_report(built.report)
        chosen = [one for one in known if not names or one.name in names]
        found = asyncio.run(diagnosed_files(built, chosen, connect=bool(connect)))
    if form == "json":
        print_json(found)
    else:
        click.echo(render_findings(found), nl=False)
    ill = found["failed"] or any(each["severity"] != "info" for each in found["findings"])
    return 1 if ill else 0
