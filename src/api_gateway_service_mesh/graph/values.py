"""Literals as values: which lexical forms a datatype allows; which of two is greater."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TypeAlias

from pyoxigraph import Literal, NamedNode, Quad, Store

from .terms import XSD, Term

__all__ = ["canonical", "compare", "comparer", "day_time_seconds", "is_lexical", "lexical_test"]

_INTEGER = re.compile(r"[+-]?[0-9]+\Z")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)\Z")
_DOUBLE = re.compile(r"(?:[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?INF|NaN)\Z")
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))?"
_DATE = r"-?(?:[1-9][0-9]{3,}|0[0-9]{3})-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_TIME = r"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?|24:00:00(?:\.0+)?)"
_DAYS = r"(?:[0-9]+D)?(?:T(?=[0-9])(?:[0-9]+H)?(?:[0-9]+M)?(?:[0-9]+(?:\.[0-9]+)?S)?)?"
_DAY_TIME = re.compile(
    r"(?P<sign>-?)P(?=[0-9T])(?:(?P<days>[0-9]+)D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]+)H)?(?:(?P<minutes>[0-9]+)M)?(?:(?P<seconds>[0-9]+(?:\.[0-9]+)?)S)?)?\Z"
)
_INTEGERS: dict[str, tuple[int | None, int | None]] = {
    "integer": (None, None),
    "long": (-(2**63), 2**63 - 1),
    "int": (-(2**31), 2**31 - 1),
    "short": (-(2**15), 2**15 - 1),
    "byte": (-128, 127),
    "nonNegativeInteger": (0, None),
    "positiveInteger": (1, None),
    "nonPositiveInteger": (None, 0),
    "negativeInteger": (None, -1),
    "unsignedLong": (0, 2**64 - 1),
    "unsignedInt": (0, 2**32 - 1),
    "unsignedShort": (0, 2**16 - 1),
    "unsignedByte": (0, 255),
}
_ANY = NamedNode("urn:x:any")
_DIGITS = 4000  # Python refuses to read longer integers; no such number is a setting


def _ranged(low: int | None, high: int | None) -> Callable[[str], bool]:
    def valid(text: str) -> bool:
        if not _INTEGER.match(text) or len(text) > _DIGITS:
            return False
        number = int(text)
        return (low is None or number >= low) and (high is None or number <= high)

    return valid


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern + r"\Z")
    return lambda text: compiled.match(text) is not None


def _date_time(text: str) -> bool:
    return _DATE_TIME.match(text) is not None and _day_exists(text)


def _date(text: str) -> bool:
    return _DATE_ONLY.match(text) is not None and _day_exists(text)


def _day_exists(text: str) -> bool:
    year, month, day = re.match(r"(-?[0-9]+)-([0-9]{2})-([0-9]{2})", text).groups()  # type: ignore[union-attr]
    leap = int(year) % 4 == 0 and (int(year) % 100 != 0 or int(year) % 400 == 0)
    return int(day) <= (
        29 if leap and month == "02" else (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[int(month) - 1]
    )


_DATE_TIME = re.compile(f"{_DATE}T{_TIME}{_ZONE}\\Z")
_DATE_ONLY = re.compile(f"{_DATE}{_ZONE}\\Z")
_VALID: dict[str, Callable[[str], bool]] = {
    **{XSD + name: _ranged(*bounds) for name, bounds in _INTEGERS.items()},
    XSD + "decimal": lambda text: _DECIMAL.match(text) is not None,
    XSD + "double": lambda text: _DOUBLE.match(text) is not None,
    XSD + "float": lambda text: _DOUBLE.match(text) is not None,
    XSD + "boolean": _matches("(?:true|false|1|0)"),
    XSD + "dateTime": _date_time,
    XSD + "dateTimeStamp": lambda text: (
        _date_time(text) and re.search(r"(?:Z|[+-][0-9]{2}:[0-9]{2})\Z", text) is not None
    ),
    XSD + "date": _date,
    XSD + "time": _matches(_TIME + _ZONE),
    XSD + "duration": _matches(rf"-?P(?=[0-9T])(?:[0-9]+Y)?(?:[0-9]+M)?{_DAYS}"),
    XSD + "dayTimeDuration": lambda text: _DAY_TIME.match(text) is not None,
    XSD + "yearMonthDuration": _matches(r"-?P(?=[0-9])(?:[0-9]+Y)?(?:[0-9]+M)?"),
    XSD + "anyURI": lambda text: not re.search(r'[\x00-\x20<>"{}|\\^`]', text),
    XSD + "hexBinary": _matches("(?:[0-9A-Fa-f]{2})*"),
    XSD + "base64Binary": _matches(r"(?:[A-Za-z0-9+/\s]*={0,2}\s*)"),
    XSD + "language": _matches("[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*"),
}


def is_lexical(text: str, datatype: str) -> bool:
    """Whether `text` is in the lexical space of a datatype; True for datatypes that are not known here."""
    valid = _VALID.get(datatype)
    return valid is None or valid(text)


def lexical_test(datatype: str) -> Callable[[str], bool] | None:
    """The test behind `is_lexical` for one datatype; None when every text passes."""
    return _VALID.get(datatype)


def canonical(literal: Literal) -> str:
    """The lexical form pyoxigraph's store gives a literal: ``05`` becomes ``5``, ``PT60S`` becomes ``PT1M``."""
    store = Store()
    store.add(Quad(_ANY, _ANY, literal))
    term = next(iter(store)).object
    return term.value if isinstance(term, Literal) else literal.value


def day_time_seconds(text: str) -> Decimal | None:
    """The seconds of a duration of days and time only; None for anything else (also for months and years)."""
    found = _DAY_TIME.match(text)
    if not found:
        return None
    days, hours, minutes, seconds = (Decimal(found[name] or 0) for name in ("days", "hours", "minutes", "seconds"))
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return -total if found["sign"] else total


_Comparable: TypeAlias = Decimal | float | str | bool | datetime | date | time


def compare(left: Term, right: Term) -> int | None:
    """-1, 0 or 1 as ``<``, ``=``, ``>`` of SPARQL 1.1 section 17.3 say (days-and-time durations added); None when the
    two cannot be compared (malformed, of different kinds, only one with a time zone, NaN)."""
    return _compare(_value(left), _value(right))


def comparer(right: Term) -> Callable[[Term], int | None]:
    """`compare` with the second value fixed, which is then read only once."""
    fixed = _value(right)
    return lambda left: _compare(_value(left), fixed)


def _compare(one: tuple[str, _Comparable] | None, two: tuple[str, _Comparable] | None) -> int | None:
    if one is None or two is None or one[0] != two[0]:
        return None
    a, b = one[1], two[1]
    if a != a or b != b:
        return None
    return 0 if a == b else -1 if a < b else 1  # type: ignore[operator]


def _value(term: Term) -> tuple[str, _Comparable] | None:
    """A literal's value and the kind of values it may be compared with."""
    if not isinstance(term, Literal) or term.language:
        return None
    text, datatype = term.value, term.datatype.value
    if not datatype.startswith(XSD) or not is_lexical(text, datatype):
        return None
    name = datatype[len(XSD) :]
    if name in _INTEGERS or name == "decimal":
        return "number", Decimal(text)
    if name in ("double", "float"):
        return "number", float(text)
    if name in ("dayTimeDuration", "duration"):
        seconds = day_time_seconds(text)
        return None if seconds is None else ("duration", seconds)
    if name == "string":
        return "string", text
    if name == "boolean":
        return "boolean", text in ("true", "1")
    return _moment(name, text)


def _moment(name: str, text: str) -> tuple[str, _Comparable] | None:
    try:
        if name in ("dateTime", "dateTimeStamp"):
            moment = datetime.fromisoformat(text)
            return ("zoned", moment.astimezone(UTC)) if moment.tzinfo else ("local", moment)
        if name == "date":
            return "date", date.fromisoformat(text)
        if name == "time":
            return "time", time.fromisoformat(text)
    except (ValueError, OverflowError):  # beyond year 9999, 24:00:00, a date with a zone
        return None
    return None
