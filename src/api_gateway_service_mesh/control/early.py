"""A start from what the last run compiled: requests are served before this process has read what they are served by."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from api_gateway_service_mesh.errors import AgwError

from .compiled import Compiled, Unreadable
from .discovery import Discovered
from .live import Live
from .open_ports import OpenPorts
from .placement import Placer
from .plane import Plane
from .snapshot import Sealed, Snapshot
from .watch import Watch

__all__ = ["Early"]

_log = logging.getLogger("agw.control")


class Early:
    """See the module. ``revision`` is the one that is served so, from when it is."""

    def __init__(
        self,
        plane: Plane,
        ports: OpenPorts,
        discovered: Discovered,
        placer: Placer,
        watch: Watch,
        say: Callable[[str], None],
    ) -> None:
        self.revision: int | None = None
        self._plane = plane
        self._ports = ports
        self._discovered = discovered
        self._placer = placer
        self._watch = watch
        self._say = say

    async def serve(self, compiled: Compiled, number: int) -> Live | None:
        """Serve it as revision `number`. None: it cannot be, and nothing is served.

        Raises:
            AgwError: a port cannot be had.
        """
        if compiled.looks_up:
            return await self._read_first(compiled, number)
        sealed = Sealed(compiled, number)
        wanted = self._ports.wanted(compiled.head)
        fresh = self._ports.reserved(wanted)
        try:
            try:
                await self._plane.pool.ship(sealed)
            except (AgwError, Unreadable) as error:
                _log.warning("what the last run compiled is not taken: %s", error)
                self._ports.give_back(fresh)
                return None
            await self._ports.open(wanted, fresh)
        except AgwError:
            self._ports.give_back(fresh)
            raise
        self.revision = number
        self._tell(compiled)
        snapshot = await asyncio.to_thread(sealed.snapshot)
        async with self._discovered.adopting(snapshot.mesh):
            slots = (await asyncio.to_thread(self._placer.place, snapshot.mesh, None)).slots
            placed = Snapshot(snapshot.mesh, slots, number)
            if slots == snapshot.slots:
                self._plane.pool.opened(placed)
            else:  # never so far: the same model is placed the same way
                await self._plane.pool.ship(placed)
        return self._watch.live(placed, datetime.now(UTC))

    async def _read_first(self, compiled: Compiled, number: int) -> Live | None:
        """What is served depends on what is discovered."""
        try:
            kept, _ = await asyncio.to_thread(compiled.read)
        except Unreadable:
            return None
        async with self._discovered.adopting(kept) as mesh:
            slots = (await asyncio.to_thread(self._placer.place, mesh, None)).slots
            snapshot = Snapshot(mesh, slots, number)
            wanted = self._ports.wanted(mesh)
            fresh = self._ports.reserved(wanted)
            try:
                await self._plane.pool.ship(snapshot)
                await self._ports.open(wanted, fresh)
            except AgwError:
                self._ports.give_back(fresh)
                raise
        self.revision = number
        self._tell(compiled)
        return self._watch.live(snapshot, datetime.now(UTC))

    def _tell(self, compiled: Compiled) -> None:
        self._say(f"{compiled.routes} routes are served as the last run compiled them; they are checked now")
