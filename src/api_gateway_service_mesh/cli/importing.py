"""``agw import``."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import AgwError, ConfigError
from .output import print_report
from .writing import write_new

__all__ = ["command"]

_SOURCES = ("envoy", "gateway-api", "ingress", "istio", "kong", "openapi")


@click.command("import")
@click.argument("source", type=click.Choice(_SOURCES), metavar="SOURCE")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="A new file to write to.")
@click.option("--base", metavar="IRI", help="What the IRIs begin with (default: https://example.org/imported#).")
@click.option(
    "--certificates",
    metavar="FOLDER",
    help="Where the certificates of Secrets will be, as NAME.crt and NAME.key; relative to the Turtle's folder.",
)
@click.option(
    "--descriptions",
    metavar="FOLDER",
    help="Have requests held against the descriptions, which will be there; relative to the Turtle's folder (openapi).",
)
@click.option("--strict", is_flag=True, help="Exit status 1 when something was not taken over, or works otherwise.")
def command(
    source: str,
    files: tuple[Path, ...],
    output: Path | None,
    base: str | None,
    certificates: str | None,
    descriptions: str | None,
    strict: bool,
) -> int:
    """Write what others configured as Turtle, to standard output or a new file.

    SOURCE is gateway-api (Gateway, HTTPRoute, ReferenceGrant), ingress (with annotations of ingress-nginx) or istio
    (VirtualService, DestinationRule, Gateway, ServiceEntry), and the Services beside them; kong (a declarative
    configuration of Kong 3); envoy (a static bootstrap); or openapi (a description of an API, of which each operation
    becomes a route): as YAML or JSON. What agw has no counterpart for is listed on standard error with its line and
    what to do; nothing is dropped in silence. What was written is checked as agw validate does; exit status 1 when agw
    refuses a value of it.
    """
    from ..importers import BASE, import_texts

    imported = import_texts(
        source,
        {str(path): _text(path) for path in files},
        base=base or BASE,
        certificates=certificates,
        descriptions=descriptions,
    )
    print_report(imported.report, verdict="look through them, they are not as they were")
    if strict and not imported.complete:
        return 1
    if output is None:
        click.echo(imported.turtle.rstrip("\n"))
    else:
        try:
            write_new(output, imported.turtle)
        except FileExistsError:
            raise AgwError(f"{output} is there already", remedy="name a new file, or move that one away") from None
        click.echo(str(output))
    return _checked(imported.turtle, output)


def _checked(turtle: str, output: Path | None) -> int:
    """Whether agw takes what was written: values that it refuses come out as they went in, and are named here."""
    from ..control.build import build
    from ..graph import SourceGraph

    name, folder = ("<imported>", Path.cwd()) if output is None else (str(output), output.absolute().parent)
    try:
        build(SourceGraph.parse(turtle, name, folder))
    except ConfigError as error:
        print_report(error.report)
        return 1
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise AgwError(f"{path} is not UTF-8", remedy="save it as UTF-8") from None
