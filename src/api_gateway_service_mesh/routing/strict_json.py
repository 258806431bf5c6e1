"""JSON that every reader reads alike: UTF-8, each name once in an object, numbers that are numbers, bounded nesting.

Where RFC 8259 leaves a choice to readers (§4: names that stand twice, §6: numbers out of range, §8.1 and §8.2: other
encodings, lone surrogates), two readers may see two documents: what one checked is not what the other acts on.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

__all__ = ["StrictJsonError", "read_json"]

_MARK: Final = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[][{}]', re.DOTALL)
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
    open_now = 0
    for mark in _MARK.finditer(body):
        sign = mark[0]
        if sign in (b"{", b"["):
            open_now += 1
            if open_now > depth:
                raise StrictJsonError(f"it has more than {depth} levels")
        elif sign in (b"}", b"]"):
            open_now -= 1


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
