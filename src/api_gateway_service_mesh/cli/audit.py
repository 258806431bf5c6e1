"""``agw audit``: whether an audit log is as it was written."""

from __future__ import annotations

from pathlib import Path

import click

from .options import format_option
from .output import print_json

__all__ = ["command"]


@click.group("audit")
def command() -> None:
    """Check audit logs."""


@command.command("verify")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--head", metavar="HASH", help="What the last record must be: an agw:chainHead kept elsewhere.")
@format_option("human", "json")
def verify(files: tuple[Path, ...], head: str | None, form: str) -> int:
    """Check the chain through FILES, those put aside and the one that is written, in any order.

    Shows records that were changed, taken out, put in or moved, and an end that was cut off (against FILE.head, or
    --head). Exit status 1 when there is any.
    """
    from ..telemetry.audit import verify as verified

    found = verified(files, head)
    if form == "json":
        print_json(
            {
                "records": found.records,
                "first": found.first,
                "head": found.head,
                "dropped": found.dropped,
                "faults": [{"file": fault.file, "line": fault.line, "what": fault.what} for fault in found.faults],
            }
        )
        return 1 if found.faults else 0
    for fault in found.faults:
        click.echo(f"error: {fault}", err=True)
    what = f"{found.records} records, from number {found.first}; the last is {found.head}"
    lost = f"; {found.dropped} were dropped, as the chain says itself" if found.dropped else ""
    earlier = "; those before are in files that were not named" if found.first else ""
    click.echo(f"{'broken' if found.faults else 'ok'}: {what}{lost}{earlier}")
    return 1 if found.faults else 0
