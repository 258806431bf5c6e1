"""Hosts that a route and the ports it hangs on have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["shared"]


def shared(own: Iterable[str], offered: Sequence[str | None]) -> tuple[str, ...] | None:
    """The hosts of a route that `offered` ports (None: any host) take; none: any; None: they share nothing."""
    stated = tuple(dict.fromkeys(host.lower() for host in own))
    if not offered or None in offered or "*" in offered:
        return stated
    found = dict.fromkeys(
        host for mine in stated or ("*",) for theirs in offered if theirs and (host := _narrower(mine, theirs.lower()))
    )
    return tuple(found) or None


def _narrower(one: str, other: str) -> str | None:
    if one == other or other == "*":
        return one
    if one == "*":
        return other
    if one.startswith("*.") and other.endswith(one[1:]):
        return other
    return one if other.startswith("*.") and one.endswith(other[1:]) else None
