"""The overload guard: sheds a part of the requests, the least important first, before the gateway itself collapses.

*Pressure* is the worst of what is watched, each as a part of what is allowed: how late the loop is, memory, requests
under way, connections. The *level* is how much is shed: a band a priority, from 0 (nothing) to 3 (all but what is
critical); 1.3 sheds everything of LOW and three in ten of NORMAL. It rises while the pressure is at 1 or more, the
faster the higher that is; it sinks while the pressure is below `CALM`; in between it stays. So the guard finds the
share that can be carried, instead of swinging between all and nothing.

When all bands are shed and the pressure is still there, no connection is accepted any more, until the level is down by
one band. State: a column a worker (each guards itself), all at 0.0 at first.
"""

from __future__ import annotations

from api_gateway_service_mesh.model import RequestPriority

from .row import row

__all__ = ["BANDS", "CALM", "OVERLOAD_CELLS", "TOP", "Overload", "read_overload"]

CALM = 0.8
TOP = 3.0
RISE_PER_SECOND = 1.0
SINK_PER_SECOND = 0.5

BANDS = {
    RequestPriority.LOW: 0.0,
    RequestPriority.NORMAL: 1.0,
    RequestPriority.HIGH: 2.0,
    RequestPriority.CRITICAL: TOP,
}
"""The level at which a priority begins to be shed; what is critical never is."""

_LEVEL, _PRESSURE, _SHED, _SHUT = range(4)
OVERLOAD_CELLS = 8


class Overload:
    """One worker's guard."""

    __slots__ = ("_column", "_view")

    def __init__(self, view: memoryview[float], base: int, worker: int = 0) -> None:
        self._view = view
        self._column = base + worker * OVERLOAD_CELLS

    def step(self, pressure: float, seconds: float) -> None:
        """`seconds` have passed since the last step, and the pressure is now so."""
        view, column = self._view, self._column
        level = view[column]
        if pressure >= 1.0:
            level += RISE_PER_SECOND * (1.0 + min(9.0, 10.0 * (pressure - 1.0))) * seconds
        elif pressure < CALM:
            level -= SINK_PER_SECOND * seconds
        level = min(TOP, max(0.0, level))
        view[column] = level
        view[column + _PRESSURE] = pressure
        if level == TOP and pressure >= 1.0:
            view[column + _SHUT] = 1.0
        elif level <= TOP - 1.0:
            view[column + _SHUT] = 0.0

    def sheds(self, band: float, random: float) -> bool:
        """Whether to refuse a request of `band`; counted when so. `random` is in [0, 1)."""
        if band + random >= self._view[self._column]:
            return False
        self._view[self._column + _SHED] += 1.0
        return True

    @property
    def level(self) -> float:
        """How much is shed, from 0 to 3."""
        return self._view[self._column]

    @property
    def accepting(self) -> bool:
        """Whether new connections are to be accepted."""
        return not self._view[self._column + _SHUT]

    def __repr__(self) -> str:
        return f"<Overload level={self.level:.2f} pressure={self._view[self._column + _PRESSURE]:.2f}>"


def read_overload(view: memoryview[float], base: int, workers: int) -> tuple[str, float, int]:
    """Over all workers: ``agw:overloadState``, the worst pressure, and how many requests were shed."""
    columns = [row(view[base + w * OVERLOAD_CELLS : base + (w + 1) * OVERLOAD_CELLS]) for w in range(workers)]
    shut = any(column[_SHUT] for column in columns)
    state = "SHUT" if shut else "SHEDDING" if any(column[_LEVEL] for column in columns) else "CALM"
    return state, max(column[_PRESSURE] for column in columns), int(sum(column[_SHED] for column in columns))
