"""Values against the schemas of a description (JSON Schema 2020-12; what OpenAPI 3.0 says otherwise is brought there).

- Nothing is fetched: a ``$ref`` stays in the document.
- Patterns are matched in time that is linear in the text, and compiled within a bound; those that need more (looking
  ahead or behind, back references) are refused when the description is read.
- What is said of a value names what is expected, in the description's words. The value itself is never quoted.

The library is jsonschema-rs, an extra: `pip install api-gateway-service-mesh[validation]`.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import jsonschema_rs

__all__ = ["SchemaError", "Schemas", "installed", "modern"]

_DOCUMENT: Final = "urn:agw:description"
_PATTERN_BYTES: Final = 1 << 20
_MOST_FAULTS: Final = 5
_MOST_OPTIONS: Final = 12
_LONGEST: Final = 200
_BOUNDS: Final = {
    "minimum": "must be {} or more",
    "maximum": "must be {} or less",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "minLength": "must have {} characters or more",
    "maxLength": "must have {} characters or fewer",
    "minItems": "must have {} items or more",
    "maxItems": "must have {} items or fewer",
    "minProperties": "must have {} members or more",
    "maxProperties": "must have {} members or fewer",
    "additionalItems": "must have no more than {} items",
}


class SchemaError(ValueError):
    """A schema that cannot be applied; the sentence says why."""


def installed() -> bool:
    """Whether the library is here."""
    try:
        import jsonschema_rs  # noqa: F401
    except ImportError:
        return False
    return True


def modern(value: Any) -> Any:
    """A part of an OpenAPI 3.0 description in terms of JSON Schema 2020-12: ``nullable``, and bounds that exclude."""
    if isinstance(value, list):
        return [modern(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {key: modern(item) for key, item in value.items()}
    if made.get("nullable") is True and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
        if isinstance(made.get("enum"), list) and None not in made["enum"]:
            made["enum"] = [*made["enum"], None]
    for bound, without in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(made.get(without), bool):
            excluded = made.pop(without)
            if excluded and bound in made:
                made[without] = made.pop(bound)
    return made


def sendable(value: Any) -> Any:
    """`value`, a part of a description, for requests: what is only read need not be sent."""
    if isinstance(value, list):
        return [sendable(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {key: sendable(item) for key, item in value.items()}
    required, described = made.get("required"), made.get("properties")
    if isinstance(required, list) and isinstance(described, dict):
        read = {name for name, held in described.items() if isinstance(held, dict) and held.get("readOnly") is True}
        made["required"] = [name for name in required if name not in read]
    return made


class Schemas:
    """The schemas of one document, each made ready when it is first asked for.

    Raises:
        SchemaError: the library is not installed.
    """

    __slots__ = ("_formats", "_known", "_library", "_options", "_registry")

    def __init__(self, document: dict[str, Any], formats: bool) -> None:
        try:
            import jsonschema_rs as library
        except ImportError:
            raise SchemaError("the library for it is not installed") from None
        self._library = library
        self._options = library.RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES)
        self._registry = library.Registry([(_DOCUMENT, sendable(document))], draft=library.Draft202012)
        self._formats = formats
        self._known: dict[str, jsonschema_rs.Draft202012Validator] = {}

    def ready(self, pointer: str) -> jsonschema_rs.Draft202012Validator:
        """The schema at a JSON pointer.

        Raises:
            SchemaError: it cannot be applied.
        """
        known = self._known.get(pointer)
        if known is None:
            try:
                known = self._known[pointer] = self._library.Draft202012Validator(
                    {"$ref": f"{_DOCUMENT}#{_fragment(pointer)}"},
                    registry=self._registry,
                    offline=True,
                    pattern_options=self._options,
                    validate_formats=self._formats,
                )
            except ValueError as error:
                raise SchemaError(str(error).partition("\n")[0][:_LONGEST]) from None
        return known

    def fits(self, pointer: str, value: Any) -> bool:
        """Whether `value` is as the schema says."""
        try:
            return self.ready(pointer).is_valid(value)
        except (ValueError, OverflowError):  # a number that the library cannot hold
            return False

    def faults(self, pointer: str, value: Any) -> list[tuple[str, str]]:
        """Where (as a JSON pointer into the value) what is expected; nothing when all is as it should be."""
        try:
            return [
                ("".join(f"/{_token(part)}" for part in error.instance_path)[:_LONGEST], _words(error.kind))
                for error in islice(self.ready(pointer).iter_errors(value), _MOST_FAULTS)
            ]
        except (ValueError, OverflowError):
            return [("", "must have no number that is out of range")]


def _fragment(pointer: str) -> str:
    """A JSON pointer in a URI (RFC 6901 §6)."""
    return "".join(
        char if char.isascii() and (char.isalnum() or char in "/~-._$") else "".join(f"%{b:02X}" for b in char.encode())
        for char in pointer
    )


def _token(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _words(kind: jsonschema_rs.ValidationErrorKind) -> str:
    """What is expected. Nothing in it comes from the value."""
    name, said = kind.name, kind.as_dict()
    if name in _BOUNDS:
        return _BOUNDS[name].format(said.get("limit"))
    if name == "type":
        return "must be " + " or ".join(said.get("types", ()))
    if name == "required":
        return f"must have the member {said.get('property')}"
    if name == "enum":
        options = said.get("options", [])
        shown = ", ".join(json.dumps(option) for option in options[:_MOST_OPTIONS])
        return f"must be one of {shown}{', …' if len(options) > _MOST_OPTIONS else ''}"[:_LONGEST]
    if name == "const":
        return f"must be {json.dumps(said.get('expected_value'))}"[:_LONGEST]
    if name == "pattern":
        return f"must match {said.get('pattern')}"[:_LONGEST]
    if name == "format":
        return f"must be of the format {said.get('format')}"
    if name == "multipleOf":
        return f"must be a multiple of {said.get('multiple_of')}"
    if name == "uniqueItems":
        return "must have no item twice"
    if name in ("additionalProperties", "unevaluatedProperties", "propertyNames"):
        return "must have no member that is not described"
    if name == "anyOf":
        return "must be one of the described alternatives"
    if name == "oneOf":
        return "must be one of the described alternatives, and only one"
    return f"must be as {name} says in the description"
