"""Where the cells of a revision lie, and what of it the workers have yet to be told.

Of a revision that changes little, only what changed is placed and shipped. Cells that nothing needs any more then stay
reserved for a while: they are given back when everything is placed anew, once in `_EVERY` revisions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.policies import CellLayout, layout_for, relayout

from .live import Live
from .plane import Plane
from .snapshot import MeshDifference

__all__ = ["Placement", "Placer", "empty_places"]

_EVERY = 64
_MANY = 4  # where more than one route or service in four is another one, everything is shipped

Slots = Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Placement:
    """``slots`` are all slots; ``difference`` and ``fresh`` what is different from the revision before, where that is
    little. ``whole``: nothing but what is needed has a slot."""

    slots: Slots
    whole: bool
    difference: MeshDifference | None = None
    fresh: Slots | None = None


class Placer:
    """Places one revision after the other. Its methods are for a thread, one at a time."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._partly = 0

    def place(self, mesh: Mesh, before: Live | None) -> Placement:
        """Reserve what `mesh` needs; `before` is what is served.

        Raises:
            CellsExhausted: there is no room.
        """
        layout, workers = self._plane.layout, self._plane.workers
        difference = MeshDifference.between(before.mesh, mesh) if before is not None else None
        if before is None or difference is None or _is_large(difference, mesh):
            self._partly = 0
            return Placement(layout_for(mesh, layout, workers), True)
        return self._part(mesh, before, difference)

    def _part(self, mesh: Mesh, before: Live, difference: MeshDifference) -> Placement:
        layout, workers = self._plane.layout, self._plane.workers
        if self._partly >= _EVERY:
            self._partly = 0
            slots = layout_for(mesh, layout, workers)
            fresh = {key: base for key, base in slots.items() if before.slots.get(key) != base}
            return Placement(slots, True, difference, fresh)
        self._partly += 1
        touched = {*difference.upstreams_gone, *(upstream.iri for upstream in difference.upstreams)}
        fresh = relayout(mesh, difference.routes, touched, before.slots, layout, workers)
        return Placement({**before.slots, **fresh} if fresh else before.slots, False, difference, fresh)

    def place_endpoints(self, mesh: Mesh, before: Live) -> Placement | None:
        """As `place`, where `mesh` has other endpoints than what is served and is the same otherwise: only they are
        shipped, however many services there are. None: they are the same too.

        Raises:
            CellsExhausted: there is no room.
        """
        difference = MeshDifference.between(before.mesh, mesh)
        return self._part(mesh, before, difference) if difference else None

    def release(self, placement: Placement) -> None:
        """`placement` is in force: give back what it does not need, where that is known."""
        if placement.whole:
            self._plane.layout.release_missing(set(placement.slots))


def empty_places(plane: Plane) -> Callable[[Mesh], Slots]:
    """Tells where the cells of a model lie when `plane` has just started and has placed nothing."""
    return lambda mesh: layout_for(mesh, CellLayout(plane.cells), plane.workers)


def _is_large(difference: MeshDifference, mesh: Mesh) -> bool:
    return len(difference) * _MANY > len(mesh.routes) + len(mesh.upstreams)
