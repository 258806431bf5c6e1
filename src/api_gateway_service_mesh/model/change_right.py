"""Who may change which statements of the configuration (``agw:ChangeRight``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ChangeRight"]


@dataclass(frozen=True, slots=True)
class ChangeRight:
    """``granted_to`` and ``subjects`` are patterns (``*``: any text), ``classes`` and ``properties`` IRIs; what is
    empty demands nothing, but for ``granted_to``. Statements about rights take one that ``may_grant``."""

    iri: str
    granted_to: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    may_grant: bool = False
