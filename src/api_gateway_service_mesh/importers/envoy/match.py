"""``RouteMatch``: it becomes a path with predicates, or the route is left out whole: never does one take more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from api_gateway_service_mesh.importers.draft import Test
from api_gateway_service_mesh.importers.part import Part
from api_gateway_service_mesh.importers.path import UnsayableError, exact, expression, literal, prefix
from api_gateway_service_mesh.model import PathMatch, ValueKind

__all__ = ["Match", "match_of", "share"]

_KNOWN: Final = frozenset(
    {
        "prefix", "path", "safe_regex", "path_separated_prefix", "headers", "query_parameters", "runtime_fraction",
        "case_sensitive",
    }
)  # fmt: skip
_OF: Final = {"HUNDRED": 100, "TEN_THOUSAND": 10_000, "MILLION": 1_000_000}


@dataclass(slots=True)
class Match:
    """`slashed`: a prefix that ended in a slash. `wide`: one that goes by characters there."""

    path: PathMatch
    methods: tuple[str, ...]
    headers: tuple[Test, ...]
    query: tuple[Test, ...]
    slashed: bool = False
    wide: bool = False


def match_of(part: Part) -> Match:
    """What a route asks for.

    Raises:
        UnsayableError: something that agw cannot ask.
    """
    unknown = [key for key in part.keys() if key in part and key not in _KNOWN]  # noqa: SIM118
    if unknown:
        raise UnsayableError(f"agw does not match by {', '.join(unknown)}")
    fraction = part.part("runtime_fraction")
    if fraction is not None:
        fraction.ignore("runtime_key")
        if share(fraction.part("default_value")) != 100:
            raise UnsayableError("agw takes all requests that match, not a share of them")
    path, slashed, wide = _path(part)
    methods: tuple[str, ...] = ()
    headers: list[Test] = []
    for each in part.parts("headers"):
        name = (each.text("name") or "").lower()
        if name == ":method":
            methods = _methods(each)
        elif name.startswith(":"):
            raise UnsayableError(f"agw does not match by {name}")
        else:
            headers.append(_test(each, name, header=True))
    query = tuple(_test(each, each.text("name") or "", header=False) for each in part.parts("query_parameters"))
    return Match(path, methods, tuple(headers), query, slashed, wide)


def share(part: Part | None) -> float:
    """A ``FractionalPercent`` in per cent."""
    if part is None:
        return 0.0
    return (part.integer("numerator") or 0) * 100 / _OF.get(part.text("denominator") or "HUNDRED", 100)


def _path(part: Part) -> tuple[PathMatch, bool, bool]:
    below, text, regex = part.text("path_separated_prefix"), part.text("prefix"), part.part("safe_regex")
    whole, cased = part.text("path"), part.flag("case_sensitive") is not False
    if regex is not None:
        regex.ignore("google_re2")
        return expression(regex.text("regex") or ""), False, False
    if not cased and (whole or (below or text or "").strip("/")):
        stem = literal(whole or (below or text or "").rstrip("/"))
        return expression(f"(?i){stem}" if whole else f"(?i){stem}(?:/.*)?"), False, text is not None
    if whole is not None:
        return exact(whole), False, False
    if below is not None:
        return prefix(below), False, False
    text = text or "/"
    slashed = text.endswith("/") and text != "/"
    return prefix(text), slashed, not text.endswith("/")


def _methods(part: Part) -> tuple[str, ...]:
    test = _test(part, ":method", header=True)
    if test.kind is ValueKind.EXACT:
        return (test.value,)
    names = test.value.removeprefix("(").removesuffix(")").split("|")
    if test.kind is ValueKind.REGULAR_EXPRESSION and all(name.isalpha() and name.isupper() for name in names):
        return tuple(dict.fromkeys(names))
    raise UnsayableError("agw names methods, and does not compare them otherwise")


def _test(part: Part, name: str, *, header: bool) -> Test:
    if part.flag("invert_match") or part.flag("treat_missing_header_as_empty"):
        raise UnsayableError(f"agw does not ask for what {name} is not")
    if header and (old := part.text("exact_match")) is not None:
        return Test(name, ValueKind.EXACT, old)
    compared = part.part("string_match")
    if compared is None:
        if part.flag("present_match") is not True:
            raise UnsayableError(f"agw does not compare {name} so")
        return Test(name, ValueKind.PRESENT)
    regex, cased = compared.part("safe_regex"), compared.flag("ignore_case") is not True
    text = compared.text("exact")
    if text is not None and cased:
        return Test(name, ValueKind.EXACT, text)
    if regex is not None:
        regex.ignore("google_re2")
        found = regex.text("regex") or ""
    elif text is not None:
        found = literal(text)
    elif (begins := compared.text("prefix")) is not None:
        found = f"{literal(begins)}.*"
    elif (ends := compared.text("suffix")) is not None:
        found = f".*{literal(ends)}"
    elif (holds := compared.text("contains")) is not None:
        found = f".*{literal(holds)}.*"
    else:
        raise UnsayableError(f"agw does not compare {name} so")
    found = found if cased else f"(?i){found}"
    expression(found)
    return Test(name, ValueKind.REGULAR_EXPRESSION, found)
