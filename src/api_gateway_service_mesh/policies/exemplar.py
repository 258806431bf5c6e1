"""Exemplars: of each route the newest request that was traced, so that a histogram can name a trace.

A column of a slot is written by its worker alone. ``WHEN`` is 0 while the others change: what is read while it is
written is not taken for an exemplar.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EXEMPLAR_CELLS", "Exemplar", "ExemplarColumn", "read_exemplar"]

WHEN = 0
SECONDS = 1
ID = 2  # four cells of 32 bits: what a double holds exactly
EXEMPLAR_CELLS = 8


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A request that took so many ``seconds``, ended ``when`` (seconds since 1970), and its trace's id in 32
    hexadecimal digits."""

    seconds: float
    when: float
    trace_id: str


class ExemplarColumn:
    """One worker's exemplar of one route."""

    __slots__ = ("_column", "_view")

    def __init__(self, view: memoryview[float], base: int, worker: int = 0) -> None:
        self._view = view
        self._column = base + worker * EXEMPLAR_CELLS

    def note(self, seconds: float, when: float, trace_id: bytes) -> None:
        """A traced request has ended. `trace_id`: 32 hexadecimal digits."""
        view, column = self._view, self._column
        view[column + WHEN] = 0.0
        view[column + SECONDS] = seconds
        number = int(trace_id, 16)
        for part in range(4):
            view[column + ID + part] = float(number >> (96 - 32 * part) & 0xFFFFFFFF)
        view[column + WHEN] = when


def read_exemplar(view: memoryview[float], base: int, workers: int) -> Exemplar | None:
    """The newest over all workers; None where nothing was traced yet."""
    newest: Exemplar | None = None
    for worker in range(workers):
        column = base + worker * EXEMPLAR_CELLS
        when, seconds = view[column + WHEN], view[column + SECONDS]
        parts = [int(view[column + ID + part]) for part in range(4)]
        if not when or view[column + WHEN] != when:
            continue
        if newest is None or when > newest.when:
            newest = Exemplar(seconds, when, "".join(f"{part:08x}" for part in parts))
    return newest
