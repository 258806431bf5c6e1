"""What requests are held against a description of the API (``agw:RequestValidation``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .authorization import Enforcement

__all__ = ["RequestValidation", "UnknownParameters"]


class UnknownParameters(StrEnum):
    """What becomes of a request with a query parameter that is not described."""

    ALLOW = "ALLOW"
    REFUSE = "REFUSE"


@dataclass(frozen=True, slots=True)
class RequestValidation:
    """``file``: the description's absolute path; ``description``: what it said when the configuration was read, as
    JSON. ``base``: what stands before its paths in requests; None: the path of its first server. ``operations``: the
    ids of those that are open; none: all. ``body_bytes``: of a body that is looked into, at most; ``body_depth``: of
    nested objects and arrays in it. ``enforcement``: whether requests are refused, or only reported."""

    iri: str
    file: str = ""
    description: str = "{}"
    base: str | None = None
    operations: tuple[str, ...] = ()
    unknown: UnknownParameters = UnknownParameters.ALLOW
    checks_formats: bool = False
    body_bytes: int = 1 << 20
    body_depth: int = 64
    enforcement: Enforcement = Enforcement.ENFORCE
