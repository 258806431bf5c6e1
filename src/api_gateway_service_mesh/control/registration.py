"""The gateway's own entries in registries: those that the revision in force states, while it serves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from api_gateway_service_mesh.discovery.registration import Keeping, Standing
from api_gateway_service_mesh.model import Mesh, Registration

__all__ = ["Registrations"]

Addresses = Callable[[], tuple[tuple[str, str, int], ...]]


class Registrations:
    """Lives on one event loop.

    Args:
        addresses: scheme, host and port of each open listener.
        fault: why the gateway is not ready; None when it is.
    """

    def __init__(self, addresses: Addresses, fault: Callable[[], str | None]) -> None:
        self._addresses = addresses
        self._fault = fault
        self._kept: dict[str, Keeping] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[tuple[Registration, Standing]]:
        return ((kept.config, kept.standing) for kept in self._kept.values())

    def update(self, mesh: Mesh) -> None:
        """Keep the entries of `mesh` and no others; those that did not change are left alone."""
        before, self._kept = self._kept, {}
        for config in mesh.registrations:
            known = before.get(config.iri)
            if known is not None and known.config == config:
                self._kept[config.iri] = before.pop(config.iri)
        leaving = [asyncio.get_running_loop().create_task(kept.withdraw()) for kept in before.values()]
        self._leaving.update(leaving)
        for task in leaving:
            task.add_done_callback(self._leaving.discard)
        for config in mesh.registrations:
            if config.iri not in self._kept:
                self._kept[config.iri] = Keeping(config, self._addresses, self._fault, leaving)

    async def stop(self) -> None:
        """Take all entries back."""
        await asyncio.gather(*(kept.withdraw() for kept in self._kept.values()), *self._leaving)
