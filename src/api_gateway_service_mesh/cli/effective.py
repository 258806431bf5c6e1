"""``agw effective``."""

from __future__ import annotations

import urllib.parse
from pathlib import Path

import click

from .live import ask
from .options import build_files, format_option, gateway_option
from .output import print_json, print_report

__all__ = ["command"]


@click.command("effective")
@click.argument("arguments", nargs=-1, required=True, metavar="[FILE...] ROUTE")
@click.option("--live", metavar="ADMIN_URL", help="Ask a running gateway instead of files.")
@gateway_option
@format_option("human", "json")
def command(arguments: tuple[str, ...], live: str | None, gateway: str | None, form: str) -> int:
    """List every policy that acts on a route: what counts, which place states it (the route itself, a class, a virtual
    service, the gateway), with file and line, and what that overrides.

    ROUTE is an IRI, a prefixed name or the last part of one.
    """
    *names, route = arguments
    if live:
        if names:
            raise click.UsageError("files and --live exclude each other")
        accept = "application/json" if form == "json" else "text/plain"
        found = ask(live, f"/effective?{urllib.parse.urlencode({'route': route})}", accept=accept)
        click.echo(found.body.decode().rstrip("\n"))
        return 0
    if not names:
        raise click.UsageError("say ROUTE, after the files")

    from ..control.effective import effective, render_effective, route_named

    built = build_files(tuple(Path(name) for name in names), gateway)
    print_report(built.report)
    listed = effective(built, route_named(built, route))
    if form == "json":
        print_json(listed)
    else:
        click.echo(render_effective(listed, built).rstrip("\n"))
    return 0
