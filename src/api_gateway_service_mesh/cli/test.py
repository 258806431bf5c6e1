"""``agw test``."""

from __future__ import annotations

import time
from pathlib import Path

import click

from ..errors import ConfigError
from .options import build_files, files_argument, format_option, gateway_option, policy_option
from .output import print_json, print_report

__all__ = ["command"]


@click.command("test")
@files_argument
@gateway_option
@policy_option
@click.option("--only", metavar="NAME", multiple=True, help="Only this expectation (IRI, or the name as it is shown).")
@format_option("human", "json", "junit")
def command(
    files: tuple[Path, ...], gateway: str | None, policies: tuple[str, ...], only: tuple[str, ...], form: str
) -> int:
    """Hold a configuration against the expectations that stand in it (agw:Expectation): which route takes a request,
    what is answered, where it is sent, which policies act.

    They may stand beside the routes or in files of their own: name all files. Exit status 1 when one fails, with what
    happens instead and why; also when there is none.
    """
    from ..control.expectations import held, junit, render_held, shown_held

    started = time.perf_counter()
    try:
        built = build_files(files, gateway, policies)
    except ConfigError as error:
        print_report(error.report)
        return 1
    print_report(built.report)
    results = [one for one in held(built) if not only or {one.name, one.expectation.iri} & set(only)]
    if form == "json":
        print_json(shown_held(results))
    elif form == "junit":
        click.echo(junit(results, time.perf_counter() - started), nl=False)
    else:
        click.echo(render_held(results), nl=False)
    if not results:
        click.echo("nothing is expected: add an agw:Expectation, or correct --only", err=True)
    return 0 if results and all(one.passed for one in results) else 1
