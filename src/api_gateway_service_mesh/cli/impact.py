"""``agw impact``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .live import ask
from .options import format_option, gateway_option
from .output import print_json

__all__ = ["command"]


@click.command("impact")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE...]")
@click.option("--change", "changes", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="Files as agw apply takes them: what they describe becomes what they say.")  # fmt: skip
@click.option("--iri", help="A thing of the configuration: what hangs on it.")
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
    from ..control.apply import applied_to, parse_graph
    from ..control.build import build
    from ..control.impact import impact, impact_json, impact_of, render_impact
    from ..graph import SourceGraph

    requests: dict[str, int] | None = None
    if live is not None:
        source = parse_graph(ask(live, "/data?default", accept="application/n-triples").body.decode())
        listed = json.loads(ask(live, "/routes", accept="application/json").body)["routes"]
        requests = {item["iri"]: item["requests"] for item in listed}
    else:
        source = SourceGraph.load(list(files))
    old = build(source, gateway)
    if iri is not None:
        found = impact_of(old, iri.removeprefix("<").removesuffix(">"), requests)
    else:
        body, _, _ = applied_to(source, SourceGraph.load(list(changes)), replace=False)
        new = build(parse_graph(body.decode()), gateway, previous=old)
        found = impact(old.mesh, new.mesh, requests)
    if form == "json":
        print_json(impact_json(found))
    else:
        click.echo(render_impact(found), nl=False)
    return 0
