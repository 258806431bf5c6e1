"""The diagnoses: ``queries/doctor/*.rq``, each a question whose rows are findings.

A comment ``# KEY: VALUE`` before the query annotates it:

- ``name``, ``question``: what it is called, and what it asks.
- ``severity``: ``error``, ``warning`` or ``info``; a column of this name decides for a single row.
- ``about``: the variable that holds what is ill.
- ``finding``, ``remedy``: sentences with ``{variable}``; a column ``remedy`` decides for a single row.
- ``edit``: variable, property, variable: the remedy as an edit, the property of the first becomes the second.
- ``cites``: variable, property: a triple of the configuration that it hangs on (any number of these).

A file more is a diagnosis more: nothing else lists them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.resources import queries
from api_gateway_service_mesh.vocabulary import PREFIXES

__all__ = ["SEVERITIES", "BadDiagnosis", "Diagnosis", "diagnoses", "read_diagnosis"]

SEVERITIES = ("error", "warning", "info")

_LINE = re.compile(r"^#[ \t]*(\w+):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_PLACE = re.compile(r"\{(\w+)\}")
_COUNTED = re.compile(r"\{(\w+)\} (\w+)\(s\)")

Row = Mapping[str, Mapping[str, Any]]
"""A solution as SPARQL 1.1 Query Results JSON has it."""


class BadDiagnosis(AgwError):
    """A file that is no diagnosis."""

    problem = "bad-diagnosis"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One question; see the module. ``edit`` and ``cites`` hold full IRIs."""

    name: str
    question: str
    severity: str
    about: str
    finding: str
    remedy: str
    edit: tuple[str, str, str] | None
    cites: tuple[tuple[str, str], ...]
    text: str

    def sentence(self, template: str, said: Mapping[str, str]) -> str:
        """`template` with what its variables are bound to. ``{n} time(s)``: in the singular where that is 1."""
        template = _COUNTED.sub(
            lambda place: f"{{{place[1]}}} {place[2]}{'' if said.get(place[1]) == '1' else 's'}", template
        )
        return _PLACE.sub(lambda place: said.get(place[1], "(unknown)"), template)


def diagnoses(folders: Sequence[Path] = ()) -> tuple[Diagnosis, ...]:
    """All that agw ships with, by name, then those of `folders`.

    Raises:
        BadDiagnosis: a file is none.
    """
    found: dict[str, Diagnosis] = {}
    for folder in (queries("doctor"), *folders):
        for path in sorted(folder.glob("*.rq")):
            found[path.stem] = read_diagnosis(path)
    return tuple(found.values())


def read_diagnosis(path: Path) -> Diagnosis:
    """The diagnosis in a file.

    Raises:
        BadDiagnosis: an annotation is missing, or says what it cannot.
    """
    text = path.read_text(encoding="utf-8")
    notes: dict[str, list[str]] = {}
    for key, value in _LINE.findall(text):
        notes.setdefault(key, []).append(value)

    def one(key: str, default: str | None = None) -> str:
        values = notes.get(key, [] if default is None else [default])
        if len(values) != 1 or (not values[0] and default is None):
            raise BadDiagnosis(f"{path.name} must have one line '# {key}: …'", remedy=f"write # {key}: at its top")
        return values[0]

    severity = one("severity", "warning")
    if severity not in SEVERITIES:
        raise BadDiagnosis(f"{path.name}: {severity!r} is no severity", remedy=f"write one of {', '.join(SEVERITIES)}")
    edit = one("edit", "").split()
    cites = [line.split() for line in notes.get("cites", ())]
    if len(edit) not in (0, 3) or any(len(words) != 2 for words in cites):
        raise BadDiagnosis(
            f"{path.name}: an edit is three words and what it cites are two",
            remedy="write # edit: VARIABLE PROPERTY VARIABLE and # cites: VARIABLE PROPERTY",
        )
    return Diagnosis(
        path.stem,
        one("question"),
        severity,
        one("about"),
        one("finding"),
        one("remedy", ""),
        (edit[0], _iri(edit[1], path), edit[2]) if edit else None,
        tuple((variable, _iri(name, path)) for variable, name in cites),
        text,
    )


def _iri(name: str, path: Path) -> str:
    prefix, colon, local = name.partition(":")
    if not colon or prefix not in PREFIXES:
        raise BadDiagnosis(f"{path.name}: {name!r} is no name with a prefix that agw knows")
    return PREFIXES[prefix] + local
