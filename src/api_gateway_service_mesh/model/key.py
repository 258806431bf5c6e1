"""What of a request a policy is keyed by (``agw:limitKey``, ``agw:hashKey``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["KeyKind", "RequestKey"]


class KeyKind(StrEnum):
    """The part of the request. Written ``client-address``, ``api-key``, ``claim:NAME``, ``header:NAME``,
    ``cookie:NAME``, ``route`` (the route itself; of limits alone)."""

    CLIENT_ADDRESS = "client-address"
    API_KEY = "api-key"
    CLAIM = "claim"
    HEADER = "header"
    COOKIE = "cookie"
    ROUTE = "route"


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A kind and, for claims, headers and cookies, the name (headers in lower case)."""

    kind: KeyKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else str(self.kind)
