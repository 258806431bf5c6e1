"""YAML and JSON documents that others wrote, with the place of every part.

Nothing is constructed but texts, numbers, booleans, lists and mappings (PyYAML's safe loader). Bounds come first: size,
nesting, number of parts and what aliases make of them, so that no file can take the machine. A key that stands twice is
an error, as one of the two would be dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

from api_gateway_service_mesh.errors import ConfigError, Finding, Location

__all__ = ["List", "Map", "Value", "documents"]

_MOST_BYTES: Final = 16 << 20
_MOST_PARTS: Final = 500_000  # aliases taken as often as they stand
_MOST_ALIASES: Final = 1_000
_DEEPEST: Final = 64
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG: Final = "tag:yaml.org,2002:"
_MERGE: Final = f"{_TAG}merge"

#: A value with its places; texts, numbers and booleans are Python's own.
Value: TypeAlias = "str | int | float | bool | Map | List | None"


@dataclass(frozen=True, slots=True)
class Map:
    """A mapping: its values, and where each key stands."""

    place: Location
    values: dict[str, Value] = field(default_factory=dict)
    places: dict[str, Location] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class List:
    """A list: its values, and where each stands."""

    place: Location
    values: list[Value] = field(default_factory=list)
    places: list[Location] = field(default_factory=list)


_MEND = "mend the indentation, the colon, the bracket or the quotes at that place"


def documents(name: str, text: str) -> list[Map]:
    """The documents of a file called `name` that are mappings; those that are empty are left out, and a Kubernetes
    ``List`` is not opened.

    Raises:
        ConfigError: the text is no YAML, is beyond the bounds, or a document is not a mapping; with line and column.
    """
    if len(text.encode("utf-8", "surrogatepass")) > _MOST_BYTES:
        raise _wrong("too-large", f"{name} has more than {_MOST_BYTES >> 20} MiB", Location(name, 1), "split the file")
    try:
        _bounded(name, text)
        read = [
            _Reader(name).value(node) for node in yaml.compose_all(text, Loader=_LOADER) if node.tag != f"{_TAG}null"
        ]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Location(name, mark.line + 1, mark.column + 1) if mark else Location(name, 1)
        raise _wrong("syntax", f"this is no YAML: {error.problem or error.context}", place, _MEND) from None
    except yaml.YAMLError as error:
        raise _wrong("syntax", f"this is no YAML: {error}", Location(name, 1), _MEND) from None
    found: list[Map] = []
    for value in read:
        if not isinstance(value, Map):
            place = value.place if isinstance(value, List) else Location(name, 1)
            raise _wrong("syntax", "a document is a mapping, and this is none", place, "give the objects themselves")
        found.append(value)
    return found


def _wrong(code: str, message: str, place: Location, remedy: str) -> ConfigError:
    return ConfigError(Finding(code, message, location=place, remedy=remedy))


def _bounded(name: str, text: str) -> None:
    """Looks at depth and number before anything is built: composing is recursive, reading events is not."""
    depth = aliases = 0
    for parts, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        aliases += isinstance(event, yaml.AliasEvent)
        mark: Any = event.start_mark
        place = Location(name, mark.line + 1, mark.column + 1)
        if depth > _DEEPEST:
            raise _wrong("too-deep", f"more than {_DEEPEST} levels", place, "this is deeper than any such file is")
        if aliases > _MOST_ALIASES:
            raise _wrong("too-large", f"more than {_MOST_ALIASES} aliases", place, "write the values out")
        if parts > _MOST_PARTS:
            raise _wrong("too-large", f"more than {_MOST_PARTS} parts", place, "split the file")


class _Reader:
    """Makes values of nodes, and counts what it makes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._made = 0
        self._open: set[int] = set()

    def value(self, node: yaml.Node) -> Value:
        place = self._place(node)
        self._made += 1
        if self._made > _MOST_PARTS:
            raise _wrong("too-large", f"aliases make more than {_MOST_PARTS} parts", place, "write the values out")
        if id(node) in self._open or len(self._open) > _DEEPEST:
            raise _wrong("too-deep", "aliases nest too deep, or in themselves", place, "write the values out")
        if not isinstance(node, yaml.ScalarNode) and node.tag not in (f"{_TAG}map", f"{_TAG}seq"):
            raise _wrong("syntax", f"the tag {node.tag} is not known here", place, "write plain values")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._map(node, place)
            if isinstance(node, yaml.SequenceNode):
                made = List(place)
                for item in node.value:
                    made.values.append(self.value(item))
                    made.places.append(self._place(item))
                return made
            return self._scalar(node, place)
        finally:
            self._open.discard(id(node))

    def _map(self, node: yaml.MappingNode, place: Location) -> Map:
        made, merged = Map(place), Map(place)
        for key, value in node.value:
            where = self._place(key)
            if key.tag == _MERGE:
                for each in self._merged(value):
                    for name, held in each.values.items():
                        merged.values.setdefault(name, held)
                        merged.places.setdefault(name, where)
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise _wrong("syntax", "a key is a text", where, "write a plain key")
            if key.value in made.values:
                message = f"the key {key.value!r} stands twice; one of them would be dropped"
                raise _wrong("syntax", message, where, "take one away")
            made.values[key.value] = self.value(value)
            made.places[key.value] = where
        for name, held in merged.values.items():
            if name not in made.values:
                made.values[name], made.places[name] = held, merged.places[name]
        return made

    def _merged(self, node: yaml.Node) -> Iterator[Map]:
        value = self.value(node)
        for each in value.values if isinstance(value, List) else [value]:
            if not isinstance(each, Map):
                raise _wrong("syntax", "<< takes a mapping", self._place(node), "name a mapping by its anchor")
            yield each

    def _scalar(self, node: yaml.Node, place: Location) -> Value:
        kind = node.tag.removeprefix(_TAG)
        text = str(node.value)
        if kind in ("str", "timestamp", "value"):
            return text
        if kind not in ("null", "bool", "int", "float"):
            raise _wrong("syntax", f"the tag {node.tag} is not known here", place, "write a plain value")
        try:
            made: Any = yaml.constructor.SafeConstructor().construct_object(node)
        except (ValueError, KeyError, OverflowError):
            return text  # 1_, +., digits beyond Python's bound: whoever reads it says what is wrong
        return made if made is None or isinstance(made, (bool, int, float)) else text

    def _place(self, node: yaml.Node) -> Location:
        return Location(self._name, node.start_mark.line + 1, node.start_mark.column + 1)
