"""Who a caller has proved to be, and how it went when there was no proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from api_gateway_service_mesh.model import claim_text

__all__ = ["Denial", "Denied", "Identity", "claim_text", "header_text"]

_PLAIN = frozenset(chr(code) for code in range(0x20, 0x7F)) - {"%"}


class Denial(StrEnum):
    """Why a caller is not let in. The value is what the caller may be told."""

    ABSENT = "absent"
    INVALID = "invalid"
    EXPIRED = "expired"
    SCOPE = "scope"
    CLAIM = "claim"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Denied:
    """A refusal. ``reason`` is for the operator and repeats nothing of the credential; ``by`` is the IRI of the
    authentication that decided, ``scopes`` those that it demands."""

    denial: Denial
    reason: str
    by: str | None = None
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller that was accepted.

    ``fields`` are the header lines, each with CR LF, that tell the backend. `key` is what limits and balancers know
    the caller by. ``since`` and ``until`` bound, in seconds since 1970, when this may be remembered. ``scopes`` are
    what the token or key carries, ``owner`` whose the key is.
    """

    authentication: str
    fields: bytes = b""
    api_key: str = ""
    issuer: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    since: float = 0.0
    until: float = float("inf")
    scopes: frozenset[str] = frozenset()
    owner: str = ""

    def claim_key(self, name: str) -> str:
        """One text for each issuer and value of a claim; empty when the caller has no such claim."""
        value = self.claims.get(name)
        return "" if value is None else f"{self.issuer}\0{claim_text(value)}"


def header_text(text: str) -> str:
    """`text` as a header field's value: percent-encoded where it is not visible ASCII or is ``%`` itself, and at its
    ends where it is a space, so that decoding always gives the text back and nothing can end the line."""
    if text.isascii() and text.isprintable() and "%" not in text and text == text.strip():
        return text
    last = len(text) - 1
    return "".join(
        char
        if char in _PLAIN and not (char == " " and place in (0, last))
        else "".join(f"%{byte:02X}" for byte in char.encode("utf-8"))
        for place, char in enumerate(text)
    )
