"""``agw cache``: what a running gateway keeps of answers."""

from __future__ import annotations

import json

import click

from ..errors import ClientError
from .live import ask
from .options import format_option
from .output import print_json

__all__ = ["command"]

_LIVE = click.option("--live", metavar="ADMIN_URL", required=True, help="The admin port of the running gateway.")


@click.group("cache")
def command() -> None:
    """What a running gateway keeps of answers."""


@command.command("show")
@_LIVE
@format_option("human", "json")
def show(live: str, form: str) -> int:
    """Say how much each cache keeps, and how often it helped."""
    told = json.loads(ask(live, "/cache", accept="application/json").body)
    if form == "json":
        print_json(told)
        return 0
    for cache in told:
        helped = cache["hits"] + cache["stale"] + cache["revalidated"] + cache["collapsed"]
        asked = cache["hits"] + cache["stale"] + cache["collapsed"] + cache["misses"]
        share = f"{100 * helped / asked:.1f} %" if asked else "nothing asked yet"
        click.echo(f"<{cache['iri']}>: {cache['entries']} answers, {cache['bytes']} bytes; helped: {share}")
        shared = cache.get("shared")
        if shared is not None:
            click.echo(f"  shared store: {', '.join(f'{count} {deed}' for deed, count in shared.items())}")
    return 0


@command.command("purge")
@_LIVE
@click.option("--url", "urls", multiple=True, help="A URL, as clients write it. Several allowed.")
@click.option("--tag", "tags", multiple=True, help="A tag of Surrogate-Key or Cache-Tag. Several allowed.")
@click.option("--all", "everything", is_flag=True, help="All that is kept.")
@click.option("--cache", metavar="IRI", help="Of this cache alone.")
@format_option("human", "json")
def purge(
    live: str, urls: tuple[str, ...], tags: tuple[str, ...], everything: bool, cache: str | None, form: str
) -> int:
    """Use what is kept no longer: of URLs, with tags, or all. It holds for all workers at once, and for
    the gateways that keep the same cache together."""
    if not (urls or tags or everything):
        raise ClientError("nothing to purge is named", remedy="name it with --url, --tag or --all")
    wanted: dict[str, object] = {"urls": urls, "tags": tags, "everything": everything}
    if cache is not None:
        wanted["cache"] = cache
    body = json.dumps(wanted).encode()
    told = json.loads(
        ask(live, "/cache/purge", accept="application/json", body=body, content_type="application/json").body
    )
    if form == "json":
        print_json(told)
    else:
        click.echo("purged: " + ", ".join(f"<{iri}>" for iri in told["purged"]))
        if told.get("replicas_told") is False:
            click.echo(
                "here alone: the Redis server does not answer; the other gateways are told when it does", err=True
            )
    return 0
