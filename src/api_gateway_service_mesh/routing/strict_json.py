"""JSON that every reader reads alike: UTF-8, each name once in an object, numbers that are numbers, bounded nesting.

Where RFC 8259 leaves a choice to readers (§4: names that stand twice, §6: numbers out of range, §8.1 and §8.2: other
encodings, lone surrogates), two readers may see two documents: what one checked is not what the other acts on.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

__all__ = ["StrictJsonError", "read_json"]

_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
#: Of all bytes those that open and close, as one kind.
_SIGNS: Final = bytes.maketrans(b"{}", b"[]")
_NO_SIGNS: Final = bytes(sign for sign in range(256) if sign not in b"[]{}")
#: Numbers that may be out of range, or cost more than their length.
_GREAT: Final = re.compile(rb"[0-9]{300}|[0-9.][eE]")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_MOST_DIGITS: Final = 400
_INFINITE: Final = float("inf")


class StrictJsonError(ValueError):
    """The text is no JSON, or one that readers may take differently; the sentence says how, and quotes nothing."""


def read_json(body: bytes, depth: int) -> Any:
    """What `body` says, with at most `depth` levels of objects and arrays.

    Raises:
        StrictJsonError: see there.
    """
    if body.count(b"{") + body.count(b"[") > depth:
        _measure(body, depth)
    try:
        text = body.decode("utf-8")
        if _GREAT.search(body) is None:  # four times as quick without looking at each number
            value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
        else:
            value = json.loads(
                text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_whole, parse_float=_fraction
            )
    except StrictJsonError:
        raise
    except UnicodeDecodeError:
        raise StrictJsonError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise StrictJsonError(f"it is no JSON from line {error.lineno}, column {error.colno} on") from None
    except (ValueError, RecursionError):
        raise StrictJsonError("it is no JSON") from None
    if "\\u" in text and "\\ud" in text.lower() and _LONE_SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise StrictJsonError("it holds half of a surrogate pair")
    return value


def _measure(body: bytes, depth: int) -> None:
    """Takes away the innermost level as often as there may be levels: no step is one of Python's for each sign."""
    signs = _STRING.sub(b"", body).translate(_SIGNS, _NO_SIGNS)
    for _ in range(depth):
        fewer = signs.replace(b"[]", b"")
        if len(fewer) == len(signs):
            break  # nothing is left, or what is left is no JSON: who reads it says so
        signs = fewer
    if b"[]" in signs or signs.startswith(b"[" * (depth + 1)):
        raise StrictJsonError(f"it has more than {depth} levels")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise StrictJsonError("a name stands twice in one of its objects")
    return made


def _constant(_: str) -> NoReturn:
    raise StrictJsonError("NaN and Infinity are no JSON")


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise StrictJsonError(f"a number has more than {_MOST_DIGITS} digits")
    return int(digits)


def _fraction(digits: str) -> float:
    if len(digits) > _MOST_DIGITS:
        raise StrictJsonError(f"a number has more than {_MOST_DIGITS} digits")
    number = float(digits)
    if abs(number) == _INFINITE:
        raise StrictJsonError("a number is out of range")
    return number
