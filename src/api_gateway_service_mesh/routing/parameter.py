"""Parameters of an operation: how their text becomes a value (OpenAPI 3.1 §4.8.12, styles after RFC 6570).

A text says less than a value does: ``7`` may be a number or a string. The schema's types decide; where they leave it
open, every reading is tried, and one that fits is enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .strict_json import StrictJsonError, read_json

__all__ = ["Parameter", "Shape", "readings"]

#: Parts of a request's query, a cookie or a form: names with their values, in the order they came.
Pairs = Sequence[tuple[str, str]]

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,300})(?:\.[0-9]{1,300})?(?:[eE][+-]?[0-9]{1,3})?")
_WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,300})")
_SPLITS: Final = {"form": ",", "simple": ",", "spaceDelimited": " ", "pipeDelimited": "|"}
_ANY: Final = frozenset(("string", "number", "boolean", "null", "array", "object"))


@dataclass(frozen=True, slots=True)
class Shape:
    """As much of a schema as reading takes: the types it may have (none stated: any), those of items and members."""

    types: frozenset[str] = _ANY
    items: Shape | None = None
    members: Mapping[str, Shape] | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """``place``: path, query, header or cookie. ``pointer``: where its schema stands. ``json``: its text is JSON."""

    place: str
    name: str
    pointer: str
    shape: Shape
    required: bool = False
    style: str = "form"
    explode: bool = True
    json: bool = False
    may_be_empty: bool = False

    @property
    def spread(self) -> bool:
        """Its members stand in the query by their own names."""
        return self.place in ("query", "cookie") and self.style == "form" and self.explode and self._is("object")

    def names(self) -> tuple[str, ...]:
        """What it may be called in a query."""
        return tuple(self.shape.members or ()) if self.spread else (self.name,)

    def _is(self, kind: str) -> bool:
        """It is an array or an object, and nothing else."""
        types = self.shape.types - {"null"}
        return types == {kind}

    def found(self, pairs: Pairs) -> list[Any] | None:
        """The values that query or cookies `pairs` may say; None when it is not there.

        Raises:
            ValueError: what is there cannot be read; the sentence says how it should be.
        """
        if self.style == "deepObject":
            start = f"{self.name}["
            parts = [
                (name[len(start) : -1], text) for name, text in pairs if name.startswith(start) and name[-1:] == "]"
            ]
            return [_object(parts, self.shape)] if parts else None
        if self.spread:
            members = self.shape.members or {}
            parts = [(name, text) for name, text in pairs if name in members]
            return [_object(parts, self.shape)] if parts else None
        texts = [text for name, text in pairs if name == self.name]
        if not texts:
            return None
        if self._is("array") and self.explode and self.style == "form" and not self.json:
            item = self.shape.items or Shape()
            return [[next(readings(text, item)) for text in texts]]
        if len(texts) > 1:
            raise ValueError("must stand only once")
        if not texts[0] and self.may_be_empty:
            return []
        return self.read(texts[0])

    def read(self, text: str) -> list[Any]:
        """The values that `text` may say.

        Raises:
            ValueError: as `found`.
        """
        if self.json:
            try:
                return [read_json(text.encode("utf-8"), 32)]
            except StrictJsonError as error:
                raise ValueError(f"must be JSON: {error}") from None
        split = _SPLITS.get(self.style, ",")
        if self._is("array"):
            item = self.shape.items or Shape()
            return [[next(readings(part, item)) for part in text.split(split)] if text else []]
        if self._is("object"):
            parts = text.split(split) if text else []
            if self.explode:
                named = [part.partition("=") for part in parts]
                return [_object([(name, value) for name, _, value in named], self.shape)]
            if len(parts) % 2:
                raise ValueError("must be names and values in turn")
            return [_object(list(zip(parts[::2], parts[1::2], strict=True)), self.shape)]
        return list(readings(text, self.shape))


def form_object(pairs: Pairs, shape: Shape) -> dict[str, Any]:
    """The fields of a form (application/x-www-form-urlencoded).

    Raises:
        ValueError: a field that is no array stands twice.
    """
    return _object(pairs, shape)


def _object(pairs: Pairs, shape: Shape) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, text in pairs:
        member = (shape.members or {}).get(name, Shape())
        if member.types - {"null"} == {"array"}:
            made.setdefault(name, []).append(next(readings(text, member.items or Shape())))
        elif name in made:
            raise ValueError("must have no member twice")
        else:
            made[name] = next(readings(text, member))
    return made


def readings(text: str, shape: Shape) -> Iterator[Any]:
    """What a plain text may be, the narrowest first; at least one."""
    types = shape.types
    none = True
    if ("number" in types or "integer" in types) and _NUMBER.fullmatch(text) is not None:
        none = False
        yield int(text) if _WHOLE.fullmatch(text) is not None else float(text)
    if "boolean" in types and text in ("true", "false"):
        none = False
        yield text == "true"
    if "null" in types and types != _ANY and text in ("", "null"):
        none = False
        yield None
    if none or "string" in types:
        yield text
