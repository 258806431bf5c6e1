"""Active health checks: asks every endpoint of an upstream with an `agw:HealthCheck` how it is, and tells the cells.

Rules of this module:

- One process probes (worker 0, or the one process of an embedding); the others read the state in the shared cells.
- What a probe is, and when it succeeds, stands in `proxy.probe`; what follows from it in `policies.health`.
- Probes of one kind to one endpoint never overlap; their interval is jittered, so that a fleet does not fall into step.
- A reload leaves endpoints whose address and check did not change alone, state and rhythm.
- What may not be spoken to in plain text is not probed in plain text either.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from time import monotonic
from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import CheckProtocol, Endpoint, HealthCheck, Mesh, Purpose, UpstreamTls
from api_gateway_service_mesh.policies import EPOCH_SLOT
from api_gateway_service_mesh.policies.cells import CellStore
from api_gateway_service_mesh.policies.health import EndpointHealth, HealthState
from api_gateway_service_mesh.policies.lock import NO_LOCK, Lock

from .probe import Probes, grpc_installed

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HealthProber"]

_log = logging.getLogger(__name__)

_FIRST_PROBE_WITHIN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is probed and how; equal subjects go on undisturbed through a reload."""

    endpoint: Endpoint
    checks: dict[Purpose, HealthCheck]
    tls: UpstreamTls | None
    base: int
    epoch: int


class HealthProber:
    """Probes what `update` was given, until `stop`. Lives on one event loop.

    Args:
        cells: where the health of endpoints is kept, at the slots ``("health", endpoint IRI)``.
        lock: of the cells, where other processes write to them.
        random: spreads the probes.
        changed: called with an endpoint's IRI each time its state changed.
    """

    def __init__(
        self,
        cells: CellStore,
        *,
        lock: Lock = NO_LOCK,
        random: Random | None = None,
        changed: Callable[[str], None] | None = None,
    ) -> None:
        self._cells = cells
        self._lock = lock
        self._random = random or Random()  # noqa: S311 - spreads probes, keeps no secret
        self._changed = changed
        self._running: dict[str, tuple[_Subject, list[asyncio.Task[None]]]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._probes = Probes()
        self.failures: dict[str, str] = {}
        """Why the last probe of an endpoint failed, by IRI; endpoints whose last probe succeeded are not in it."""

    @property
    def probed(self) -> frozenset[str]:
        """The IRIs of the endpoints being probed."""
        return frozenset(self._running)

    def update(self, mesh: Mesh, slots: Mapping[tuple[str, str], int]) -> None:
        """Probe the endpoints of `mesh` from now on. Endpoints that changed or lost their check are UNKNOWN again."""
        wanted = {subject.endpoint.iri: subject for subject in _subjects(mesh, slots)}
        for iri, (subject, tasks) in tuple(self._running.items()):
            if wanted.get(iri) == subject:
                del wanted[iri]
                continue
            del self._running[iri]
            self.failures.pop(iri, None)
            for task in tasks:
                task.cancel()
            base = slots.get(("health", iri))
            if base is not None:
                self._health(subject, base).reset()
        for iri, subject in wanted.items():
            started: list[asyncio.Task[None]] = []
            for purpose, check in subject.checks.items():
                if check.protocol is CheckProtocol.GRPC and not grpc_installed():
                    _log.error("%s (%s) is not probed: gRPC checks need the extra 'grpc'", iri, purpose)
                    continue
                task = asyncio.get_running_loop().create_task(self._watch(subject, purpose), name=f"{purpose} {iri}")
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)
                started.append(task)
            self._running[iri] = (subject, started)

    async def stop(self) -> None:
        """End all probes; the states in the cells stay."""
        self._running.clear()
        tasks = tuple(self._ending)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._probes.close()

    async def probe(self, endpoint: Endpoint, check: HealthCheck, tls: UpstreamTls | None = None) -> str | None:
        """Ask once: None when the endpoint is well, else a sentence saying what is wrong."""
        return await self._probes.ask(endpoint, check, tls)

    async def _watch(self, subject: _Subject, purpose: Purpose) -> None:
        endpoint, check = subject.endpoint, subject.checks[purpose]
        health = self._health(subject, subject.base)
        if health.begin(monotonic()):
            self._tell(endpoint, health, None)
        await asyncio.sleep(self._random.random() * min(_FIRST_PROBE_WITHIN_SECONDS, check.interval_seconds))
        while True:
            began = monotonic()
            if health.asks(purpose):
                fault = await self._probes.ask(endpoint, check, subject.tls)
                if fault is None:
                    self.failures.pop(endpoint.iri, None)
                else:
                    self.failures[endpoint.iri] = fault
                if health.record(purpose, fault is None, monotonic()):
                    self._tell(endpoint, health, fault)
            interval = check.interval_seconds
            if check.unhealthy_interval_seconds is not None and health.state is not HealthState.HEALTHY:
                interval = check.unhealthy_interval_seconds
            spread = 1.0 + check.jitter / 100 * (2.0 * self._random.random() - 1.0)
            await asyncio.sleep(max(0.0, interval * spread - (monotonic() - began)))

    def _tell(self, endpoint: Endpoint, health: EndpointHealth, fault: str | None) -> None:
        if health.state is HealthState.UNHEALTHY:
            _log.warning("%s (%s) is unhealthy: %s", endpoint.authority, endpoint.iri, fault or "its probes failed")
        else:
            _log.info("%s (%s) is %s", endpoint.authority, endpoint.iri, health.state.name.lower())
        if self._changed is not None:
            with contextlib.suppress(Exception):  # an observer's fault must not end the probes
                self._changed(health.iri)

    def _health(self, subject: _Subject, base: int) -> EndpointHealth:
        return EndpointHealth(subject.endpoint.iri, subject.checks, self._cells.view, base, self._lock, subject.epoch)


def _subjects(mesh: Mesh, slots: Mapping[tuple[str, str], int]) -> Iterator[_Subject]:
    epoch = slots.get(EPOCH_SLOT, -1)
    for upstream in mesh.upstreams:
        if upstream.health is None and upstream.liveness is None and upstream.startup is None:
            continue
        checks = upstream.checks
        if upstream.plaintext_forbidden:
            continue
        for endpoint in upstream.endpoints:
            base = slots.get(("health", endpoint.iri))
            if base is not None:
                yield _Subject(endpoint, checks, upstream.tls, base, epoch)
