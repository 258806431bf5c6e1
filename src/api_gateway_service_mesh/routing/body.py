"""What a transformation makes of a JSON body: members removed, renamed and set, by JSON Pointer (RFC 6901), and then
what an expression makes of that.

Every other member keeps its value and its place. Where there is nothing to change, the body stays as it came.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from api_gateway_service_mesh.model import RequestTransformation, ResponseTransformation

from .expression import Expression, written
from .strict_json import StrictJsonError, read_json
from .template import ANSWER_PLACES, REQUEST_PLACES, Template, Values, member

__all__ = ["AnswerChange", "BodyChange", "answer_change", "body_change", "body_mark", "is_json", "member_error"]

#: From a JSON body to the new one; None: it stays. A StrictJsonError, where it cannot be told what the body says; an
#: ExpressionError, where nothing can be made of that.
BodyChange = Callable[[bytes, Values], "bytes | None"]

_DEEPEST: Final = 64


@dataclass(frozen=True, slots=True)
class AnswerChange:
    """What is done with bodies of answers: with ``successes`` (2xx), and with ``failures``, all others. ``mark`` tells
    this change from any other."""

    successes: BodyChange | None
    failures: BodyChange | None
    mark: str


def is_json(content_type: str) -> bool:
    """A media type is JSON (RFC 8259 §11, RFC 6839 §3.1). Messages of gRPC are none, whatever they hold."""
    kind = content_type.partition(";")[0].strip(" \t").lower()
    return kind == "application/json" or (kind.endswith("+json") and not kind.startswith("application/grpc"))


def body_mark(transformation: ResponseTransformation | None) -> str:
    """What tells one change of bodies from another; empty without one."""
    if transformation is None or body_change(transformation) is None:
        return ""
    deciding = (
        transformation.removes_members, transformation.renames_members, transformation.sets_members,
        transformation.expression, transformation.template,
    )  # fmt: skip
    return blake2b(repr(deciding).encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def answer_change(transformation: ResponseTransformation) -> AnswerChange | None:
    """What is done with the bodies of a route's answers; None: nothing."""
    change = body_change(transformation)
    if change is None:
        return None
    return AnswerChange(change, body_change(transformation, members_alone=True), body_mark(transformation))


def member_error(value: str) -> str | None:
    """What is wrong with ``POINTER=JSON``; None when nothing is."""
    pointer, mark, text = value.partition("=")
    if not mark or not pointer.startswith("/"):
        return "it is no JSON Pointer with = and a JSON value behind it"
    try:
        read_json(text.encode("utf-8", "surrogatepass"), _DEEPEST)
    except StrictJsonError as error:
        return f"what stands behind = is not JSON: {error}"
    return None


def body_change(
    transformation: RequestTransformation | ResponseTransformation, *, members_alone: bool = False
) -> BodyChange | None:
    """What is done with JSON bodies (or, with `members_alone`, of that what is done with members); None: nothing."""
    members = _member_change(transformation)
    text = None if members_alone else transformation.expression
    expression = None if text is None else Expression(text)
    if members_alone or transformation.template is None:
        template = None
    else:
        template = Template(transformation.template, _places(transformation))
    if members is None and expression is None and template is None:
        return None
    most = transformation.body_bytes

    def change(body: bytes, values: Values) -> bytes | None:
        document = read_json(body, _DEEPEST)
        changed = members is not None and members(document)
        if expression is not None:
            document, changed = expression.apply(document, most), True
        if template is not None:
            return template.fill(_with_body(document, values), most)
        return written(document) if changed else None

    return change


def _with_body(document: Any, values: Values) -> Values:
    return lambda place: member(document, place.tokens) if place.kind == "body" else values(place)


def _places(transformation: RequestTransformation | ResponseTransformation) -> frozenset[str]:
    return REQUEST_PLACES if isinstance(transformation, RequestTransformation) else ANSWER_PLACES


def _member_change(transformation: RequestTransformation | ResponseTransformation) -> Callable[[Any], bool] | None:
    """What is done with the members of a document, in place; tells whether that was anything. None: nothing."""
    removes = [_tokens(pointer) for pointer in transformation.removes_members]
    renames = [(_tokens(pointer), name) for pointer, name in transformation.renames_members]
    sets = [(_tokens(pointer), text.encode()) for pointer, text in transformation.sets_members]
    if not (removes or renames or sets):
        return None

    def change(document: Any) -> bool:
        changed = False
        for tokens in removes:
            parent = _parent(document, tokens)
            if isinstance(parent, dict) and tokens[-1] in parent:
                del parent[tokens[-1]]
                changed = True
        for tokens, name in renames:
            parent = _parent(document, tokens)
            if isinstance(parent, dict) and tokens[-1] in parent and name != tokens[-1]:
                members = [(name if key == tokens[-1] else key, held) for key, held in parent.items() if key != name]
                parent.clear()
                parent.update(members)
                changed = True
        for tokens, value in sets:
            parent = _parent(document, tokens)
            if isinstance(parent, dict):
                parent[tokens[-1]] = json.loads(value)
                changed = True
        return changed

    return change


def _tokens(pointer: str) -> list[str]:
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def _parent(document: Any, tokens: list[str]) -> Any:
    """What the last token is a member of; None when it is not there."""
    value = document
    for token in tokens[:-1]:
        if isinstance(value, dict):
            value = value.get(token)
        elif isinstance(value, list) and token.isdecimal() and int(token) < len(value):
            value = value[int(token)]
        else:
            return None
    return value
