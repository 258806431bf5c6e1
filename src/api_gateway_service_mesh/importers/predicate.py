"""What Gateway API asks of header fields and query parameters."""

from __future__ import annotations

from api_gateway_service_mesh.model import ValueKind

from .draft import Test
from .part import Part
from .path import UnsayableError, expression

__all__ = ["tests"]


def tests(match: Part, key: str, *, header: bool) -> tuple[Test, ...] | None:
    """The predicates that `match` lists under `key`; None: one cannot be said, so that nothing of it can."""
    found: dict[str, Test] = {}
    for each in match.parts(key):
        kind, name, value = each.text("type") or "Exact", each.text("name") or "", each.text("value") or ""
        name = name.lower() if header else name
        if name in found:
            match.findings.differs(each.place, f"{match.name}: {name} stands twice; the first counts", note=True)
            continue
        if kind == "Exact":
            found[name] = Test(name, ValueKind.EXACT, value)
            continue
        try:
            if kind != "RegularExpression":
                raise UnsayableError(f"{kind!r} is no way to match that agw knows")
            expression(value)
        except UnsayableError as error:
            match.drop()
            match.findings.lost(each.place, f"{match.name} is not taken over: {error}", "correct it there")
            return None
        found[name] = (
            Test(name, ValueKind.PRESENT) if value == ".*" else Test(name, ValueKind.REGULAR_EXPRESSION, value)
        )
    return tuple(found.values())
