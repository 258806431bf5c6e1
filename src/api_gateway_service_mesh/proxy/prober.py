"""Active health checks: asks every endpoint of an upstream with an `agw:HealthCheck` how it is, and tells the cells.

Rules of this module:

- One process probes (worker 0, or the one process of an embedding); the others read the state in the shared cells.
- A probe is a plain GET on a connection of its own: no redirect followed, no cookie kept, no body read. 2xx within
  ``healthCheckTimeout`` is a success, anything else (refused, late, another status, a certificate that does not hold) a
  failure.
- Probes of one endpoint never overlap; their interval is jittered by a tenth, so that a fleet does not fall into step.
- A reload leaves endpoints whose address and check did not change alone, state and rhythm.
- What may not be spoken to in plain text is not probed in plain text either.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from time import monotonic
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Endpoint, HealthCheck, Mesh, UpstreamTls
from api_gateway_service_mesh.policies.cells import CellStore
from api_gateway_service_mesh.policies.health import EndpointHealth
from api_gateway_service_mesh.policies.lock import NO_LOCK, Lock
from api_gateway_service_mesh.security.tls import client_context, server_name

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HealthProber"]

_log = logging.getLogger(__name__)

_JITTER = 0.1
_FIRST_PROBE_WITHIN_SECONDS = 0.5
_AT_ONCE = 128


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is probed and how; equal subjects go on undisturbed through a reload."""

    endpoint: Endpoint
    check: HealthCheck
    tls: UpstreamTls | None
    base: int


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
        self._running: dict[str, tuple[_Subject, asyncio.Task[None]]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._places = asyncio.Semaphore(_AT_ONCE)
        self.failures: dict[str, str] = {}
        """Why the last probe of an endpoint failed, by IRI; endpoints whose last probe succeeded are not in it."""

    @property
    def probed(self) -> frozenset[str]:
        """The IRIs of the endpoints being probed."""
        return frozenset(self._running)

    def update(self, mesh: Mesh, slots: Mapping[tuple[str, str], int]) -> None:
        """Probe the endpoints of `mesh` from now on. Endpoints that changed or lost their check are UNKNOWN again."""
        wanted = {subject.endpoint.iri: subject for subject in _subjects(mesh, slots)}
        for iri, (subject, task) in tuple(self._running.items()):
            if wanted.get(iri) == subject:
                del wanted[iri]
                continue
            del self._running[iri]
            self.failures.pop(iri, None)
            task.cancel()
            base = slots.get(("health", iri))
            if base is not None:
                self._health(subject, base).reset()
        for iri, subject in wanted.items():
            task = asyncio.get_running_loop().create_task(self._watch(subject), name=f"health {iri}")
            self._running[iri] = (subject, task)
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def stop(self) -> None:
        """End all probes; the states in the cells stay."""
        self._running.clear()
        tasks = tuple(self._ending)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def probe(self, endpoint: Endpoint, check: HealthCheck, tls: UpstreamTls | None = None) -> str | None:
        """Ask once: None when the endpoint is well, else a sentence saying what is wrong."""
        secure: ssl.SSLContext | bool = False
        name: str | None = None
        if endpoint.tls or tls is not None:
            try:
                secure = client_context(tls or UpstreamTls())
            except AgwError as fault:
                return fault.message
            name = server_name(endpoint, tls)
        scheme = "https" if name is not None else "http"
        path = check.path if check.path.startswith("/") else f"/{check.path}"
        url = URL(f"{scheme}://{endpoint.authority}{path}", encoded=True)
        timeout = aiohttp.ClientTimeout(total=check.timeout_seconds)
        try:
            async with self._client().get(
                url, allow_redirects=False, ssl=secure, server_hostname=name, timeout=timeout
            ) as answer:
                if 200 <= answer.status < 300:
                    return None
                return f"{url} answered {answer.status}"
        except TimeoutError:
            return f"{url} did not answer within {check.timeout_seconds:g} s"
        except aiohttp.ClientConnectorCertificateError as fault:
            return f"the certificate of {endpoint.authority} is not accepted: {fault.certificate_error}"
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            return f"{url} cannot be asked: {fault or type(fault).__name__}"

    async def _watch(self, subject: _Subject) -> None:
        endpoint, check = subject.endpoint, subject.check
        health = self._health(subject, subject.base)
        await asyncio.sleep(self._random.random() * min(_FIRST_PROBE_WITHIN_SECONDS, check.interval_seconds))
        while True:
            began = monotonic()
            async with self._places:
                fault = await self.probe(endpoint, check, subject.tls)
            if fault is None:
                self.failures.pop(endpoint.iri, None)
            else:
                self.failures[endpoint.iri] = fault
            if health.record(fault is None, monotonic()):
                self._tell(endpoint, health, fault)
            spread = 1.0 + _JITTER * (2.0 * self._random.random() - 1.0)
            await asyncio.sleep(max(0.0, check.interval_seconds * spread - (monotonic() - began)))

    def _tell(self, endpoint: Endpoint, health: EndpointHealth, fault: str | None) -> None:
        if fault is None:
            _log.info("%s (%s) is healthy", endpoint.authority, endpoint.iri)
        else:
            _log.warning("%s (%s) is unhealthy: %s", endpoint.authority, endpoint.iri, fault)
        if self._changed is not None:
            with contextlib.suppress(Exception):  # an observer's fault must not end the probes
                self._changed(health.iri)

    def _health(self, subject: _Subject, base: int) -> EndpointHealth:
        return EndpointHealth(subject.endpoint.iri, subject.check, self._cells.view, base, self._lock)

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, limit=_AT_ONCE, use_dns_cache=False),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"User-Agent": "agw-health"},
                trust_env=False,
            )
        return self._session


def _subjects(mesh: Mesh, slots: Mapping[tuple[str, str], int]) -> Iterator[_Subject]:
    for upstream in mesh.upstreams:
        if upstream.health is None or upstream.plaintext_forbidden:
            continue
        for endpoint in upstream.endpoints:
            base = slots.get(("health", endpoint.iri))
            if base is not None:
                yield _Subject(endpoint, upstream.health, upstream.tls, base)
