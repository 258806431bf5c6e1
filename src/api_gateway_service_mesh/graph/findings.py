"""From SHACL results to findings a person can act on."""

from __future__ import annotations

import re

from pyoxigraph import Literal, NamedNode

from api_gateway_service_mesh.errors import Finding, Location

from .allowed import allowed_by, datatypes
from .excerpt import Excerpts
from .infer import InferredGraph
from .positions import Spot
from .results import ValidationResult
from .secrets import MASK
from .shapes import Shape
from .suggest import nearest
from .terms import AGW, GENID, RDF_TYPE, XSD, Term, lexical, local_name, turtle
from .values import is_lexical

__all__ = ["finding_of", "kebab", "sentences", "targeted_property"]

_COMPOUND = ("or", "and", "xone", "not", "node", "sparql")
_SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z])")
_SECONDS = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>ms|s|sec|m|min|h)?\Z")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def finding_of(result: ValidationResult, shape: Shape, inferred: InferredGraph, excerpts: Excerpts) -> Finding:
    """One finding for one result: place, value, what is allowed, the nearest right name, definition and remedy."""
    focus = lexical(result.focus)
    path = result.path.predicate if result.path and not result.path.inverse else None
    spot = _spot(result, inferred, path, focus)
    message, remedy = sentences(result.message)
    targeted = targeted_property(result, shape, inferred) if path is None else path
    kinds = inferred.index.values(result.focus, RDF_TYPE)
    definition_of = targeted.value if targeted else next((lexical(kind) for kind in kinds), "")
    return Finding(
        _code(result, shape, inferred),
        message,
        result.severity,
        spot.location if spot else None,
        focus,
        targeted.value if targeted else None,
        _shown_value(result, path, inferred, excerpts),
        allowed_by(shape, inferred.source.prefixes) if result.path else None,
        None if _is_secret(result, path, excerpts) else _suggestion(result, shape, inferred),
        inferred.ontology.definition(definition_of) if definition_of.startswith(AGW) else None,
        remedy,
        _related(result, inferred, path, spot),
        excerpts.details(spot),
    )


def _is_secret(result: ValidationResult, path: NamedNode | None, excerpts: Excerpts) -> bool:
    return path is not None and result.value is not None and excerpts.is_secret(path, result.value)


def targeted_property(result: ValidationResult, shape: Shape, inferred: InferredGraph) -> NamedNode | None:
    """For a shape that targets the subjects of properties: the first of them that the focus node states."""
    targets = {value for kind, value in shape.targets if kind == "targetSubjectsOf"}
    return next((p for p in inferred.index.properties(result.focus) if p in targets), None)


def kebab(name: str) -> str:
    """``RouteHome`` → ``route-home``, ``hasRateLimiter`` → ``has-rate-limiter``."""
    return "-".join(part.lower() for part in _WORDS.split(name) if part)


def _code(result: ValidationResult, shape: Shape, inferred: InferredGraph) -> str:
    name = kebab(local_name(result.component.value).removesuffix("ConstraintComponent"))
    if name == "node" and _broken_datatypes(result, shape):
        return "datatype"
    if name == "class":
        undefined = isinstance(result.value, NamedNode) and not inferred.index.properties(result.value)
        return "undefined-reference" if undefined else "wrong-class"
    if name not in _COMPOUND:
        return name
    iri = result.shape.value
    if not iri.startswith(GENID):
        return kebab(local_name(iri))
    return kebab(local_name(result.path.predicate.value)) if result.path else name


def _spot(result: ValidationResult, inferred: InferredGraph, path: NamedNode | None, focus: str) -> Spot | None:
    spot = None
    if path is not None and result.value is not None:
        spot = inferred.spot(focus, path.value, result.value)
    if spot is None and path is not None:
        held = inferred.index.values(result.focus, path)
        spot = inferred.spot(focus, path.value, held[-1]) if len(held) > 1 else inferred.spot(focus, path.value)
    return spot or inferred.spot(focus)


def sentences(message: str) -> tuple[str, str | None]:
    """What is wrong, and what to do: shapes' messages say the one in their first sentence, the other in the rest."""
    first, *rest = _SENTENCE.split(message.strip(), maxsplit=1)
    if rest and rest[0].startswith("Did you misspell"):
        rest = _SENTENCE.split(rest[0], maxsplit=1)[1:]
    return first, rest[0] if rest else None


def _shown_value(
    result: ValidationResult, path: NamedNode | None, inferred: InferredGraph, excerpts: Excerpts
) -> str | None:
    if path is None and result.value == result.focus:
        return None
    if result.value is None:
        held = inferred.index.values(result.focus, path) if path else []
        if path is None or len(held) < 2:
            return None
        return ", ".join(MASK if excerpts.is_secret(path, v) else turtle(v, inferred.source.prefixes) for v in held[:5])
    if path is not None and excerpts.is_secret(path, result.value):
        return MASK
    if isinstance(result.value, NamedNode) and result.value.value.startswith(GENID):
        kinds = [turtle(kind, inferred.source.prefixes) for kind in inferred.index.values(result.value, RDF_TYPE)]
        return f"[ a {' , '.join(kinds)} ]" if kinds else "[ … ]"
    return turtle(result.value, inferred.source.prefixes)


def _related(
    result: ValidationResult, inferred: InferredGraph, path: NamedNode | None, spot: Spot | None
) -> tuple[Location, ...]:
    places: list[Location | None] = []
    focus = lexical(result.focus)
    if path is not None and result.value is None:
        places += (inferred.locate(focus, path.value, v) for v in inferred.index.values(result.focus, path)[:5])
    elif isinstance(result.value, NamedNode) and result.value != result.focus:
        places.append(inferred.source.locate(result.value.value))
    here = spot.location if spot else None
    return tuple(dict.fromkeys(place for place in places if place and place != here))


def _broken_datatypes(result: ValidationResult, shape: Shape) -> tuple[str, ...]:
    """The datatypes of which the value should have one and has none."""
    typed = next((datatypes(c) for c in shape.constraints if c.component == result.component), ())
    value = result.value
    if isinstance(value, Literal) and value.datatype.value in typed and is_lexical(value.value, value.datatype.value):
        return ()
    return typed


def _suggestion(result: ValidationResult, shape: Shape, inferred: InferredGraph) -> str | None:
    name = local_name(result.component.value).removesuffix("ConstraintComponent")
    prefixes, value = inferred.source.prefixes, result.value
    if value is None:
        return None
    if name == "In":
        by_text = {lexical(p): p for p in result.parameter}
        near = nearest(lexical(value), by_text)
        return turtle(by_text[near], prefixes) if near else None
    if name == "Class" and isinstance(value, NamedNode) and isinstance(result.parameter[0], NamedNode):
        return _nearest_instance(value, result.parameter[0], inferred)
    typed = _broken_datatypes(result, shape)
    return _retyped(value, typed[0], inferred) if typed and isinstance(value, Literal) else None


def _nearest_instance(value: NamedNode, wanted: NamedNode, inferred: InferredGraph) -> str | None:
    prefixes = inferred.source.prefixes
    names = {
        local_name(node.value): node
        for node in sorted(inferred.index.instances(wanted), key=str)
        if isinstance(node, NamedNode) and not node.value.startswith(GENID) and node != value
    }
    near = nearest(local_name(value.value), names)
    return turtle(names[near], prefixes) if near else None


def _retyped(value: Literal, datatype: str, inferred: InferredGraph) -> str | None:
    """The value as it was probably meant: ``"5"`` → ``5``, ``"5s"`` → ``"PT5S"^^xsd:dayTimeDuration``."""
    text = value.value.strip()
    meant: Term | None = None
    if datatype in (XSD + "dayTimeDuration", XSD + "duration"):
        found = _SECONDS.match(text)
        if is_lexical(text, datatype):
            meant = Literal(text, datatype=NamedNode(datatype))
        elif found:
            number, unit = found["number"], found["unit"] or "s"
            written = {"m": f"PT{number}M", "min": f"PT{number}M", "h": f"PT{number}H"}.get(unit, f"PT{number}S")
            if unit == "ms":
                written = f"PT{int(float(number)) / 1000:g}S"
            meant = Literal(written, datatype=NamedNode(datatype)) if is_lexical(written, datatype) else None
    elif is_lexical(text, datatype) and datatype != value.datatype.value:
        meant = Literal(text, datatype=NamedNode(datatype))
    elif datatype == XSD + "integer":
        digits = re.match(r"[0-9]+(?![0-9.,xX])", text)  # of 0.5 no whole number was meant, nor of 5xx
        meant = Literal(digits.group(), datatype=NamedNode(datatype)) if digits else None
    return turtle(meant, inferred.source.prefixes) if meant is not None else None
