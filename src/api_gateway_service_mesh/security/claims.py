"""What tokens say of their bearer, read the same way wherever they say it: in a signed token, or by their server."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from api_gateway_service_mesh.model import JwtAuthentication, claim_text, claim_values

from .identity import header_text

__all__ = ["claim_demand", "claim_lines", "date_of", "forwarded_headers", "holds_audience", "scopes_of"]

_LAST_DATE = 253402300799
"""The end of the year 9999: a later exp is in other units, or no date at all."""


def date_of(claims: dict[str, Any], name: str) -> float | None:
    """A NumericDate (RFC 7519 §2): a finite number, not a text, not a truth value."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not -_LAST_DATE <= value <= _LAST_DATE or not math.isfinite(value):
        return None
    return float(value)


def holds_audience(audience: Any, wanted: tuple[str, ...]) -> bool:
    """RFC 7519 §4.1.3: a text, or a list of texts. A list with anything else in it is no audience."""
    if isinstance(audience, str):
        return audience in wanted
    if isinstance(audience, list) and all(isinstance(one, str) for one in audience):
        return not set(wanted).isdisjoint(audience)
    return False


def scopes_of(claims: Mapping[str, Any]) -> set[str]:
    """``scope`` (RFC 8693 §4.2), or ``scp`` as some issuers call it: one text with spaces, or a list of texts."""
    found: set[str] = set()
    for name in ("scope", "scp"):
        value = claims.get(name)
        if isinstance(value, str):
            found.update(value.split(" "))
        elif isinstance(value, list):
            found.update(one for one in value if isinstance(one, str))
    return found


def claim_demand(text: str) -> tuple[str, str | None]:
    """``agw:requiredClaim``: the name, and the value where one is demanded."""
    name, equals, value = text.partition("=")
    return name, value if equals else None


def forwarded_headers(claims: Iterable[str]) -> list[tuple[str, bytes]]:
    """Each claim that backends are told, with the name of its header field."""
    return [(claim, JwtAuthentication.claim_header(claim).encode("ascii")) for claim in claims]


def claim_lines(claims: dict[str, Any], headers: list[tuple[str, bytes]]) -> bytes:
    """The header lines, each with CR LF, that tell a backend of `claims`; none of a claim that is not there."""
    lines = []
    for claim, header in headers:
        found = claim_values(claims, claim)
        value = found[0] if found else None
        if value is not None:
            lines.append(b"%b: %b\r\n" % (header, header_text(claim_text(value)).encode("ascii")))
    return b"".join(lines)
