"""``agw diff``."""

from __future__ import annotations

import json
import urllib.parse
from pathlib import Path

import click

from ..errors import AgwError, ConfigError
from .live import ask
from .options import format_option, gateway_option
from .output import print_error, print_json

__all__ = ["command"]

_TROUBLE = 2


@click.command("diff")
@click.argument("old")
@click.argument("new")
@click.option("--live", metavar="ADMIN_URL", help="OLD and NEW are revisions of a running gateway, or moments.")
@click.option("--triples", is_flag=True, help="The triples that went and came, instead of what they mean.")
@gateway_option
@format_option("human", "json")
def command(old: str, new: str, live: str | None, triples: bool, gateway: str | None, form: str) -> int:
    """Say what changed between two configurations: what they mean, and requests that are decided differently.

    OLD and NEW are files, or folders of Turtle files. Order, prefixes, labels of blank nodes and the place that states
    a policy make no difference.

    Exit status as diff(1): 0 when they mean the same (with --triples: say the same), 1 when not, 2 for trouble.
    """
    try:
        if live is not None:
            return _live(live, old, new, triples, form)
        return _files(old, new, triples, gateway, form)
    except (AgwError, OSError) as error:
        if isinstance(error, OSError):
            click.echo(f"error: {error}", err=True)
        else:
            print_error(error)
        return _TROUBLE


def _files(old: str, new: str, triples: bool, gateway: str | None, form: str) -> int:
    from ..control.build import build
    from ..control.compared import compared, comparison_json, render_comparison
    from ..graph import SourceGraph

    sources = []
    for name in (old, new):
        path = Path(name)
        files = sorted(path.rglob("*.ttl")) if path.is_dir() else [path]
        sources.append(SourceGraph.load(files))
    if triples:
        from ..control.compared import between, triple_lines

        delta = between(*sources)
        lines = triple_lines(delta, sources)
        if form == "json":
            signs = (("removed", "-"), ("added", "+"))
            print_json({name: [line[2:] for line in lines if line[0] == sign] for name, sign in signs})
        else:
            click.echo("".join(f"{line}\n" for line in lines), nl=False)
        return int(bool(delta))
    builds = []
    for name, source in zip((old, new), sources, strict=True):
        try:
            builds.append(build(source, gateway))
        except ConfigError:
            click.echo(f"{name} is refused, so it means nothing (--triples compares what was written):", err=True)
            raise
    found = compared(*builds)
    if form == "json":
        print_json(comparison_json(found))
    else:
        click.echo(render_comparison(found), nl=False)
    return int(found.different)


def _live(admin: str, old: str, new: str, triples: bool, form: str) -> int:
    since = urllib.parse.urlencode({"from": old})
    path = f"/revisions/{urllib.parse.quote(new)}/{'delta' if triples else 'diff'}?{since}"
    told = json.loads(ask(admin, path, accept="application/json").body)
    different = bool(told["added"] or told["removed"]) if triples else told["different"]
    if form == "json":
        print_json(told)
    elif triples:
        lines = [*(f"- {line}" for line in told["removed"]), *(f"+ {line}" for line in told["added"])]
        click.echo("".join(f"{line}\n" for line in sorted(lines, key=lambda line: line[2:])), nl=False)
    else:
        click.echo(ask(admin, path, accept="text/plain").body.decode(), nl=False)
    return int(different)
