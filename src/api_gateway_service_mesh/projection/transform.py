"""What is changed on the way (``agw:RequestTransformation``, ``agw:ResponseTransformation``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import RequestTransformation, ResponseTransformation
from api_gateway_service_mesh.routing.body import member_error
from api_gateway_service_mesh.routing.expression import expression_error, installed
from api_gateway_service_mesh.routing.template import ANSWER_PLACES, REQUEST_PLACES, template_error
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["TransformRow", "TransformValueRow", "request_transformations", "response_transformations"]

STANDARD_BYTES = 1 << 20
"""Up to which size bodies are changed where nothing is said."""

Said = Mapping[tuple[str, str], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class TransformRow:
    """``transform.rq``."""

    route: str
    property: str
    transformation: str


@dataclass(frozen=True, slots=True)
class TransformValueRow:
    """``transform_value.rq``."""

    transformation: str
    property: str
    value: str


def request_transformations(
    rows: Iterable[TransformRow], values: Iterable[TransformValueRow], reading: Reading
) -> Mapping[str, RequestTransformation]:
    """How each route's requests are changed, by route IRI."""
    said = _said(values)
    found: dict[str, RequestTransformation] = {}
    for row in rows:
        if row.property == AGW.hasRequestTransformation and row.route not in found:
            iri = row.transformation
            found[row.route] = RequestTransformation(
                iri,
                _pairs(said, iri, AGW.setsHeader, ":"),
                _pairs(said, iri, AGW.addsHeader, ":"),
                _names(said, iri),
                tuple((a.lower(), b) for a, b in _pairs(said, iri, AGW.copiesHeader, ":")),
                _pairs(said, iri, AGW.setsParameter, "="),
                _pairs(said, iri, AGW.addsParameter, "="),
                said.get((iri, AGW.removesParameter), ()),
                said.get((iri, AGW.removesMember), ()),
                _pairs(said, iri, AGW.renamesMember, "="),
                _members(said, iri, reading),
                _bytes(said, iri, reading, STANDARD_BYTES),
                _expression(said, iri, reading),
                _template(said, iri, reading, REQUEST_PLACES),
            )
    return found


def response_transformations(
    rows: Iterable[TransformRow], values: Iterable[TransformValueRow], reading: Reading
) -> Mapping[str, ResponseTransformation]:
    """How each route's answers are changed, by route IRI."""
    said = _said(values)
    found: dict[str, ResponseTransformation] = {}
    for row in rows:
        if row.property == AGW.hasResponseTransformation and row.route not in found:
            iri = row.transformation
            found[row.route] = ResponseTransformation(
                iri,
                _pairs(said, iri, AGW.setsHeader, ":"),
                _pairs(said, iri, AGW.addsHeader, ":"),
                _names(said, iri),
                said.get((iri, AGW.removesMember), ()),
                _pairs(said, iri, AGW.renamesMember, "="),
                _members(said, iri, reading),
                _bytes(said, iri, reading, STANDARD_BYTES),
                reading.boolean(iri, AGW.passesUnchangeable, _one(said, iri, AGW.passesUnchangeable)),
                _expression(said, iri, reading),
                _template(said, iri, reading, ANSWER_PLACES),
            )
    return found


def _said(values: Iterable[TransformValueRow]) -> Said:
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in values:
        found[row.transformation, row.property].add(row.value)
    return {key: tuple(sorted(stated)) for key, stated in found.items()}


def _pairs(said: Said, iri: str, term: str, mark: str) -> tuple[tuple[str, str], ...]:
    split = (value.partition(mark) for value in said.get((iri, term), ()))
    return tuple((name, value.strip(" ") if mark == ":" else value) for name, _, value in split)


def _one(said: Said, iri: str, term: str) -> str | None:
    return next(iter(said.get((iri, term), ())), None)


def _bytes(said: Said, iri: str, reading: Reading, default: int) -> int:
    return reading.integer(iri, AGW.maximumBodyBytes, _one(said, iri, AGW.maximumBodyBytes), default)


def _expression(said: Said, iri: str, reading: Reading) -> str | None:
    text = _one(said, iri, AGW.bodyExpression)
    if text is None:
        return None
    if not installed():
        reading.note(
            "library-missing",
            f"{name_of(iri)}: agw:bodyExpression cannot be evaluated without the library for JMESPath",
            iri,
            AGW.bodyExpression,
            text,
            remedy="pip install 'api-gateway-service-mesh[transformation]'",
        )
        return None
    error = expression_error(text)
    if error is not None:
        message = f"{name_of(iri)}: agw:bodyExpression is {text!r}: {error}"
        remedy = 'write JMESPath: agw:bodyExpression "{id: order.id, total: sum(order.items[*].price)}" .'
        reading.note("invalid-value", message, iri, AGW.bodyExpression, text, remedy=remedy)
        return None
    return text


def _template(said: Said, iri: str, reading: Reading, kinds: frozenset[str]) -> str | None:
    text = _one(said, iri, AGW.bodyTemplate)
    error = None if text is None else template_error(text, kinds)
    if error is not None:
        message = f"{name_of(iri)}: agw:bodyTemplate cannot be read: {error}"
        remedy = 'write JSON with places in its texts: agw:bodyTemplate """{"id": "${body/order/id}"}""" .'
        reading.note("invalid-value", message, iri, AGW.bodyTemplate, text, remedy=remedy)
        return None
    return text


def _members(said: Said, iri: str, reading: Reading) -> tuple[tuple[str, str], ...]:
    for value in said.get((iri, AGW.setsMember), ()):
        error = member_error(value)
        if error is not None:
            message = f"{name_of(iri)}: agw:setsMember is {value!r}: {error}"
            remedy = 'write the value as JSON: agw:setsMember "/limit=100" , "/channel=\\"web\\"" .'
            reading.note("invalid-value", message, iri, AGW.setsMember, value, remedy=remedy)
            return ()
    return _pairs(said, iri, AGW.setsMember, "=")


def _names(said: Said, iri: str) -> tuple[str, ...]:
    return tuple(sorted({name.lower() for name in said.get((iri, AGW.removesHeader), ())}))
