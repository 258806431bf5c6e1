"""``agw impact``."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlencode

import click

from .apply import read_file
from .live import ask
from .options import format_option, gateway_option
from .output import print_json

__all__ = ["command"]

_SECONDS = 300


@click.command("impact")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE...]")
@click.option("--change", "changes", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="Files as agw apply takes them; what they describe becomes what they say.")  # fmt: skip
@click.option("--iri", help="A thing of the configuration (ex:limit): what hangs on it.")
@click.option("--live", metavar="ADMIN_URL", help="Start from what a running gateway serves, and its traffic.")
@gateway_option
@format_option("human", "json")
def command(
    files: tuple[Path, ...],
    changes: tuple[Path, ...],
    iri: str | None,
    live: str | None,
    gateway: str | None,
    form: str,
) -> int:
    """Say what a change would touch: routes, services, hosts, manifests and (with --live) the share of the traffic.

    Nothing is changed. A change that would be refused is refused here too, with its report.
    """
    if bool(changes) == bool(iri):
        raise click.UsageError("say --change FILE or --iri IRI")
    if bool(files) == bool(live):
        raise click.UsageError("say either files or --live ADMIN_URL")
    if live is not None:
        told = _asked(live, iri, changes, form)
        if form == "json":
            print_json(json.loads(told))
        else:
            click.echo(told, nl=False)
        return 0
    from ..control.apply import applied_to, parse_graph
    from ..control.build import build
    from ..control.impact import impact, impact_json, impact_of, render_impact, thing_named
    from ..graph import SourceGraph

    source = SourceGraph.load(list(files))
    old = build(source, gateway)
    if iri is not None:
        found = impact_of(old, thing_named(old, iri))
    else:
        body, _, _ = applied_to(source, SourceGraph.load(list(changes)), replace=False)
        new = build(parse_graph(body.decode()), gateway, previous=old)
        found = impact(old.mesh, new.mesh)
    if form == "json":
        print_json(impact_json(found))
    else:
        click.echo(render_impact(found), nl=False)
    return 0


def _asked(live: str, iri: str | None, changes: tuple[Path, ...], form: str) -> str:
    accept = "application/json" if form == "json" else "text/plain"
    if iri is not None:
        path = "/impact?" + urlencode({"iri": iri, "manifests": "true"})
        return ask(live, path, accept=accept, seconds=_SECONDS).body.decode()
    updates = [file for file in changes if file.suffix == ".ru"]
    if updates and len(changes) > 1:
        raise click.UsageError("a .ru file is asked about by itself")
    if updates:
        body, content_type = read_file(updates[0]), "application/sparql-update"
    else:
        from ..control.delta import ntriples
        from ..graph import SourceGraph

        body, content_type = ntriples(SourceGraph.load(list(changes)).triples), "application/n-triples"
    path = "/impact?manifests=true"
    return ask(live, path, accept=accept, body=body, content_type=content_type, seconds=_SECONDS).body.decode()
