"""An answer that the gateway gives by itself (``agw:DirectResponse``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DirectResponse"]


@dataclass(frozen=True, slots=True)
class DirectResponse:
    """``fields`` are further header lines, ``Name: value``."""

    iri: str
    status: int = 200
    body: str = ""
    content_type: str = "text/plain; charset=utf-8"
    fields: tuple[str, ...] = ()
    is_template: bool = False
    """``body`` has places."""
