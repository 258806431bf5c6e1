"""What a transformation makes of header fields and of a query.

What goes in is what came; what comes out is one line a field and one part a parameter, no more: names and values are
encoded where they are put together.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote, unquote_plus

from api_gateway_service_mesh.model import RequestTransformation, ResponseTransformation, Route

from .part import Citation, Part, cite

__all__ = ["field_change", "query_change", "request_transformation_part", "response_transformation_part"]

_SAFE = "-._~!$'()*,;:@/"
"""Left as they are in a query (RFC 3986 §3.4), but for what is read as a mark of its parts."""


def field_change(transformation: RequestTransformation) -> Callable[[bytes], bytes] | None:
    """What is done with the header lines (each with CR LF) of a request; None: nothing."""
    copies = tuple((a.encode("ascii"), b.encode("ascii")) for a, b in transformation.copies)
    replaced = frozenset(name.lower().encode("ascii") for name, _ in transformation.sets)
    dropped = replaced | {name.encode("ascii") for name in transformation.removes}
    made = b"".join(
        b"%b: %b\r\n" % (name.encode("ascii"), value.encode("ascii"))
        for name, value in (*transformation.sets, *transformation.adds)
    )
    if not (copies or dropped or made):
        return None

    def change(fields: bytes) -> bytes:
        lines = fields.split(b"\r\n")[:-1]
        named = [(line.partition(b":")[0].lower(), line) for line in lines]
        copied = []
        overwritten = set()
        for source, target in copies:
            values = [line[len(source) :] for name, line in named if name == source]
            if values:
                overwritten.add(target.lower())
                copied += [(target.lower(), target + value) for value in values]
        kept = [
            line
            for name, line in (*(one for one in named if one[0] not in overwritten), *copied)
            if name not in dropped
        ]
        return b"\r\n".join([*kept, made])

    return change


def query_change(transformation: RequestTransformation) -> Callable[[str], str] | None:
    """What is done with a query (without its mark); None: nothing. What is not spoken of stays as it was sent."""
    dropped = frozenset((*transformation.removes_parameters, *(name for name, _ in transformation.sets_parameters)))
    made = [
        f"{quote(name, safe=_SAFE)}={quote(value, safe=_SAFE)}"
        for name, value in (*transformation.sets_parameters, *transformation.adds_parameters)
    ]
    if not (dropped or made):
        return None

    def change(query: str) -> str:
        parts = query.split("&") if query else []
        return "&".join([*(part for part in parts if unquote_plus(part.partition("=")[0]) not in dropped), *made])

    return change


def request_transformation_part(route: Route, transformation: RequestTransformation) -> Part:
    """What backends get to see otherwise."""
    iri = transformation.iri
    said = [f"copies {source} to {target}" for source, target in transformation.copies]
    said += _said(transformation.removes, transformation.sets, transformation.adds, ": ")
    query = _said(
        transformation.removes_parameters, transformation.sets_parameters, transformation.adds_parameters, "="
    )
    said += [f"{one} in the query" for one in query]
    cited = [cite(route.iri, "hasRequestTransformation", iri)]
    cited += [cite(iri, "copiesHeader", f"{a}: {b}") for a, b in transformation.copies]
    cited += _cited(iri, transformation.removes, transformation.sets, transformation.adds)
    cited += [cite(iri, "removesParameter", name) for name in transformation.removes_parameters]
    cited += [cite(iri, "setsParameter", f"{name}={value}") for name, value in transformation.sets_parameters]
    cited += [cite(iri, "addsParameter", f"{name}={value}") for name, value in transformation.adds_parameters]
    said += _members_said(transformation)
    cited += _members_cited(transformation)
    return Part("request change", iri, ", ".join(said) or "nothing", tuple(cited))


def response_transformation_part(route: Route, transformation: ResponseTransformation) -> Part:
    """What clients get to see otherwise."""
    iri = transformation.iri
    said = _said(transformation.removes, transformation.sets, transformation.adds, ": ")
    cited = [cite(route.iri, "hasResponseTransformation", iri)]
    cited += _cited(iri, transformation.removes, transformation.sets, transformation.adds)
    members = _members_said(transformation)
    if members:
        said += members
        cited += _members_cited(transformation)
        unchangeable = "passes on" if transformation.passes_unchangeable else "refuses (502)"
        said.append(f"{unchangeable} what cannot be changed")
        if transformation.passes_unchangeable:
            cited.append(cite(iri, "passesUnchangeable", "true"))
    return Part("answer change", iri, ", ".join(said) or "nothing", tuple(cited))


def _members_said(transformation: RequestTransformation | ResponseTransformation) -> list[str]:
    said = [f"removes {pointer} in JSON bodies" for pointer in transformation.removes_members]
    said += [f"renames {pointer} to {name} in JSON bodies" for pointer, name in transformation.renames_members]
    said += [f"sets {pointer} to {value} in JSON bodies" for pointer, value in transformation.sets_members]
    if transformation.expression is not None:
        said.append(f"makes of JSON bodies {transformation.expression}")
    if transformation.template is not None:
        said.append(f"writes JSON bodies from a template of {len(transformation.template)} characters")
    return said


def _members_cited(transformation: RequestTransformation | ResponseTransformation) -> list[Citation]:
    iri = transformation.iri
    cited = [cite(iri, "removesMember", pointer) for pointer in transformation.removes_members]
    cited += [cite(iri, "renamesMember", f"{pointer}={name}") for pointer, name in transformation.renames_members]
    cited += [cite(iri, "setsMember", f"{pointer}={value}") for pointer, value in transformation.sets_members]
    if transformation.expression is not None:
        cited.append(cite(iri, "bodyExpression", transformation.expression))
    if transformation.template is not None:
        cited.append(cite(iri, "bodyTemplate", transformation.template))
    return cited


def _said(
    removes: tuple[str, ...], sets: tuple[tuple[str, str], ...], adds: tuple[tuple[str, str], ...], mark: str
) -> list[str]:
    return [
        *(f"removes {name}" for name in removes),
        *(f"sets {name}{mark}{value}" for name, value in sets),
        *(f"adds {name}{mark}{value}" for name, value in adds),
    ]


def _cited(
    iri: str, removes: tuple[str, ...], sets: tuple[tuple[str, str], ...], adds: tuple[tuple[str, str], ...]
) -> list[Citation]:
    return [
        *(cite(iri, "removesHeader", name) for name in removes),
        *(cite(iri, "setsHeader", f"{name}: {value}") for name, value in sets),
        *(cite(iri, "addsHeader", f"{name}: {value}") for name, value in adds),
    ]
