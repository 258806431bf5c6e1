"""``agw apply``."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlencode

import click

from ..errors import ClientError
from .live import ask
from .options import files_argument, format_option
from .output import print_json

__all__ = ["command", "read_file"]


@click.command("apply")
@files_argument
@click.option("--live", metavar="ADMIN_URL", required=True, help="The admin port of the running gateway.")
@click.option("--replace", is_flag=True, help="The files are the whole configuration; what they do not say goes.")
@click.option("-m", "--message", help="Why, for the history.")
@click.option("--if-match", metavar="ETAG", help="Only if the configuration in force is this one.")
@format_option("human", "json")
def command(
    files: tuple[Path, ...], live: str, replace: bool, message: str | None, if_match: str | None, form: str
) -> int:
    """Change a running gateway: everything the FILEs describe becomes what they say, all or nothing.

    Turtle files describe things: all that the gateway holds of each of them is replaced. A file that ends in .ru is a
    SPARQL Update, and is sent as it is. A change that leaves the configuration wrong is refused with the report.
    """
    updates = [file for file in files if file.suffix == ".ru"]
    if updates and (len(files) > 1 or replace):
        raise click.UsageError("a .ru file is sent by itself, without --replace")
    fields = {"Agw-Source": ", ".join(map(str, files)).encode("ascii", "replace").decode()}
    query = "?" + urlencode({"message": message}) if message else ""
    if updates:
        if if_match:
            fields["If-Match"] = if_match
        text = read_file(updates[0])
        told = ask(live, f"/sparql{query}", accept="application/json", body=text, fields=fields,
                   content_type="application/sparql-update")  # fmt: skip
        _say(json.loads(told.body), form)
        return 0

    from ..control.apply import applied_to, parse_graph
    from ..graph import SourceGraph

    source = SourceGraph.load(list(files))
    held = ask(live, "/data?default", accept="application/n-triples")
    body, added, removed = applied_to(parse_graph(held.body.decode()), source, replace=replace)
    if not added and not removed:
        _say(
            {"revision": held.fields.get("Agw-Revision"), "added": 0, "removed": 0, "summary": "nothing changed"}, form
        )
        return 0
    fields["If-Match"] = if_match or held.fields["ETag"]
    path = "/data?" + urlencode({"default": "", **({"message": message} if message else {})})
    answer = ask(live, path, accept="application/json", body=body, method="PUT", fields=fields,
                 content_type="application/n-triples")  # fmt: skip
    number = answer.fields["Agw-Revision"]
    told = ask(live, f"/revisions/{number}", accept="application/json")
    _say(json.loads(told.body), form)
    return 0


def read_file(file: Path) -> bytes:
    """What stands in a file.

    Raises:
        ClientError: it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise ClientError(f"{file} cannot be read: {error.strerror}") from None


def _say(told: dict[str, object], form: str) -> None:
    if form == "json":
        print_json(told)
    else:
        click.echo(
            f"revision {told['revision']}: {told['summary']} ({told['added']} triples in, {told['removed']} out)"
        )
