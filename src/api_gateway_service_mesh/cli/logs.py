"""``agw logs``: what access logs say of a configuration's routes and limits."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from .options import build_files, files_argument, gateway_option
from .query import FORMS, named_question, query_files

if TYPE_CHECKING:
    from ..model import Mesh
    from ..telemetry.access_summary import AccessSummary

__all__ = ["command"]


@click.command("logs")
@files_argument
@click.option(
    "--log", "logs", multiple=True, required=True, metavar="LOG",
    help="A JSON access log (.gz too; - is standard input); several for those that were rotated.",
)  # fmt: skip
@click.option("--unused-routes", "name", flag_value="unused-routes", help="Routes that nobody asked for.")
@click.option("--unhit-limits", "name", flag_value="unhit-limits", help="Rate limiters that refused nobody.")
@click.option("--slowest-routes", "name", flag_value="slowest-routes", help="Routes by how long they take.")
@click.option(
    "--busiest-routes", "name", flag_value="busiest-routes", help="Routes by requests (default).", default=True
)
@click.option("-q", "--query", "text", metavar="TEXT", help="A SPARQL query of your own.")
@click.option("--format", "form", type=click.Choice(FORMS), default="table", show_default=True, help="Of the answer.")
@gateway_option
def command(
    files: tuple[Path, ...], logs: tuple[str, ...], name: str, text: str | None, form: str, gateway: str | None
) -> int:
    """Join access logs with the configuration in FILES, by the IRIs of routes and policies.

    Logs become what a running gateway tells of itself (agw:requestTotal, agw:errorTotal, agw:hasLiveRate over the time
    of the logs, agw:rejectedTotal of limiters), so that the questions of agw query are answered from them.
    """
    from ..telemetry.access_summary import summarized

    built = build_files(files, gateway)
    summary = summarized(_lines(logs))
    if summary.skipped:
        click.echo(f"warning: {summary.skipped} lines are none of a JSON access log with routes", err=True)
    strange = set(summary.routes) - {route.iri for route in built.mesh.routes}
    if strange:
        lost = sum(summary.routes[iri].requests for iri in strange)
        click.echo(f"warning: {lost} requests of {len(strange)} routes that the configuration does not have", err=True)
    needed = _NEEDED.get(name) if text is None else None
    if summary.routes and needed is not None and needed not in summary.tells:
        click.echo(f"warning: no line has {needed}, so this cannot be told; add it to agw:logField", err=True)
    told = "".join(f"<{s}> <{p}> {o} .\n" for s, p, o in _triples(built.mesh, summary)).encode()
    return query_files(built, text if text is not None else named_question(name), form, 60.0, told)


_NEEDED = {"slowest-routes": "duration_ms", "unhit-limits": "refused_by"}
"""What lines must have for a question, of the fields that a log may leave out (``agw:logField``)."""


def _lines(logs: tuple[str, ...]) -> Iterator[bytes]:
    for log in logs:
        if log == "-":
            yield from sys.stdin.buffer
            continue
        try:
            with gzip.open(log) if log.endswith(".gz") else Path(log).open("rb") as file:
                yield from file
        except OSError as error:
            raise click.UsageError(f"{log} cannot be read: {error.strerror or error}") from None


def _triples(mesh: Mesh, summary: AccessSummary) -> Iterator[tuple[str, str, str]]:
    """Subject, predicate, and the object as N-Triples has it, of what the configuration has."""
    from ..telemetry.access_summary import RouteSummary
    from ..vocabulary import AGW, RDF_TYPE, XSD

    window = f'"PT{summary.seconds:.0f}S"^^<{XSD.dayTimeDuration}>'
    for route in mesh.routes:
        seen = summary.routes.get(route.iri, RouteSummary())
        yield route.iri, AGW.requestTotal, f'"{seen.requests}"^^<{XSD.integer}>'
        yield route.iri, AGW.errorTotal, f'"{seen.errors}"^^<{XSD.integer}>'
        if not seen.requests:
            continue
        node = f"urn:agw:rate:log:{quote(route.iri, safe='')}"
        yield route.iri, AGW.hasLiveRate, f"<{node}>"
        yield node, RDF_TYPE, f"<{AGW.LiveRate}>"
        yield node, AGW.rateWindow, window
        values = [(AGW.requestRate, seen.requests / summary.seconds), (AGW.errorShare, seen.errors / seen.requests)]
        if seen.durations:
            shares = ((AGW.latencyP50, 0.5), (AGW.latencyP95, 0.95), (AGW.latencyP99, 0.99))
            values += [(term, seen.quantile(share)) for term, share in shares]
        for term, value in values:
            yield node, term, f'"{value:.6f}"^^<{XSD.decimal}>'
    for iri in {limit.iri for route in mesh.routes for limit in route.rate_limits}:
        yield iri, AGW.rejectedTotal, f'"{summary.refused[iri]}"^^<{XSD.integer}>'
