"""What a property shape allows, in a few words: ``one whole number from 1 to 100``."""

from __future__ import annotations

from collections.abc import Mapping

from pyoxigraph import Literal, NamedNode

from .constraints import Constraint, ShapeConstraint
from .shapes import Shape
from .terms import SH, XSD, Term, lexical, local_name, turtle

__all__ = ["allowed_by", "datatypes"]

_KINDS = {
    XSD + "integer": "whole number",
    XSD + "decimal": "number",
    XSD + "boolean": "true or false",
    XSD + "string": "text in quotes",
    XSD + "duration": 'duration such as "PT5S"^^xsd:duration',
    XSD + "dayTimeDuration": 'duration such as "PT5S"^^xsd:dayTimeDuration',
    XSD + "dateTime": 'moment such as "2030-01-31T00:00:00Z"^^xsd:dateTime',
}
_LONGEST = 12
_LONGEST_PATTERN = 64


def allowed_by(shape: Shape, prefixes: Mapping[str, str]) -> str | None:
    """The value constraints of a shape as a phrase; None when there is nothing to say."""
    given = {local_name(c.component.value).removesuffix("ConstraintComponent"): c.parameter for c in shape.constraints}
    if "In" in given:
        values = [turtle(value, prefixes) for value in given["In"]]
        return ", ".join(values[:_LONGEST]) + (", …" if len(values) > _LONGEST else "")
    words = [_count(given)]
    typed = next((found for found in map(datatypes, shape.constraints) if found), ())
    if typed:
        iri = typed[0]
        words.append(_KINDS.get(iri, turtle(NamedNode(iri), prefixes)))
    elif "Class" in given:
        words.append(f"{turtle(given['Class'][0], prefixes)}")
    elif "NodeKind" in given:
        words.append(lexical(given["NodeKind"][0]).removeprefix(SH))
    words.append(_range(given))
    if "Pattern" in given and len(lexical(given["Pattern"][0])) <= _LONGEST_PATTERN:
        words.append(f"matching {lexical(given['Pattern'][0])}")
    return " ".join(word for word in words if word) or None


def datatypes(constraint: Constraint) -> tuple[str, ...]:
    """The datatypes a constraint lets a literal have, the usual one first: by ``sh:datatype``, or by an ``sh:or`` or
    ``sh:node`` whose shapes say it. Empty when it does not look at datatypes."""
    name = local_name(constraint.component.value).removesuffix("ConstraintComponent")
    if name == "Datatype":
        return (lexical(constraint.parameter[0]),)
    if name not in ("Or", "Node") or not isinstance(constraint, ShapeConstraint):
        return ()
    return tuple(
        found
        for shape in constraint.shapes
        if not shape.path
        for inner in shape.constraints
        for found in datatypes(inner)
    )


def _count(given: Mapping[str, tuple[Term, ...]]) -> str:
    least = int(lexical(given["MinCount"][0])) if "MinCount" in given else 0
    most = int(lexical(given["MaxCount"][0])) if "MaxCount" in given else None
    if least and most == least:
        return "exactly one" if least == 1 else f"exactly {least}"
    if most is not None:
        return (
            ("at most one" if most == 1 else f"at most {most}" if most else "none")
            if not least
            else f"{least} to {most}"
        )
    return ("at least one" if least == 1 else f"at least {least}") if least else ""


def _range(given: Mapping[str, tuple[Term, ...]]) -> str:
    def bound(name: str) -> str | None:
        value = given[name][0] if name in given else None
        return value.value if isinstance(value, Literal) else None

    low, high = bound("MinInclusive"), bound("MaxInclusive")
    above, below = bound("MinExclusive"), bound("MaxExclusive")
    if low is not None and high is not None:
        return f"from {low} to {high}"
    parts = [
        f"at least {low}" if low is not None else f"greater than {above}" if above is not None else "",
        f"at most {high}" if high is not None else f"less than {below}" if below is not None else "",
    ]
    return " and ".join(part for part in parts if part)
