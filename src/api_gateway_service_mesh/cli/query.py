"""``agw query``: SPARQL over files or over a running gateway."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import click

from .. import resources
from .live import ask
from .options import build_files, gateway_option
from .output import print_report, print_table

if TYPE_CHECKING:
    from ..control.build import Build

__all__ = ["FORMS", "command", "named_question", "query_files"]

FORMS = ("table", "json", "xml", "csv", "tsv", "turtle", "ntriples", "jsonld")
_RESULTS = {
    "json": "application/sparql-results+json",
    "xml": "application/sparql-results+xml",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
}
_GRAPHS = {"turtle": "text/turtle", "ntriples": "application/n-triples", "jsonld": "application/ld+json"}


@click.command("query")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE...]")
@click.option("-q", "--query", "text", metavar="TEXT", help="The query; - reads it from standard input.")
@click.option("--name", help="One of the named questions (--list shows them).")
@click.option("--list", "listing", is_flag=True, help="List the named questions.")
@click.option("--live", metavar="ADMIN_URL", help="Ask a running gateway instead of files.")
@click.option("--as-of", metavar="REV|INSTANT", help="With --live: the configuration as it was in a revision, or then.")
@click.option(
    "--format", "form", type=click.Choice(FORMS), default="table", show_default=True, help="Form of the answer."
)
@click.option(
    "--timeout", type=click.FloatRange(0.1, 3600), default=30.0, show_default=True, help="Seconds the query may take."
)
@gateway_option
def command(
    files: tuple[Path, ...],
    text: str | None,
    name: str | None,
    listing: bool,
    live: str | None,
    as_of: str | None,
    form: str,
    timeout: float,
    gateway: str | None,
) -> int:
    """Ask SPARQL questions about configurations, their inferences, the ontology, and a running gateway's live state.

    The prefixes agw: and those of the files need no declaration in -q.
    """
    if listing:
        print_table(["NAME", "QUESTION"], [[question.stem, _question(question)] for question in _questions()])
        return 0
    if (text is None) == (name is None):
        raise click.UsageError("say -q TEXT or --name NAME (--list shows the names)")
    if bool(files) == bool(live):
        raise click.UsageError("say either files or --live ADMIN_URL")
    if as_of is not None and live is None:
        raise click.UsageError("--as-of asks a running gateway: say --live")
    query = named_question(name) if name is not None else sys.stdin.read() if text == "-" else text or ""
    if live is not None:
        return _live(live, query, form, as_of)
    built = build_files(files, gateway)
    return query_files(built, query, form, timeout)


def _live(admin: str, query: str, form: str, as_of: str | None) -> int:
    graphs = ", ".join(f"{media};q={0.5 if name != form else 1}" for name, media in _GRAPHS.items())
    results = _RESULTS.get(form, _RESULTS["json"])
    path = "/sparql" if as_of is None else "/sparql?" + urlencode({"revision": as_of})
    answer = ask(
        admin, path, accept=f"{results}, {graphs}", body=query.encode(), content_type="application/sparql-query"
    )
    _print(answer.body, form, is_table=form == "table" and answer.content_type == _RESULTS["json"], prefixes={})
    return 0


def query_files(built: Build, query: str, form: str, timeout: float, runtime: bytes = b"") -> int:
    """Print the answer to `query` over what was built of files, with `runtime` (N-Triples) as live state."""
    from ..control.sparql.dataset import DEFAULT_GRAPHS, dataset_quads
    from ..control.sparql.service import Answer, Dataset, SparqlLimits, SparqlService
    from ..vocabulary import GRAPH_RUNTIME, PREFIXES

    print_report(built.report)
    prefixes = {**PREFIXES, **built.source.prefixes}
    kind = form if form in _RESULTS else "json"
    formats: dict[str, str | None] = {
        "solutions": kind,
        "boolean": kind,
        "graph": form if form in _GRAPHS else "turtle",
    }

    async def evaluate() -> Answer:
        # In a child process, as a running gateway does it: a query that goes wrong can be ended.
        service = SparqlService(SparqlLimits(seconds=timeout, children=1))
        try:
            await service.start()
            dataset = Dataset(1, lambda: dataset_quads(built.validated), DEFAULT_GRAPHS, GRAPH_RUNTIME, prefixes)
            service.use(dataset, lambda: runtime)
            return await service.query(query, formats)
        finally:
            await service.stop()

    answer = asyncio.run(evaluate())
    _print(answer.body, form, is_table=form == "table" and answer.kind != "graph", prefixes=built.source.prefixes)
    return 0


def _print(body: bytes, form: str, *, is_table: bool, prefixes: Mapping[str, str]) -> None:
    if not is_table:
        click.echo(body.decode().rstrip("\n"))
        return
    from ..vocabulary import PREFIXES

    result = json.loads(body)
    if "boolean" in result:
        click.echo("yes" if result["boolean"] else "no")
        return
    names = result["head"]["vars"]
    known = {**PREFIXES, **prefixes}
    rows = [[_cell(row.get(name), known) for name in names] for row in result["results"]["bindings"]]
    print_table(names, rows)
    if not rows:
        click.echo("(no rows)", err=True)


def _cell(term: dict[str, Any] | None, prefixes: Mapping[str, str]) -> str:
    """A term as people write it; control characters escaped, so that a literal cannot draw on the terminal."""
    if term is None:
        return "-"
    value: str = term["value"]
    if term["type"] == "uri":
        for name, namespace in prefixes.items():
            local = value.removeprefix(namespace)
            if local != value and re.fullmatch(r"[\w.-]*", local):
                return f"{name}:{local}"
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in value)


def _questions() -> list[Path]:
    return sorted(resources.queries("report").glob("*.rq"))


def _question(path: Path) -> str:
    found = re.search(r"^# question: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1) if found else ""


def named_question(name: str) -> str:
    """The text of a question under ``queries/report``.

    Raises:
        click.UsageError: there is none of that name.
    """
    for path in _questions():
        if path.stem == name:
            return path.read_text(encoding="utf-8")
    near = get_close_matches(name, [path.stem for path in _questions()], n=1)
    hint = f"; did you mean {near[0]}?" if near else "; --list shows them"
    raise click.UsageError(f"there is no question named {name}{hint}")
