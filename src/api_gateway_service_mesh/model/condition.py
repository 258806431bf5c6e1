"""What a request must carry for a policy to act on it (``agw:HeaderMatch``, ``agw:CookieMatch``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .match import ValueKind

__all__ = ["ConditionSource", "RequestCondition"]


class ConditionSource(StrEnum):
    """Where the value stands."""

    HEADER = "header"
    COOKIE = "cookie"


@dataclass(frozen=True, slots=True)
class RequestCondition:
    """A predicate on a header (``name`` in lower case) or on a cookie; ``value`` is "" for ``Present``."""

    iri: str
    source: ConditionSource
    name: str
    kind: ValueKind = ValueKind.EXACT
    value: str = ""
