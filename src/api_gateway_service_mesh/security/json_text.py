"""JSON from strangers: UTF-8, no duplicate names, bounded depth, no numbers that are none.

Parsers differ on all of these (RFC 8259 §4, §6, §8), and where two readers of one token differ, one of them is fooled.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

__all__ = ["MAX_DEPTH", "read_object"]

MAX_DEPTH = 10

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*"')
_BRACKET = re.compile(r"[\[\]{}]")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read_object(data: bytes) -> dict[str, Any]:
    """The object that `data` is.

    Raises:
        ValueError: it is none, or breaks one of the rules above. The message never repeats what stood there.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    if _depth(text) > MAX_DEPTH:
        raise ValueError(f"it nests deeper than {MAX_DEPTH}")
    try:
        value = json.loads(text, object_pairs_hook=_members, parse_constant=_no_number)
    except json.JSONDecodeError:
        raise ValueError("it is not JSON") from None
    except RecursionError:
        raise ValueError("it nests too deep") from None
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError("it holds half a character") from None
    return value


def _depth(text: str) -> int:
    depth = deepest = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _no_number(_: str) -> NoReturn:
    raise ValueError("it holds a number that is none")
