"""A remedy that is an edit, as the Turtle that ``agw apply`` takes."""

from __future__ import annotations

from collections.abc import Mapping

import pyoxigraph as ox

from api_gateway_service_mesh.graph.terms import GENID, Term, turtle
from api_gateway_service_mesh.vocabulary import PREFIXES, RDF_TYPE

from .build import Build

__all__ = ["edited"]


def edited(build: Build, subject: ox.NamedNode, predicate: ox.NamedNode, value: Term) -> str | None:
    """What is stated of `subject` with `value` as its only one of `predicate`, as Turtle that ``agw apply`` takes: all
    of it, or of whoever holds it where it has no name of its own. None: nothing is stated of it."""
    stated: dict[ox.NamedNode, list[tuple[ox.NamedNode, Term]]] = {}
    holders: dict[str, ox.NamedNode] = {}
    for one, name, held in build.source.rows:
        if isinstance(one, ox.NamedNode) and not isinstance(held, ox.Triple):
            stated.setdefault(one, []).append((name, held))
            if isinstance(held, ox.NamedNode) and held.value.startswith(GENID):
                holders[held.value] = one
    if subject not in stated:
        return None
    kept_of = [pair for pair in stated[subject] if pair[0] != predicate]
    stated[subject] = [*kept_of, (predicate, value)]
    top, seen = subject, {subject.value}
    while top.value.startswith(GENID):
        above = holders.get(top.value)
        if above is None or above.value in seen:
            return None
        top = above
        seen.add(top.value)
    prefixes = {**PREFIXES, **build.source.prefixes}
    body = _described(stated, top, prefixes, "    ", (top,))
    text = f"{turtle(top, prefixes)} {body} .\n"
    used = sorted(name for name in prefixes if f"{name}:" in text)
    return "".join(f"@prefix {name}: <{prefixes[name]}> .\n" for name in used) + text


def _described(
    stated: Mapping[ox.NamedNode, list[tuple[ox.NamedNode, Term]]],
    subject: ox.NamedNode,
    prefixes: Mapping[str, str],
    indent: str,
    above: tuple[ox.NamedNode, ...],
) -> str:
    lines = []
    pairs = sorted(stated.get(subject, ()), key=lambda pair: (pair[0].value != RDF_TYPE, pair[0].value, str(pair[1])))
    for name, value in pairs:
        word = "a" if name.value == RDF_TYPE else turtle(name, prefixes)
        inner = isinstance(value, ox.NamedNode) and value.value.startswith(GENID) and value not in above
        if inner and isinstance(value, ox.NamedNode):
            shown = f"[ {_described(stated, value, prefixes, indent + '    ', (*above, value))} ]"
        else:
            shown = turtle(value, prefixes)
        lines.append(f"{word} {shown}")
    return f" ;\n{indent}".join(lines)
