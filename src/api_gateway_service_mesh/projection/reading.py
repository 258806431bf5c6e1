"""Lexical forms into values, and what to say when they are none.

Rules of this module: a reader never raises. A value it cannot read becomes a finding with its place, and the default
stands in for it, so that one wrong literal does not hide the next. Most such values never come here, because SHACL has
refused them already; `control.build` drops a finding that repeats one of SHACL's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

from api_gateway_service_mesh.errors import Finding, Location, Severity
from api_gateway_service_mesh.model import KeyKind, RequestKey
from api_gateway_service_mesh.vocabulary import AGW

if TYPE_CHECKING:
    from api_gateway_service_mesh.graph import InferredGraph

__all__ = ["Reading", "name_of", "seconds_of"]

Choice = TypeVar("Choice", bound=StrEnum)
Value = TypeVar("Value")

# xsd:dayTimeDuration (XML Schema 1.1 part 2 §3.4.27): no years, no months.
_DURATION = re.compile(
    r"(?P<sign>-)?P(?:(?P<days>\d+)D)?(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?\Z"
)
_INTEGER = re.compile(r"[+-]?\d+\Z")
_LOCAL = re.compile(r"[^/#:?]+(?=[/#?]*\Z)")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110 §5.6.2


def name_of(iri: str) -> str:
    """What a thing is called in print: the last part of its IRI."""
    found = _LOCAL.search(iri)
    return found.group() if found else iri


def seconds_of(duration: str) -> float | None:
    """The length of an ``xsd:dayTimeDuration`` in seconds; None when it is none (years and months have no length)."""
    found = _DURATION.match(duration)
    if not found or duration.lstrip("-") == "P":
        return None
    days, hours, minutes = (int(found[part] or 0) for part in ("days", "hours", "minutes"))
    seconds = ((days * 24 + hours) * 60 + minutes) * 60 + float(found["seconds"] or 0)
    return -seconds if found["sign"] else seconds


class Reading:
    """One pass over projected rows: the graph that places are asked of, and the findings so far.

    ``allowed_folders`` are further folders that certificate files may lie under.
    """

    def __init__(self, graph: InferredGraph, allowed_folders: Sequence[Path] = ()) -> None:
        self.graph = graph
        self.allowed_folders = tuple(folder.resolve() for folder in allowed_folders)
        self.findings: list[Finding] = []

    def note(
        self,
        code: str,
        message: str,
        subject: str,
        predicate: str | None = None,
        value: str | None = None,
        *,
        severity: Severity = Severity.VIOLATION,
        allowed: str | None = None,
        suggestion: str | None = None,
        remedy: str | None = None,
        related: tuple[Location, ...] = (),
    ) -> None:
        """Add a finding about a property of a subject, with its place."""
        place = self.graph.locate(subject, predicate, value) or self.graph.locate(subject, predicate)
        self.findings.append(
            Finding(
                code=code,
                message=message,
                severity=severity,
                location=place or self.graph.locate(subject),
                subject=subject,
                predicate=predicate,
                value=value,
                allowed=allowed,
                suggestion=suggestion,
                remedy=remedy,
                related=related,
            )
        )

    def warn(self, code: str, message: str, subject: str, predicate: str | None = None, *, remedy: str) -> None:
        """Add a finding that refuses nothing."""
        self.note(code, message, subject, predicate, severity=Severity.WARNING, remedy=remedy)

    def _wrong(self, subject: str, predicate: str, value: str, allowed: str, suggestion: str | None = None) -> None:
        term = f"agw:{name_of(predicate)}"
        message = f"{name_of(subject)}: {term} is {value!r}, which is not {allowed}"
        self.note("invalid-value", message, subject, predicate, value, allowed=allowed, suggestion=suggestion)

    def integer(self, subject: str, predicate: str, value: str | None, default: int) -> int:
        """A whole number."""
        if value is None:
            return default
        if _INTEGER.match(value):
            return int(value)
        self._wrong(subject, predicate, value, "a whole number")
        return default

    def number(self, subject: str, predicate: str, value: str | None, default: float) -> float:
        """A decimal number."""
        if value is None:
            return default
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite():
            return float(number)
        self._wrong(subject, predicate, value, "a number")
        return default

    def boolean(self, subject: str, predicate: str, value: str | None, default: bool = False) -> bool:
        """``true``, ``1``, ``false`` or ``0`` (XML Schema 1.1 part 2 §3.3.2)."""
        if value is None:
            return default
        if value not in ("true", "1", "false", "0"):
            self._wrong(subject, predicate, value, "true or false")
            return default
        return value in ("true", "1")

    def seconds(self, subject: str, predicate: str, value: str | None, default: Value) -> float | Value:
        """A duration of days and time, in seconds."""
        if value is None:
            return default
        seconds = seconds_of(value)
        if seconds is not None:
            return seconds
        self._wrong(
            subject,
            predicate,
            value,
            'a duration of days and time such as "PT1M30S" (years and months have no fixed length)',
        )
        return default

    def choice(self, subject: str, predicate: str, value: str | None, kinds: type[Choice], default: Choice) -> Choice:
        """One of an enumeration's values."""
        if value is None:
            return default
        try:
            return kinds(value)
        except ValueError:
            words = {str(kind).casefold(): str(kind) for kind in kinds}
            near = get_close_matches(value.casefold(), words, n=1)
            allowed = "one of " + ", ".join(f'"{word}"' for word in words.values())
            self._wrong(subject, predicate, value, allowed, words[near[0]] if near else None)
            return default

    def key(self, subject: str, predicate: str, value: str | None) -> RequestKey | None:
        """A request key: ``client-address``, ``api-key``, ``claim:NAME``, ``header:NAME`` or ``cookie:NAME``."""
        if value is None:
            return None
        kind, colon, name = value.partition(":")
        plain = (KeyKind.CLIENT_ADDRESS, KeyKind.API_KEY, *((KeyKind.ROUTE,) if predicate == AGW.limitKey else ()))
        if not colon and kind in plain:
            return RequestKey(KeyKind(kind))
        if kind == KeyKind.CLAIM and name:
            return RequestKey(KeyKind.CLAIM, name)
        if kind == KeyKind.HEADER and _TOKEN.match(name):
            return RequestKey(KeyKind.HEADER, name.lower())
        if kind == KeyKind.COOKIE and _TOKEN.match(name):
            return RequestKey(KeyKind.COOKIE, name)
        allowed = '"client-address", "api-key", "claim:NAME", "header:NAME" or "cookie:NAME"'
        self._wrong(subject, predicate, value, allowed)
        return None

    def time_zone(self, subject: str, predicate: str, value: str | None) -> str:
        """The name of a time zone that this machine knows; UTC where none is stated, or one that it does not."""
        if value is None or value == "UTC":
            return "UTC"
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
            self.note(
                "unknown-time-zone",
                f"{name_of(subject)}: agw:{name_of(predicate)} is {value!r}, which is no time zone that this machine "
                "knows",
                subject,
                predicate,
                value,
                allowed='"UTC", or a name of the IANA time zone database such as "Europe/Berlin"',
                remedy="correct the name; or install the system's time zones (tzdata), where it has none",
            )
            return "UTC"
        return value

    def known(
        self, subject: str, predicate: str, value: str | None, things: Mapping[str, Value], kind: str
    ) -> Value | None:
        """What an object property points at; a finding when nothing of that kind is there."""
        if value is None:
            return None
        thing = things.get(value)
        if thing is None:
            near = get_close_matches(value, things, n=1)
            self.note(
                "dangling-reference",
                f"{name_of(subject)}: agw:{name_of(predicate)} points at {value}, which is no {kind}",
                subject,
                predicate,
                value,
                suggestion=f"<{near[0]}>" if near else None,
                remedy=f"declare it ({value} a {kind}), or correct the name",
            )
        return thing
