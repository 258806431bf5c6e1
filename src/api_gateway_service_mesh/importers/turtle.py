"""Turtle for people: prefixes, one subject a block, a comment that says where each came from.

It is written here and not by an RDF library, which keeps neither comments nor order. What it writes is parsed by tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from api_gateway_service_mesh.errors import Location
from api_gateway_service_mesh.vocabulary import NAMESPACE

__all__ = ["Object", "Ref", "Seconds", "Stated", "Subject", "anonymous", "is_iri", "write"]

_LOCAL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_IRI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|^`\\]+")
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass(frozen=True, slots=True)
class Ref:
    """An IRI."""

    iri: str


@dataclass(frozen=True, slots=True)
class Seconds:
    """A duration."""

    value: float


@dataclass(slots=True)
class Subject:
    """What is said of one thing: ``kind`` is a class of agw. ``iri`` None: it has no name, and stands where it is
    used. ``comment`` says what it is, ``place`` where it came from."""

    kind: str
    iri: str | None = None
    comment: str = ""
    place: Location | None = None
    stated: list[Stated] = field(default_factory=list)

    def say(self, predicate: str, *values: Object | None) -> Subject:
        """State `predicate` (a term of agw, by full IRI) with each of `values` that is something."""
        self.stated += [(predicate, value) for value in values if value is not None]
        return self


Object: TypeAlias = "str | int | float | bool | Ref | Seconds | Subject"
Stated: TypeAlias = tuple[str, Object]


def anonymous(kind: str, *stated: tuple[str, Object | None]) -> Subject:
    """A thing without a name, of what is something in `stated`."""
    return Subject(kind, stated=[(predicate, value) for predicate, value in stated if value is not None])


def is_iri(text: str) -> bool:
    """Whether `text` is an absolute IRI that can stand in Turtle as it is."""
    return _IRI.fullmatch(text) is not None


def write(base: str, heading: Iterable[str], subjects: Iterable[Subject]) -> str:
    """The whole document. IRIs that begin with `base` get the prefix ``ex:``."""
    body = "".join(_block(base, subject) for subject in subjects)
    prefixes = [("agw", NAMESPACE), ("ex", base)]
    if "^^xsd:" in body:
        prefixes.append(("xsd", "http://www.w3.org/2001/XMLSchema#"))
    head = "".join(f"# {_line(line)}\n" for line in heading)
    return head + "".join(f"@prefix {name}: <{iri}> .\n" for name, iri in prefixes) + body


def _line(text: str) -> str:
    """A comment cannot be left: no line ends, and nothing that is not shown."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _block(base: str, subject: Subject) -> str:
    said = [part for part in (subject.comment, str(subject.place) if subject.place else "") if part]
    head = f"\n# {_line(' · '.join(said))}\n" if said else "\n"
    assert subject.iri is not None
    return f"{head}{_term(base, subject.iri)} {_said(base, subject, '    ')} .\n"


def _said(base: str, subject: Subject, indent: str) -> str:
    by_predicate: dict[str, list[str]] = {}
    for predicate, value in subject.stated:
        by_predicate.setdefault(predicate, []).append(_object(base, value, indent))
    lines = [f"a agw:{subject.kind}"]
    for predicate, values in by_predicate.items():
        lines.append(f"agw:{predicate.removeprefix(NAMESPACE)} {' , '.join(dict.fromkeys(values))}")
    return f" ;\n{indent}".join(lines)


def _term(base: str, iri: str) -> str:
    local = iri.removeprefix(base)
    return f"ex:{local}" if local != iri and _LOCAL.fullmatch(local) else f"<{iri}>"


def _object(base: str, value: Object, indent: str) -> str:
    if isinstance(value, Ref):
        return _term(base, value.iri)
    if isinstance(value, Subject):
        inner = _said(base, value, "").replace("\n", " ")
        return f"[ {inner} ]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0") + ("0" if value.is_integer() else "")
    if isinstance(value, Seconds):
        return f'"PT{_plain(value.value)}S"^^xsd:dayTimeDuration'
    return f'"{_escaped(value)}"'


def _plain(number: float) -> str:
    text = f"{number:.6f}".rstrip("0").rstrip(".")
    return text or "0"


def _escaped(text: str) -> str:
    made: list[str] = []
    for char in text:
        if char in _ESCAPES:
            made.append(_ESCAPES[char])
        elif char.isprintable():
            made.append(char)
        else:
            made.append(f"\\u{ord(char):04X}" if ord(char) < 0x10000 else f"\\U{ord(char):08X}")
    return "".join(made)
