"""A description of an API (OpenAPI 3.0 or 3.1), as far as requests go: its operations, and which of them one is for.

A request is for the operation whose path template takes its path, literal segments before templated ones (OpenAPI 3.1
§4.8.8); HEAD is answered as GET is described.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from .parameter import Parameter, Shape
from .schema import SchemaError, modern

__all__ = ["Description", "DescriptionError", "Operation", "read_description"]

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_STYLES: Final[Mapping[str, tuple[str, ...]]] = {
    "path": ("simple",),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
_SAID_ELSEWHERE: Final = ("accept", "content-type", "authorization")  # OpenAPI 3.1 §4.8.12.1: not described here
_MOST_HOPS: Final = 16
_DEEPEST: Final = 8


class DescriptionError(ValueError):
    """The description cannot be used; the sentence says where and why."""


@dataclass(frozen=True, slots=True)
class Operation:
    """``types``: the media types of its body with the pointers to their schemas; None: a type without one."""

    name: str
    method: str
    template: str
    parameters: tuple[Parameter, ...]
    types: Mapping[str, str | None]
    shapes: Mapping[str, Shape]
    body_required: bool = False
    takes_body: bool = False

    def at(self, place: str) -> Iterator[Parameter]:
        """The parameters in the path, the query, the header or the cookies."""
        return (parameter for parameter in self.parameters if parameter.place == place)


@dataclass(slots=True)
class _Node:
    """A segment of paths, with what may follow it."""

    literal: dict[str, _Node] = field(default_factory=dict)
    templated: list[tuple[tuple[str, ...], _Node]] = field(default_factory=list)
    """Each segment as literal, name, literal, name, …, literal."""
    operations: dict[str, Operation] | None = None


class Description:
    """See the module. ``document`` is the description in terms of JSON Schema 2020-12.

    Raises:
        DescriptionError: see there.
    """

    __slots__ = ("_root", "document", "operations")

    def __init__(self, document: dict[str, Any], base: str | None = None) -> None:
        version = document.get("openapi")
        if not isinstance(version, str) or not version.startswith(("3.0", "3.1")):
            raise DescriptionError("it is no OpenAPI description of version 3.0 or 3.1")
        self.document: dict[str, Any] = modern(document) if version.startswith("3.0") else document
        self._root = _Node()
        self.operations: list[Operation] = []
        paths = self.document.get("paths", {})
        for template in paths if isinstance(paths, dict) else ():
            if template.startswith("/"):
                self._add(template, base)
        if not self.operations:
            raise DescriptionError("it describes no operation")

    def find(self, path: str) -> tuple[Mapping[str, Operation], dict[str, str]] | None:
        """The operations for `path` (as it was sent) by method, and what stands there for each name of the template,
        as it was sent; None when no template takes it."""
        captured: dict[str, str] = {}
        found = _match(self._root, path.split("/")[1:], 0, captured)
        return None if found is None else (found, captured)

    def _add(self, template: str, base: str | None) -> None:
        item, at = self.resolved(f"/paths/{_token(template)}")
        start = base
        if start is None:
            start = _base(item.get("servers") or self.document.get("servers"))
        node = self._root
        for segment in (start.rstrip("/") + template).split("/")[1:]:
            node = _step(node, segment, template)
        operations = node.operations = node.operations or {}
        shared = self._parameters(item, at)
        for method in _METHODS:
            stated = item.get(method)
            if isinstance(stated, dict):
                operation = self._operation(stated, f"{at}/{method}", method.upper(), template, shared)
                operations[operation.method] = operation
                self.operations.append(operation)

    def _operation(
        self, stated: dict[str, Any], at: str, method: str, template: str, shared: dict[tuple[str, str], Parameter]
    ) -> Operation:
        label = f"{method} {template}"
        try:
            parameters = {**shared, **self._parameters(stated, at)}
            types: dict[str, str | None] = {}
            shapes: dict[str, Shape] = {}
            required = False
            if "requestBody" in stated:
                body, place = self.resolved(f"{at}/requestBody")
                required = body.get("required") is True
                for kind, media in (body.get("content") or {}).items():
                    known = kind.partition(";")[0].strip().lower()
                    described = isinstance(media, dict) and "schema" in media
                    types[known] = f"{place}/content/{_token(kind)}/schema" if described else None
                    if described:
                        shapes[known] = self.shape(f"{place}/content/{_token(kind)}/schema")
        except DescriptionError as error:
            raise DescriptionError(f"{label}: {error}") from None
        name = stated.get("operationId")
        return Operation(
            name if isinstance(name, str) else label,
            method,
            template,
            tuple(parameters.values()),
            types,
            shapes,
            required,
            "requestBody" in stated,
        )

    def _parameters(self, stated: dict[str, Any], at: str) -> dict[tuple[str, str], Parameter]:
        listed = stated.get("parameters", [])
        found: dict[tuple[str, str], Parameter] = {}
        for number in range(len(listed) if isinstance(listed, list) else 0):
            made = self._parameter(*self.resolved(f"{at}/parameters/{number}"))
            if made is not None:
                found[made.place, made.name] = made
        return found

    def _parameter(self, stated: dict[str, Any], at: str) -> Parameter | None:
        place, name = stated.get("in"), stated.get("name")
        if not isinstance(place, str) or place not in _STYLES or not isinstance(name, str):
            raise DescriptionError("a parameter has no name, or no place that is known")
        if place == "header" and name.lower() in _SAID_ELSEWHERE:
            return None
        style = stated.get("style", _STYLES[place][0])
        if style not in _STYLES[place]:
            raise DescriptionError(f"the style {style} of the {place} parameter {name} is not known here")
        content = stated.get("content")
        pointer, as_json = f"{at}/schema", False
        if isinstance(content, dict) and content:
            kind = next(iter(content))
            pointer, as_json = f"{at}/content/{_token(kind)}/schema", "json" in kind
        elif "schema" not in stated:
            raise DescriptionError(f"the {place} parameter {name} has no schema")
        return Parameter(
            place,
            name.lower() if place == "header" else name,
            pointer,
            self.shape(pointer),
            stated.get("required") is True or place == "path",
            style,
            bool(stated.get("explode", style in ("form", "deepObject"))),
            as_json,
            stated.get("allowEmptyValue") is True,
        )

    def resolved(self, pointer: str) -> tuple[dict[str, Any], str]:
        """The object at a JSON pointer, and where it is when references are followed.

        Raises:
            DescriptionError: there is none in this document.
        """
        for _ in range(_MOST_HOPS):
            value: Any = self.document
            for token in pointer.split("/")[1:]:
                key = token.replace("~1", "/").replace("~0", "~")
                if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                    value = value[int(key)]
                elif isinstance(value, dict) and key in value:
                    value = value[key]
                else:
                    raise DescriptionError(f"there is nothing at #{pointer}")
            if isinstance(value, bool):  # a schema for anything, or nothing
                return {}, pointer
            if not isinstance(value, dict):
                raise DescriptionError(f"what is at #{pointer} is no object")
            reference = value.get("$ref")
            if not isinstance(reference, str):
                return value, pointer
            if not reference.startswith("#/"):
                raise DescriptionError(f"{reference} leads out of the file; bundle the description into one file first")
            pointer = unquote(reference[1:])
        raise DescriptionError(f"the references at #{pointer} run in a circle")

    def shape(self, pointer: str, depth: int = 0) -> Shape:
        """How texts are read for the schema at `pointer`."""
        if depth > _DEEPEST:
            return Shape()
        schema, at = self.resolved(pointer)
        types: set[str] = set()
        stated = schema.get("type")
        if stated is not None:
            types.update(stated if isinstance(stated, list) else [stated])
        members: dict[str, Shape] = {}
        if isinstance(schema.get("properties"), dict):
            members = {name: self.shape(f"{at}/properties/{_token(name)}", depth + 1) for name in schema["properties"]}
            types = types or {"object"}
        for word in ("allOf", "anyOf", "oneOf"):
            others = schema.get(word)
            for number in range(len(others) if isinstance(others, list) else 0):
                other = self.shape(f"{at}/{word}/{number}", depth + 1)
                members |= other.members or {}
                if stated is None:
                    types |= other.types
        items = self.shape(f"{at}/items", depth + 1) if "items" in schema else None
        plain = Shape(items=items, members=members or None)
        return Shape(frozenset(types), items, members or None) if types else plain


def _step(node: _Node, segment: str, template: str) -> _Node:
    if "{" not in segment:
        return node.literal.setdefault(segment, _Node())
    parts: list[str] = []
    rest = segment
    while rest:
        before, opened, after = rest.partition("{")
        name, closed, rest = after.partition("}")
        if opened and (not closed or not name):
            raise DescriptionError(f"the path {template} has a brace that is not closed")
        parts += [before, name] if opened else [before]
        if opened and not rest:
            parts.append("")
    if any(not literal for literal in parts[2:-1:2]):
        raise DescriptionError(f"in the path {template} two parameters touch: where one ends cannot be told")
    key = tuple(parts)
    for known, child in node.templated:
        if known == key:
            return child
    child = _Node()
    node.templated.append((key, child))
    node.templated.sort(key=lambda pair: -sum(map(len, pair[0][::2])))
    return child


def _match(node: _Node, segments: list[str], index: int, captured: dict[str, str]) -> dict[str, Operation] | None:
    if index == len(segments):
        return node.operations
    segment = segments[index]
    literal = node.literal.get(segment)
    if literal is not None:
        found = _match(literal, segments, index + 1, captured)
        if found is not None:
            return found
    for parts, child in node.templated:
        taken = _taken(parts, segment)
        if taken is not None:
            found = _match(child, segments, index + 1, captured)
            if found is not None:
                captured |= taken
                return found
    return None


def _taken(parts: tuple[str, ...], segment: str) -> dict[str, str] | None:
    """What stands in `segment` for the names in `parts`; none of it is empty."""
    if not segment.startswith(parts[0]) or not segment.endswith(parts[-1]):
        return None
    rest = segment[len(parts[0]) : len(segment) - len(parts[-1]) or None]
    made: dict[str, str] = {}
    for place in range(1, len(parts) - 2, 2):
        value, found, rest = rest.partition(parts[place + 1])
        if not found or not value:
            return None
        made[parts[place]] = value
    if not rest or len(segment) < len(parts[0]) + len(parts[-1]) + 1:
        return None
    made[parts[-2]] = rest
    return made


def _base(servers: Any) -> str:
    """What the first server's URL has of a path."""
    first = servers[0] if isinstance(servers, list) and servers and isinstance(servers[0], dict) else {}
    url = first.get("url", "/")
    for name, variable in (first.get("variables") or {}).items():
        if isinstance(variable, dict):
            url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
    try:
        return urlsplit(url).path.rstrip("/")
    except ValueError:
        return ""


def _token(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


@lru_cache(maxsize=32)
def read_description(text: str, base: str | None) -> Description:
    """The description that the JSON `text` is; the same one for the same text.

    Raises:
        DescriptionError: it cannot be used.
    """
    document = json.loads(text)
    if not isinstance(document, dict):
        raise DescriptionError("it is no object")
    try:
        return Description(document, base)
    except SchemaError as error:
        raise DescriptionError(str(error)) from None
