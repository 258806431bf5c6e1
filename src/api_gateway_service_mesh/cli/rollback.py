"""``agw rollback``."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import click

from .history import summary
from .live import ask
from .options import format_option
from .output import print_json

__all__ = ["command"]


@click.command("rollback")
@click.argument("revision")
@click.option("--live", metavar="ADMIN_URL", required=True, help="The admin port of the running gateway.")
@click.option("-m", "--message", help="Why, for the history.")
@click.option("--if-match", metavar="ETAG", help="Only if the configuration in force is this one.")
@format_option("human", "json")
def command(revision: str, live: str, message: str | None, if_match: str | None, form: str) -> int:
    """Serve again what a REVISION (its number, or a moment) was: a new revision with the same triples, checked like any
    other. Nothing is lost: what is left behind is a revision too."""
    query = "?" + urlencode({"message": message}) if message else ""
    fields = {"If-Match": if_match} if if_match else {}
    done = ask(live, f"/revisions/{quote(revision)}/rollback{query}", accept="application/json", body=b"",
               content_type="application/octet-stream", fields=fields)  # fmt: skip
    told = json.loads(done.body)
    if form == "json":
        print_json(told)
    else:
        click.echo(f"revision {told['revision']}: {summary(told)}")
    return 0
