"""Bodies that are written from a template: JSON, or plain text, with named places and no logic.

A JSON template is read as JSON when it is loaded, and its places stand in its texts. What a place gets is put into the
document, not into its text, and the document is written once it is whole: no value can change its structure. A text
that is one place and nothing else becomes the value itself, of whatever type; in a longer text a value is written out.
In plain text values lose their control characters, so that none makes a line of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from .expression import ExpressionError, weight
from .strict_json import StrictJsonError, read_json

__all__ = [
    "ANSWER_PLACES", "OWN_PLACES", "REQUEST_PLACES", "Place", "Template", "TemplateError", "Values", "member",
    "template_error",
]  # fmt: skip

#: What a place of this kind and name gets; None: nothing is there.
Values = Callable[["Place"], Any]

_PLACE: Final = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_NAMED: Final = re.compile(r"(path|query|header|claim|request)\.([A-Za-z0-9_.:/-]+)|(body)((?:/[^{}]*)?)|(status)()")
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_REQUEST: Final = frozenset(("id", "method", "host", "path"))
_DEEPEST: Final = 64

OWN_PLACES: Final = frozenset(("path", "query", "header", "claim", "request"))
"""What answers of the gateway's own may name."""
REQUEST_PLACES: Final = OWN_PLACES | {"body"}
ANSWER_PLACES: Final = frozenset(("path", "query", "request", "body", "status"))
"""What a cache may give to others names no caller, and nothing but the URL of the request."""


class TemplateError(ValueError):
    """The template cannot be read; the sentence says why."""


class Place:
    """One place: its kind (``path``, ``query``, ``header``, ``claim``, ``request``, ``body``, ``status``) and the name
    behind it, of a member of a body the tokens of its pointer."""

    __slots__ = ("kind", "name", "tokens")

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name
        self.tokens = tuple(token.replace("~1", "/").replace("~0", "~") for token in name.split("/")[1:])


class Template:
    """A template, ready to be filled. ``places``: all there are.

    Raises:
        TemplateError: it is none, or names what there is not. `kinds`: those of places that there are here.
    """

    def __init__(self, text: str, kinds: frozenset[str], *, is_json: bool = True) -> None:
        self.places: list[Place] = []
        self._kinds = kinds
        self._is_json = is_json
        if is_json:
            try:
                self._tree: Any = self._read(read_json(text.encode("utf-8", "replace"), _DEEPEST))
            except StrictJsonError as error:
                said = f'it is not JSON: {error}; places stand within texts, as in "${{path.id}}"'
                raise TemplateError(said) from None
        else:
            self._tree = self._text(text)

    def fill(self, values: Values, most: int) -> bytes:
        """The body, with what `values` gives; at most `most` bytes in all places (of JSON: before they are escaped).

        Raises:
            ExpressionError: it would be larger, or a value is no JSON.
        """
        left = most

        def counted(place: Place) -> Any:
            nonlocal left
            value = values(place)
            left -= weight(value, left)
            if left < 0:
                raise ExpressionError(f"the result has more than {most} bytes")
            return value

        made = _filled(self._tree, counted) if self._is_json else _plain(self._tree, counted)
        if not self._is_json:
            return str(made).encode("utf-8", "replace")
        try:
            return json.dumps(made, separators=(",", ":"), allow_nan=False).encode("ascii")
        except (ValueError, TypeError):
            raise ExpressionError("the result is no JSON") from None

    def _read(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self._read(one) for one in value]
        if isinstance(value, dict):
            if any("${" in name for name in value):
                raise TemplateError("a place stands in the name of a member: names are the configuration's alone")
            return {name: self._read(one) for name, one in value.items()}
        return value

    def _text(self, text: str) -> Any:
        """A text without places as it is; one place; or a `_Text` of both."""
        pieces: list[Any] = []
        at = 0
        for found in _PLACE.finditer(text):
            if found.start() > at:
                pieces.append(text[at : found.start()])
            at = found.end()
            pieces.append("${" if found[0] == "$${" else self._place(found))
        if at < len(text):
            pieces.append(text[at:])
        if all(isinstance(piece, str) for piece in pieces):
            return "".join(pieces)
        return pieces[0] if len(pieces) == 1 else _Text(pieces)

    def _place(self, found: re.Match[str]) -> Place:
        said = found[1]
        if said is None:
            raise TemplateError("a place has no end: write ${path.id}, and $${ where it is meant as it stands")
        named = _NAMED.fullmatch(said)
        if named is None or (named[1] == "request" and named[2] not in _REQUEST):
            raise TemplateError(f"there is nothing of the name ${{{said}}}")
        kind = named[1] or named[3] or named[5]
        if kind not in self._kinds:
            raise TemplateError(f"${{{said}}} is not to be had here, only {', '.join(sorted(self._kinds))}")
        if kind == "request" and named[2] == "id" and "status" in self._kinds:
            raise TemplateError("${request.id} is not to be had in answers, which may be kept for others")
        place = Place(kind, named[2] or named[4] or "")
        self.places.append(place)
        return place


class _Text:
    """Texts and places, one behind the other."""

    __slots__ = ("pieces",)

    def __init__(self, pieces: list[Any]) -> None:
        self.pieces = pieces


def template_error(text: str, kinds: frozenset[str], *, is_json: bool = True) -> str | None:
    """What is wrong with a template; None when nothing is."""
    try:
        Template(text, kinds, is_json=is_json)
    except TemplateError as error:
        return str(error)
    return None


def member(document: Any, tokens: tuple[str, ...]) -> Any:
    """What stands at a JSON Pointer (RFC 6901); None where nothing does."""
    value = document
    for token in tokens:
        if isinstance(value, dict):
            value = value.get(token)
        elif isinstance(value, list) and token.isascii() and token.isdecimal() and int(token[:9]) < len(value):
            value = value[int(token[:9])]
        else:
            return None
    return value


def _filled(tree: Any, values: Values) -> Any:
    if isinstance(tree, Place):
        return values(tree)
    if isinstance(tree, _Text):
        return "".join([piece if isinstance(piece, str) else _written(values(piece)) for piece in tree.pieces])
    if isinstance(tree, list):
        return [_filled(one, values) for one in tree]
    if isinstance(tree, Mapping):
        return {name: _filled(one, values) for name, one in tree.items()}
    return tree


def _written(value: Any) -> str:
    """A value within a text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _plain(tree: Any, values: Values) -> str:
    pieces = tree.pieces if isinstance(tree, _Text) else [tree]
    return "".join(
        [piece if isinstance(piece, str) else _CONTROLS.sub(" ", _written(values(piece))) for piece in pieces]
    )
