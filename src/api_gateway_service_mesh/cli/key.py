"""``agw key``: keys that callers show. A key is printed once; what stands for it in a configuration is its hash."""

from __future__ import annotations

import re

import click

from .options import format_option
from .output import print_json

__all__ = ["command"]

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")  # RFC 6749 §3.3


@click.group("key")
def command() -> None:
    """Make API keys."""


@command.command("new")
@click.option("--owner", metavar="NAME", help="Whose key it is: what backends are told in X-Api-Key-Owner.")
@click.option(
    "--scope", "scopes", multiple=True, metavar="SCOPE", help="What its holder may do (agw:keyScope); several allowed."
)
@format_option("human", "json")
def new(owner: str | None, scopes: tuple[str, ...], form: str) -> int:
    """Make a key: 256 random bits. It is shown now and never again; agw keeps its hash alone."""
    from ..security.api_key import new_key

    if owner is not None and not (owner.isascii() and owner.isprintable() and owner.strip() == owner != ""):
        raise click.UsageError("--owner takes visible ASCII, because it goes to backends in a header field")
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            raise click.UsageError(f"{scope!r} is no scope: visible ASCII without spaces, quotes and backslashes")
    key, hashed = new_key()
    if form == "json":
        print_json(
            {
                "key": key,
                "keyHash": hashed,
                **({"keyOwner": owner} if owner else {}),
                **({"keyScope": scopes} if scopes else {}),
            }
        )
        return 0
    click.echo(f"X-API-Key: {key}")
    click.echo("# for the caller; it cannot be shown again", err=True)
    click.echo("# for the configuration:", err=True)
    told = f' ; agw:keyOwner "{_escaped(owner)}"' if owner else ""
    told += "".join(f' ; agw:keyScope "{scope}"' for scope in scopes)
    click.echo(f'ex:key a agw:ApiKey ; agw:keyHash "{hashed}"{told} .')
    click.echo("# and on a route or the gateway: agw:hasAuthentication ex:key .", err=True)
    return 0


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
