"""How requests are logged (``agw:AccessLog``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LogFormat"]


@dataclass(frozen=True, slots=True)
class LogFormat:
    """``fields`` (in the order of the line; empty: those of the standard one) and ``headers`` (names in lower case) are
    what a JSON line holds; ``template`` makes it text. Requests are logged that were answered with ``minimum_status``
    or above, or took longer than ``slower_seconds``; of the others ``sample_percent``. ``file`` is an absolute path;
    None: standard output."""

    iri: str
    fields: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    template: str | None = None
    minimum_status: int | None = None
    slower_seconds: float | None = None
    sample_percent: float = 100.0
    file: str | None = None

    @property
    def standard(self) -> bool:
        """Whether its line is the one that is written where nothing is stated."""
        return not (self.fields or self.headers or self.template)
