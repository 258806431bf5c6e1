"""Discovered instances in what is served: over the model that was compiled, and on their way to the workers.

What the configuration states stands in while nothing is discovered. Discovered instances are spoken to as the service
is: over TLS where it has mTLS, or states an ``https://`` address. Their names are made of the service's and their
address, so that all state of an instance outlives that it comes and goes, a reload, and another registry.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from urllib.parse import quote

from api_gateway_service_mesh.discovery import Discoveries, Instance, Standing
from api_gateway_service_mesh.model import Discovery, Endpoint, Mesh, Upstream

from .live import Live
from .placement import Placer
from .plane import Pool
from .snapshot import Snapshot

__all__ = ["Discovered", "instance_iri"]

_FIRST_ANSWER_SECONDS = 1.0

_Made = tuple[Upstream, tuple[Instance, ...], Upstream]
"""A service as compiled, what is discovered of it, and what the two make."""


def instance_iri(service: str, address: str, port: int) -> str:
    """The name of a discovered instance."""
    return f"urn:agw:instance:{sha256(service.encode()).hexdigest()[:12]}:{quote(address, safe='')}:{port}"


class Discovered:
    """What is discovered for the configuration in force."""

    def __init__(self, discoveries: Discoveries) -> None:
        self._discoveries = discoveries
        self._made: dict[str, _Made] = {}
        self._compiled = Mesh("", "")
        self.shipping = asyncio.Lock()
        """Held while something is brought to those who serve: revisions and discovered instances take turns."""

    def __iter__(self) -> Iterator[tuple[Discovery, Standing]]:
        return iter(self._discoveries)

    @asynccontextmanager
    async def adopting(self, mesh: Mesh) -> AsyncIterator[Mesh]:
        """Follow what `mesh` looks up; it gives `mesh` with what is discovered. The first answers are waited for, for a
        second: a gateway that starts beside a running registry never has no instances. Where the block fails, all is
        as it was; it has its turn (see ``shipping``)."""
        async with self.shipping:
            before = self._compiled
            try:
                self._follow(mesh)
                if any(upstream.discovery is not None for upstream in mesh.upstreams):
                    await self._discoveries.answered(_FIRST_ANSWER_SECONDS)
                yield self.over(mesh)
            except BaseException:
                self._follow(before)
                raise

    def _follow(self, mesh: Mesh) -> None:
        self._compiled = mesh
        lookups = {each.discovery.iri: each.discovery for each in mesh.upstreams if each.discovery is not None}
        self._discoveries.adopt(lookups.values())

    def over(self, mesh: Mesh) -> Mesh:
        """`mesh`, as compiled, with what is discovered by now."""
        if not any(upstream.discovery is not None for upstream in mesh.upstreams):
            self._made.clear()
            return mesh
        before, self._made = self._made, {}
        return replace(mesh, upstreams=tuple(self._served(upstream, before) for upstream in mesh.upstreams))

    async def ship(self, live: Live, placer: Placer, pool: Pool) -> Live:
        """Bring what is discovered by now to those who serve `live`, and nothing else; what they serve then.

        Raises:
            AgwError: they do not take it, or there is no room; what was served still is.
        """
        mesh = self.over(self._compiled)
        placed = await asyncio.to_thread(placer.place_endpoints, mesh, live)
        if placed is None:
            return live
        edition = live.edition + 1
        await pool.ship(Snapshot(mesh, placed.slots, live.revision, edition), placed.difference, placed.fresh)
        placer.release(placed)
        return replace(live, mesh=mesh, slots=placed.slots, edition=edition)

    async def stop(self) -> None:
        """Ask no registry any more."""
        await self._discoveries.stop()

    def _served(
        self, upstream: Upstream, before: dict[str, tuple[Upstream, tuple[Instance, ...], Upstream]]
    ) -> Upstream:
        standing = self._discoveries.standing(upstream.discovery.iri) if upstream.discovery is not None else None
        if standing is None or not standing.held:
            return upstream
        known = before.get(upstream.iri)
        if known is None or known[0] is not upstream or known[1] is not standing.held:
            tls = upstream.tls is not None
            endpoints = (_endpoint(upstream.iri, instance, tls) for instance in standing.held)
            made = replace(upstream, endpoints=tuple(sorted(endpoints, key=_iri)))
            known = upstream, standing.held, made
        self._made[upstream.iri] = known
        return known[2]


def _endpoint(service: str, one: Instance, tls: bool) -> Endpoint:
    iri = instance_iri(service, one.address, one.port)
    return Endpoint(iri, one.address, one.port, tls, one.weight, one.zone or None, one.priority, one.labels)


def _iri(endpoint: Endpoint) -> str:
    return endpoint.iri
