"""Faults made on purpose (``agw:FaultInjection``)."""

from __future__ import annotations

from dataclasses import dataclass

from .condition import RequestCondition

__all__ = ["Fault"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Of the requests for which all of ``triggered_by`` hold (with none, of all), so many per cent are held back, so
    many aborted; so many lose their connection without an answer, and of so many the answer breaks off after
    ``truncate_bytes`` of its body. Each share is drawn by itself."""

    iri: str
    delay_seconds: float | None = None
    delay_percent: float = 100.0
    abort_status: int | None = None
    abort_percent: float = 100.0
    triggered_by: tuple[RequestCondition, ...] = ()
    reset_percent: float = 0.0
    truncate_percent: float = 0.0
    truncate_bytes: int = 0
