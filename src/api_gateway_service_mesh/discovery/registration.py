"""An entry for the gateway itself in a registry, kept while it runs.

It is made as soon as the gateway serves, kept alive by heartbeats that say whether it is ready, and made anew where the
registry has forgotten it. A registry that does not answer is tried again after half a second, then after twice as long
each time, at most as often as it would hear a heartbeat; it holds nothing up. `withdraw` takes the entry back, before
the gateway drains, so that nobody is sent to a gateway that ends.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn, Protocol
from urllib.parse import urlsplit

import aiohttp

from api_gateway_service_mesh.model import Registration, RegistryType

from .asking import base_url, quoted
from .source import SourceError

__all__ = ["Entry", "Keeping", "Registrar", "RegistrationState", "Standing", "registrar_of"]

_FIRST_PAUSE_SECONDS = 0.5
_TIMEOUT_SECONDS = 10.0
_LAST_SECONDS = 2.0
_MISSES = 3
"""So many heartbeats may be lost before the entry counts for dead."""
_log = logging.getLogger("agw.registration")


class RegistrationState(StrEnum):
    """``agw:registrationState``."""

    WAITING = "WAITING"
    REGISTERED = "REGISTERED"
    LOST = "LOST"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a registry is told: ``id`` is the same after a restart, so that a gateway takes the place of its own entry.
    ``lives_seconds`` is how long it counts without a heartbeat."""

    id: str
    name: str
    address: str
    port: int
    secure: bool
    tags: tuple[str, ...]
    interval_seconds: float

    @property
    def lives_seconds(self) -> float:
        """How long it counts without a heartbeat."""
        return _MISSES * self.interval_seconds


class Registrar(Protocol):
    """How one kind of registry takes entries. All raise `SourceError`, OSError or TimeoutError."""

    async def register(self, session: aiohttp.ClientSession, entry: Entry, fault: str | None) -> None:
        """Make the entry; `fault`: why the gateway is not ready, None when it is."""

    async def beat(self, session: aiohttp.ClientSession, entry: Entry, fault: str | None) -> bool:
        """Keep it; False where the registry knows nothing of it."""

    async def withdraw(self, session: aiohttp.ClientSession, entry: Entry) -> None:
        """Take it back."""


@dataclass(slots=True)
class Standing:
    """How an entry stands; ``fault`` is why the registry's last answer was none, or no."""

    state: RegistrationState = RegistrationState.WAITING
    entry: Entry | None = None
    fault: str | None = None


class Keeping:
    """Keeps one entry. Lives on one event loop.

    Args:
        addresses: scheme, host and port of each open listener.
        fault: why the gateway is not ready; None when it is.
        after: what must be over first: entries that are taken back may have the same id.
    """

    def __init__(
        self,
        config: Registration,
        addresses: Callable[[], tuple[tuple[str, str, int], ...]],
        fault: Callable[[], str | None],
        after: Iterable[asyncio.Task[None]] = (),
    ) -> None:
        self.config = config
        self.standing = Standing()
        self._addresses = addresses
        self._fault = fault
        self._registrar = registrar_of(config)
        self._after = tuple(after)
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"registration {config.iri}")

    async def withdraw(self) -> None:
        """Take the entry back; for at most `_LAST_SECONDS`."""
        self._task.cancel()
        await asyncio.wait([self._task])
        entry = self.standing.entry
        if entry is None:
            return
        try:
            async with asyncio.timeout(_LAST_SECONDS), self._session() as session:
                await self._registrar.withdraw(session, entry)
        except (SourceError, OSError, TimeoutError, aiohttp.ClientError) as error:
            _log.warning("the entry %s could not be taken back: %s", entry.id, error or type(error).__name__)
        self.standing.state = RegistrationState.WAITING

    async def _run(self) -> None:
        standing, interval = self.standing, self.config.interval_seconds
        pause = _FIRST_PAUSE_SECONDS
        if self._after:
            await asyncio.wait(self._after)
        while True:
            try:
                async with self._session() as session:
                    await self._keep(session)
            except (SourceError, OSError, TimeoutError) as error:
                reason = str(error) or type(error).__name__
            except aiohttp.ClientError as error:
                reason = f"{type(error).__name__}{quoted(self.config.registry, error)}"
            except Exception as error:
                _log.exception("%s cannot be registered", self.config.name)
                reason = f"{type(error).__name__}: {error}"
            if standing.state is RegistrationState.REGISTERED:
                pause = _FIRST_PAUSE_SECONDS
            if standing.state is not RegistrationState.LOST:
                _log.warning("%s is not registered: %s", self.config.name, reason)
            standing.state, standing.fault = RegistrationState.LOST, reason
            await asyncio.sleep(pause)
            pause = min(2 * pause, interval)

    async def _keep(self, session: aiohttp.ClientSession) -> NoReturn:
        standing, interval = self.standing, self.config.interval_seconds
        told: str | None = None
        while True:
            entry = await self._entry()
            if entry is None:  # no port is open yet
                await asyncio.sleep(_FIRST_PAUSE_SECONDS)
                continue
            fault = self._fault()
            if standing.state is not RegistrationState.REGISTERED or entry != standing.entry:
                if standing.entry is not None and standing.entry.id != entry.id:
                    await self._registrar.withdraw(session, standing.entry)
                standing.entry = entry  # from here on there is something to take back
                await self._registrar.register(session, entry, fault)
            elif not await self._registrar.beat(session, entry, fault):
                _log.warning("the registry has forgotten %s; it is registered again", entry.id)
                await self._registrar.register(session, entry, fault)
            standing.state, standing.fault, told = RegistrationState.REGISTERED, None, fault
            await self._until_said(told, interval)

    async def _until_said(self, told: str | None, seconds: float) -> None:
        """Wait for the next heartbeat; not that long where the gateway is ready now and was not, or the other way."""
        end = asyncio.get_running_loop().time() + seconds
        while (self._fault() is None) == (told is None):
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await asyncio.sleep(min(left, _FIRST_PAUSE_SECONDS))

    async def _entry(self) -> Entry | None:
        config, addresses = self.config, self._addresses()
        if not addresses:
            return None
        scheme, host, port = addresses[0]
        address = config.address
        if address is None:
            address = await asyncio.to_thread(_seen_from, base_url(config.registry)) if _anywhere(host) else host
        port = config.port or port
        secure = scheme == "https"
        return Entry(
            f"{config.name}-{address}-{port}", config.name, address, port, secure, config.tags, config.interval_seconds
        )

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS))


def registrar_of(config: Registration) -> Registrar:
    """Who speaks to its registry."""
    if config.registry.type is RegistryType.EUREKA:
        from .eureka_registration import EurekaRegistrar

        return EurekaRegistrar(config.registry)
    from .consul_registration import ConsulRegistrar

    return ConsulRegistrar(config.registry)


def _anywhere(host: str) -> bool:
    return host in ("", "0.0.0.0", "::", "*")


def _seen_from(url: str) -> str:
    """This host's address towards the registry. Nothing is sent."""
    place = urlsplit(url)
    found = socket.getaddrinfo(place.hostname, place.port or 80, type=socket.SOCK_DGRAM)
    family, kind, protocol, _, target = found[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.connect(target)
        return str(probe.getsockname()[0])
