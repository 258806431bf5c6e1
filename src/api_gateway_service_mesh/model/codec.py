"""The model as JSON values, and back: enums as their text, sets sorted, secrets the references that the model holds.

What a thing does not have (None, or nothing in a list, where that is the default) is left out; every other value is
written, defaults too, so that a reader sees what is in force.

`decode` is the inverse of `encode` (a property test holds it), so a stage that starts from the model can start from a
file.
"""

from __future__ import annotations

import types
from collections.abc import Hashable, Iterator
from dataclasses import Field, fields, is_dataclass
from enum import Enum
from functools import cache
from hashlib import sha256
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from .api_key import ApiKey
from .validation import RequestValidation

__all__ = ["decode", "encode", "shown"]

T = TypeVar("T")


def encode(value: Any) -> Any:
    """A model object as dicts, lists, strings, numbers, booleans and None."""
    if is_dataclass(value):
        return {field.name: encode(held) for field, held in _held(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, frozenset):
        return sorted(encode(item) for item in value)
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    return value


def shown(value: Any) -> Any:
    """As `encode`, for eyes: what stands for a secret (the hashes of API keys) is masked, and a description
    of an API is told by its digest."""
    if isinstance(value, ApiKey):
        return {**encode(value), "hashes": ["•••"] * len(value.hashes)}
    if isinstance(value, RequestValidation):  # the same text at every route: its digest tells one from another
        digest = sha256(value.description.encode("utf-8", "surrogatepass")).hexdigest()
        return {**encode(value), "description": f"sha256:{digest}"}
    if is_dataclass(value):
        return {field.name: shown(held) for field, held in _held(value)}
    if isinstance(value, tuple):
        return [shown(item) for item in value]
    return encode(value)


def _held(value: Any) -> Iterator[tuple[Field[Any], Any]]:
    """The fields of a dataclass that say something."""
    for field in fields(value):
        held = getattr(value, field.name)
        if not ((held is None or held == ()) and held == field.default):
            yield field, held


def decode(kind: type[T], value: Any) -> T:
    """The model object of class `kind` that `encode` made `value` of.

    Raises:
        ValueError: a member is missing, unknown, or of another type.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{kind.__name__} is written as an object, not {value!r}")
    hints: dict[str, Any] = _hints(kind)  # type: ignore[arg-type]
    unknown = value.keys() - hints.keys()
    if unknown:
        raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    try:
        return kind(**{name: _decode(hints[name], item, f"{kind.__name__}.{name}") for name, item in value.items()})
    except TypeError as error:
        raise ValueError(f"{kind.__name__}: {error}") from None


@cache
def _hints(kind: Hashable) -> dict[str, Any]:
    return get_type_hints(kind)


def _decode(hint: Any, value: Any, place: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (types.UnionType, Union):
        if value is None:
            return None
        (hint,) = (kind for kind in inner if kind is not type(None))
        return _decode(hint, value, place)
    if origin in (tuple, frozenset):
        if not isinstance(value, list):
            raise ValueError(f"{place} is written as a list, not {value!r}")
        return origin(_decode(inner[0], item, place) for item in value)
    if is_dataclass(hint) and isinstance(hint, type):
        return decode(hint, value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise ValueError(f"{place} is {value!r}, not {hint.__name__}")
    return value
