"""A mapping that is read key by key, and remembers what nobody asked for.

That is how nothing is dropped in silence: when all is read, `Findings.close` reports every key that no importer took.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from api_gateway_service_mesh.errors import Finding, Location, Report, Severity
from api_gateway_service_mesh.graph.plain import List, Map, Value

__all__ = ["NOT_IMPORTED", "Findings", "Part"]

#: The code of what has no counterpart and is missing from the Turtle.
NOT_IMPORTED: Final = "not-imported"
_DIFFERS: Final = "imported-differently"


class Findings:
    """What is to be said about an import, and the parts that were opened."""

    def __init__(self) -> None:
        self._found: list[Finding] = []
        self._parts: list[Part] = []

    def lost(self, place: Location, message: str, remedy: str | None = None) -> None:
        """Something has no counterpart and is not taken over."""
        self._found.append(Finding(NOT_IMPORTED, message, Severity.WARNING, place, remedy=remedy))

    def differs(self, place: Location, message: str, remedy: str | None = None, *, note: bool = False) -> None:
        """It is there, but works otherwise; a `note` is something that hardly anybody will notice."""
        severity = Severity.INFO if note else Severity.WARNING
        self._found.append(Finding(_DIFFERS, message, severity, place, remedy=remedy))

    def opened(self, part: Part) -> None:
        """Remember a part, to report what is not read of it."""
        self._parts.append(part)

    def close(self) -> Report:
        """The report, with all that nobody read."""
        for part in self._parts:
            for key, place in part.unread():
                message = f"{part.name}: {key} has no counterpart here"
                self.lost(place, message, "see whether you need it; agw has other words, or none, for it")
        self._parts.clear()
        return Report().merged(self._found)


class Part:
    """One mapping. A value that is not of the kind asked for is reported, and None."""

    def __init__(self, findings: Findings, value: Map, name: str) -> None:
        self.findings = findings
        self.name = name
        self.place = value.place
        self._value = value
        self._read: set[str] = set()
        findings.opened(self)

    def __contains__(self, key: str) -> bool:
        return self._value.values.get(key) is not None

    def listed(self, key: str) -> bool:
        """Whether `key` is a list."""
        return isinstance(self._value.values.get(key), List)

    def mapped(self, key: str) -> bool:
        """Whether `key` is a mapping."""
        return isinstance(self._value.values.get(key), Map)

    def at(self, key: str) -> Location:
        """Where `key` stands, else where the part begins."""
        return self._value.places.get(key, self.place)

    def keys(self) -> list[str]:
        """All keys, in their order."""
        return list(self._value.values)

    def ignore(self, *keys: str) -> None:
        """Keys that say nothing about what a gateway does."""
        self._read.update(keys)

    def drop(self) -> None:
        """Ignore all of it: it has been spoken of."""
        self._read.update(self._value.values)

    def unread(self) -> Iterator[tuple[str, Location]]:
        """The keys that hold something and that nobody read."""
        for key, value in self._value.values.items():
            empty = value is None or (isinstance(value, (Map, List)) and not value.values)
            if key not in self._read and not empty:
                yield key, self._value.places[key]

    def text(self, key: str) -> str | None:
        """A text; a number or boolean counts as what it is written as."""
        value = self._get(key)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (int, float)):
            return str(value)
        self._wrong(key, "a text")
        return None

    def integer(self, key: str) -> int | None:
        """A whole number; a text of digits counts."""
        value = self._get(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
            return int(value)
        self._wrong(key, "a whole number")
        return None

    def number(self, key: str) -> float | None:
        """A number."""
        value = self._get(key)
        if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
            return None if value is None else float(value)
        self._wrong(key, "a number")
        return None

    def flag(self, key: str) -> bool | None:
        """A boolean."""
        value = self._get(key)
        if value is None or isinstance(value, bool):
            return value
        self._wrong(key, "true or false")
        return None

    def part(self, key: str) -> Part | None:
        """A mapping inside."""
        value = self._get(key)
        if value is None:
            return None
        if not isinstance(value, Map):
            self._wrong(key, "a mapping")
            return None
        return Part(self.findings, value, f"{self.name}.{key}")

    def parts(self, key: str) -> list[Part]:
        """A list of mappings inside."""
        found: list[Part] = []
        for at, item, place in self._items(key):
            if isinstance(item, Map):
                found.append(Part(self.findings, item, f"{self.name}.{key}[{at}]"))
            else:
                self._wrong_item(key, place, "a mapping")
        return found

    def texts(self, key: str) -> list[str]:
        """A list of texts; a number counts as what it is written as."""
        found: list[str] = []
        for _, item, place in self._items(key):
            if isinstance(item, (str, int, float)) and not isinstance(item, bool):
                found.append(str(item))
            else:
                self._wrong_item(key, place, "a text")
        return found

    def _get(self, key: str) -> Value:
        self._read.add(key)
        return self._value.values.get(key)

    def _items(self, key: str) -> list[tuple[int, Value, Location]]:
        value = self._get(key)
        if value is None:
            return []
        if not isinstance(value, List):
            self._wrong(key, "a list")
            return []
        return [(at, *each) for at, each in enumerate(zip(value.values, value.places, strict=True))]

    def _wrong(self, key: str, wanted: str) -> None:
        self.findings.lost(self.at(key), f"{self.name}: {key} should be {wanted}", "correct it there")

    def _wrong_item(self, key: str, place: Location, wanted: str) -> None:
        self.findings.lost(place, f"{self.name}: {key} should hold {wanted} here", "correct it there")
