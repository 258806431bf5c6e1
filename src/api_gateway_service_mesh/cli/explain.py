"""``agw explain``."""

from __future__ import annotations

import json
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .live import ask
from .options import build_files, format_option, gateway_option
from .output import print_json, print_report

if TYPE_CHECKING:
    from ..control.build import Build
    from ..routing import ExplainRequest

__all__ = ["command"]


@click.command("explain")
@click.argument("arguments", nargs=-1, required=True, metavar="[FILE...] METHOD URL")
@click.option(
    "-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A request header; several allowed."
)
@click.option(
    "--as",
    "caller",
    multiple=True,
    metavar="NAME=VALUE",
    help="Who would be calling, for the route's rules: issuer, sub, scope, claim:NAME, key-owner, spiffe-id, dns, "
    "address, at; several allowed.",
)
@click.option("--live", metavar="ADMIN_URL", help="Ask a running gateway instead of files.")
@click.option("--as-of", metavar="REV|INSTANT", help="With --live: as it was in a revision, or then.")
@click.option("--why-not", metavar="ROUTE", help="Why this route does not take it, and the smallest edit for that.")
@gateway_option
@format_option("human", "json")
def command(
    arguments: tuple[str, ...],
    headers: tuple[str, ...],
    caller: tuple[str, ...],
    live: str | None,
    as_of: str | None,
    why_not: str | None,
    gateway: str | None,
    form: str,
) -> int:
    """Say which route takes a request: the candidates, each predicate's verdict, the winner, its policies, and the
    triples behind them with file and line.

    Exit status 1 when no route takes the request (with --why-not: when ROUTE does not).
    """
    if len(arguments) < (2 if live else 3):
        raise click.UsageError("say METHOD and URL" + ("" if live else ", after the files"))
    *names, method, url = arguments
    if as_of is not None and not live:
        raise click.UsageError("--as-of asks a running gateway: say --live")
    if live:
        if names:
            raise click.UsageError("files and --live exclude each other")
        return _live(live, method, url, headers, caller, as_of, why_not, form)

    from ..control.judged import asked_by
    from ..errors import ClientError
    from ..routing import ExplainRequest, explanation_json, render_explanation

    try:
        request = ExplainRequest.of(method, url, dict(map(_header, headers)))
    except ClientError as error:
        raise click.UsageError(f"{error}: {error.remedy}") from None
    built = build_files(tuple(Path(name) for name in names), gateway)
    print_report(built.report)
    request = asked_by(request, caller)
    if why_not is not None:
        return _why_not(built, request, why_not, form)
    explanation = built.explain(request)
    if form == "json":
        print_json(explanation_json(explanation, built.inferred.locate))
    else:
        click.echo(render_explanation(explanation, built.inferred.locate).rstrip("\n"))
    return 0 if explanation.winner is not None else 1


def _live(
    admin: str,
    method: str,
    url: str,
    headers: tuple[str, ...],
    caller: tuple[str, ...],
    as_of: str | None,
    why_not: str | None,
    form: str,
) -> int:
    asked = [("method", method.upper()), ("url", url), *(("header", header) for header in headers)]
    asked += [("as", said) for said in caller]
    more = [(name, value) for name, value in (("revision", as_of), ("why_not", why_not)) if value is not None]
    query = urllib.parse.urlencode([*asked, *more])
    told = json.loads(ask(admin, f"/explain?{query}", accept="application/json").body)
    if form == "json":
        print_json(told)
    else:
        click.echo(ask(admin, f"/explain?{query}", accept="text/plain").body.decode().rstrip("\n"))
    if why_not is not None:
        return 1 if told["edit"] else 0
    return 0 if told["winner"] is not None else 1


def _why_not(built: Build, request: ExplainRequest, wanted: str, form: str) -> int:
    from ..control.effective import route_named
    from ..routing.why_not import render_why_not, why_not, why_not_json

    found = why_not(built.table, request, route_named(built, wanted))
    if form == "json":
        print_json(why_not_json(found))
    else:
        click.echo(render_why_not(found).rstrip("\n"))
    return 1 if found.steps else 0


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise click.UsageError(f"{text!r} is no header: write 'Name: value'")
    return name.strip(), value.strip()
