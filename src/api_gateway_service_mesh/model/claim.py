"""What a token says of its bearer, by name: claims at any depth, as texts that can be compared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["claim_says", "claim_text", "claim_values"]


def claim_text(value: Any) -> str:
    """A claim's value as text: texts as they are, everything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True)


def claim_values(claims: Mapping[str, Any], name: str) -> list[Any]:
    """What `claims` say under `name`; empty when they say nothing.

    A name that begins with a slash is a path (RFC 6901): ``/realm_access/roles``. Any other is that of a claim at the
    top, dots, slashes and all. A list on the way, or at the end, stands for each of its members; a list at the end also
    for itself. null says nothing.
    """
    if not name.startswith("/"):
        found = [claims[name]] if name in claims else []
    else:
        found = list(_below(claims, name[1:].split("/")))
    spread: list[Any] = []
    for value in found:
        if value is not None:
            spread.append(value)
            if isinstance(value, list):
                spread += (each for each in value if each is not None)
    return spread


def _below(value: Any, steps: list[str]) -> Iterator[Any]:
    if not steps:
        yield value
    elif isinstance(value, Mapping):
        step = steps[0].replace("~1", "/").replace("~0", "~")
        if step in value:
            yield from _below(value[step], steps[1:])
    elif isinstance(value, list):
        for each in value:
            if isinstance(each, Mapping):
                yield from _below(each, steps)


def claim_says(claims: Mapping[str, Any], name: str, wanted: str | None) -> bool:
    """Whether a claim is there (`wanted` None), or is `wanted`, or is a list that holds it."""
    values = claim_values(claims, name)
    return bool(values) if wanted is None else any(claim_text(value) == wanted for value in values)
