"""``agw history``."""

from __future__ import annotations

import json
from typing import Any

import click

from .live import ask
from .options import format_option
from .output import print_json, print_table

__all__ = ["command", "summary"]


@click.command("history")
@click.option("--live", metavar="ADMIN_URL", required=True, help="The admin port of the running gateway.")
@click.option("-n", "count", type=click.IntRange(1), default=20, show_default=True, help="How many, the latest first.")
@format_option("human", "json")
def command(live: str, count: int, form: str) -> int:
    """List what a running gateway served: each revision with who, when, why and from where, and what was refused.

    agw diff --live says what a revision changed, agw rollback leads back to it.
    """
    listed = json.loads(ask(live, f"/revisions?limit={count}", accept="application/json").body)[:count]
    if form == "json":
        print_json(listed)
        return 0
    rows = [
        [
            str(item["revision"]) if item["revision"] is not None else "-",
            item["at"][:19].replace("T", " "),
            item["who"],
            item["why"] or "-",
            item["where"] or "-",
            summary(item),
        ]
        for item in listed
    ]
    header = ["REVISION", "AT (UTC)", "WHO", "WHY", "FROM", "WHAT"]
    print_table(header, [[_one_line(cell) for cell in row] for row in rows])
    return 0


def summary(item: dict[str, Any]) -> str:
    """What a revision changed, in a line."""
    back = f"back to {item['rolled_back_to']}: " if item.get("rolled_back_to") is not None else ""
    return f"{back}{item['summary'] or '-'}"


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
