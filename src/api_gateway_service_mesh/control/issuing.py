"""Certificates that look after themselves: asks their authorities before they end, and keeps what comes.

One task a certificate, in the control process, away from requests. What is issued is a file; the ports are told to read
it again, and connections to backends look by themselves. A failure changes nothing: the old certificate stays in use,
the failure is logged, counted and stands in the runtime graph, and it is tried again (`security.rotation` says when).
Of several gateways that share an authority's folder one asks at a time; the others find its certificate there.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Certificate, CertificateAuthority, IssuerKind, Mesh

from .used import used_certificates

if TYPE_CHECKING:
    from api_gateway_service_mesh.security.issued import IssuedPair

__all__ = ["Issuing", "RenewalState", "RenewalStatus"]

_log = logging.getLogger("agw.certificates")
_LOOK_EVERY_SECONDS = 30.0
"""At the latest: clocks are set, machines sleep, and another gateway may have renewed the file."""
_BUSY_SECONDS = 1.0


class RenewalState(StrEnum):
    """How a certificate that an authority issues is doing (``agw:renewalState``)."""

    WAITING = "WAITING"
    """None was issued yet: a stand-in is shown that nobody trusts."""
    CURRENT = "CURRENT"
    FAILING = "FAILING"
    """The last try failed; the one before is in use, if there is one."""


@dataclass
class RenewalStatus:
    """What a certificate's renewals came to. `due` is when the next is tried (UTC)."""

    state: RenewalState = RenewalState.WAITING
    due: datetime | None = None
    renewed: int = 0
    failed: int = 0
    error: str = ""
    failed_at: datetime | None = None


class Renewing(Protocol):
    """The open ports."""

    async def renew(self) -> list[int]:
        """Read certificates again."""


class Issuing:
    """See the module. Lives on one event loop.

    Args:
        ports: read their certificates again when one was issued.
        loading: held meanwhile, so that no configuration comes or goes.
        say: takes a line for whoever started the gateway.
    """

    def __init__(self, ports: Renewing, loading: asyncio.Lock, say: Callable[[str], None]) -> None:
        self._ports = ports
        self._loading = loading
        self._say = say
        self._random = random.Random()  # noqa: S311 - spreads load, guards nothing
        self._tasks: dict[Certificate, asyncio.Task[None]] = {}
        self._pushes: dict[str, asyncio.Event] = {}
        self._came: dict[str, tuple[str, datetime]] = {}
        self.statuses: dict[str, RenewalStatus] = {}

    async def prepare(self, mesh: Mesh) -> None:
        """Have agw's own authority issue what is missing, so that no stand-in is ever shown for it."""
        for certificate in _issued(mesh).values():
            authority = certificate.authority
            if authority is not None and authority.kind is IssuerKind.BUILT_IN:
                try:
                    await self._ask(certificate, self._status(certificate), only_missing=True)
                except AgwError as error:
                    self._failed(certificate, self._status(certificate), error)

    def update(self, mesh: Mesh) -> None:
        """Look after the certificates of `mesh`, and no others."""
        wanted = _issued(mesh)
        for certificate in [each for each in self._tasks if wanted.get(each.iri) != each]:
            self._tasks.pop(certificate).cancel()
        for iri in [iri for iri in self.statuses if iri not in wanted]:
            del self.statuses[iri]
            self._pushes.pop(iri, None)
            self._came.pop(iri, None)
        for iri, certificate in wanted.items():
            if certificate not in self._tasks:
                self._pushes[iri] = asyncio.Event()
                self._tasks[certificate] = asyncio.create_task(self._keep(certificate))

    def push(self, iri: str) -> bool:
        """Renew now; False: `iri` is no certificate that an authority issues."""
        wake = self._pushes.get(iri)
        if wake is not None:
            wake.set()
        return wake is not None

    async def stop(self) -> None:
        """Look after nothing any more."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _status(self, certificate: Certificate) -> RenewalStatus:
        return self.statuses.setdefault(certificate.iri, RenewalStatus())

    async def _keep(self, certificate: Certificate) -> None:
        status = self._status(certificate)
        authority = certificate.authority
        pushed = authority is not None and authority.kind in (IssuerKind.SPIFFE, IssuerKind.CONSUL)
        turn = self._follow if pushed else self._renew
        while True:
            try:
                await turn(certificate, status)
            except asyncio.CancelledError:
                raise
            except Exception:
                _log.exception("looking after the certificate %s failed", certificate.iri)
                await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def _renew(self, certificate: Certificate, status: RenewalStatus) -> None:
        """Wait until the certificate is due, and renew it; several times over when that fails."""
        from api_gateway_service_mesh.security.issued import IssuingBusy, current
        from api_gateway_service_mesh.security.rotation import renewal_due, retry_delay

        draw, failures, seen, begins = self._random.random(), 0, "", 0.0
        wake = self._pushes[certificate.iri]
        while True:
            facts = await asyncio.to_thread(current, certificate)
            now = datetime.now(UTC)
            if facts is not None and facts.fingerprint != seen:
                # What came just now is young, whatever it says: its validity begins minutes earlier, for
                # clocks that are slow, and a period shorter than that would have it renewed without a pause.
                first, came = not seen, self._came.get(certificate.iri)
                if came is not None and came[0] == facts.fingerprint:
                    begins = came[1].timestamp()
                else:
                    begins = (facts.not_before if first else now).timestamp()
                draw, seen, failures = self._random.random(), facts.fingerprint, 0
                status.state = RenewalState.CURRENT
            if failures == 0:
                due = now.timestamp()
                if facts is not None:
                    due = renewal_due(begins, facts.not_after.timestamp(), certificate.rotation_seconds, draw)
                status.due = datetime.fromtimestamp(due, UTC)
            left = (status.due - now).total_seconds() if status.due is not None else 0.0
            if left > 0 and not wake.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), min(left, _LOOK_EVERY_SECONDS))
                if not wake.is_set():
                    continue
            wake.clear()
            try:
                await self._ask(certificate, status, seen=seen)
                failures = 0
            except IssuingBusy:
                await asyncio.sleep(_BUSY_SECONDS)
            except AgwError as error:
                failures += 1
                self._failed(certificate, status, error)
                valid = (facts.not_after - now).total_seconds() if facts is not None else 0.0
                asked = getattr(error, "wait_seconds", None)
                delay = retry_delay(failures, valid, self._random.random(), asked)
                status.due = datetime.fromtimestamp(now.timestamp() + delay, UTC)

    async def _ask(
        self, certificate: Certificate, status: RenewalStatus, *, only_missing: bool = False, seen: str = ""
    ) -> None:
        """Ask for a certificate and keep it, unless another gateway has done so meanwhile.

        Raises:
            AgwError: there is none; what was there is there still.
        """
        from api_gateway_service_mesh.security.issued import current, folder_lock, keep

        authority = certificate.authority
        if authority is None:
            return
        with folder_lock(authority.folder):
            facts = await asyncio.to_thread(current, certificate)
            if facts is not None and (only_missing or facts.fingerprint != seen):
                return
            if authority.kind is IssuerKind.BUILT_IN:
                from api_gateway_service_mesh.security.authority import issue_pair

                pair = await asyncio.to_thread(issue_pair, authority.folder, certificate)
            else:
                from api_gateway_service_mesh.security.acme import obtain

                pair = await obtain(authority, certificate.names)
            kept = await asyncio.to_thread(keep, certificate, pair)
            self._came[certificate.iri] = kept.fingerprint, datetime.now(UTC)
        self._kept(certificate, status, kept.not_after)
        if not only_missing:
            await self._renewed()

    async def _follow(self, certificate: Certificate, status: RenewalStatus) -> None:
        """Take what the agent of SPIFFE, or of Consul, hands out, whenever it does."""
        from api_gateway_service_mesh.security.issued import current, keep
        from api_gateway_service_mesh.security.rotation import retry_delay

        authority = certificate.authority
        wake, failures = self._pushes[certificate.iri], 0
        while authority is not None:
            wake.clear()
            try:
                async for pair in _handed_out(authority, certificate.names):
                    facts = await asyncio.to_thread(keep, certificate, pair)
                    failures = 0
                    status.due = None
                    self._kept(certificate, status, facts.not_after)
                    await self._renewed()
            except AgwError as error:
                failures += 1
                self._failed(certificate, status, error)
            now = datetime.now(UTC)
            known = await asyncio.to_thread(current, certificate)
            left = (known.not_after - now).total_seconds() if known is not None else 0.0
            # An agent that is started again is there in a moment, and asking it costs nobody anything.
            delay = retry_delay(failures, left, self._random.random()) / 60
            status.due = datetime.fromtimestamp(now.timestamp() + delay, UTC)
            with suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), delay)

    async def _renewed(self) -> None:
        async with self._loading:
            await self._ports.renew()

    def _kept(self, certificate: Certificate, status: RenewalStatus, ends: datetime) -> None:
        status.renewed += 1
        status.state, status.error = RenewalState.CURRENT, ""
        self._say(f"certificate {certificate.iri} is issued, valid until {ends:%Y-%m-%d %H:%M} UTC")

    def _failed(self, certificate: Certificate, status: RenewalStatus, error: AgwError) -> None:
        status.failed += 1
        status.state, status.error, status.failed_at = RenewalState.FAILING, error.message, datetime.now(UTC)
        _log.error("certificate %s is not renewed, what there is stays in use: %s", certificate.iri, error.message)


def _handed_out(authority: CertificateAuthority, names: tuple[str, ...]) -> AsyncIterator[IssuedPair]:
    if authority.registry is not None:
        from api_gateway_service_mesh.discovery.consul_connect import leaf_certificates

        return leaf_certificates(authority.registry, names[0])
    from api_gateway_service_mesh.security.workload_api import x509_svids

    return x509_svids(authority.workload_api, names)


def _issued(mesh: Mesh) -> Mapping[str, Certificate]:
    return {each.iri: each for each in used_certificates(mesh) if each.authority is not None}
