"""The ports that the workers listen on: opened, renewed and closed as configurations come and go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Listener, Mesh

from .plane import Pool
from .ports import Reservation, reserve
from .workers import Binding

__all__ = ["OpenPorts", "Place"]

Place = tuple[str, int]
"""Address and port, as they are asked for (port 0: any)."""


class OpenPorts:
    """What is listened on. ``host`` and ``port`` take the place of what configurations say."""

    def __init__(self, pool: Pool, host: str | None, port: int | None) -> None:
        self._pool = pool
        self._host = host
        self._port = port
        self._reservations: dict[Place, Reservation] = {}
        self._bindings: dict[Place, Binding] = {}

    @property
    def addresses(self) -> tuple[tuple[str, str, int], ...]:
        """Scheme, host and port of every open listener."""
        return tuple(
            ("http" if binding.listener.certificate is None else "https", binding.host, binding.port)
            for binding in self._bindings.values()
        )

    def wanted(self, mesh: Mesh) -> dict[Place, Listener]:
        """Where to listen: the model's listeners, or the options' one place, or 0.0.0.0:8080.

        Raises:
            AgwError: one port is to stand for several listeners.
        """
        listeners = mesh.listening
        if self._port is not None and len(listeners) > 1:
            raise AgwError(
                f"the configuration states {len(listeners)} listeners, so --port cannot say which one it means",
                remedy="leave --port out, or state one agw:Listener",
            )
        found: dict[Place, Listener] = {}
        for listener in listeners:
            port = listener.port if self._port is None else self._port
            found[self._host if self._host is not None else listener.bind_address, port] = listener
        return found

    def reserved(self, wanted: Mapping[Place, Listener]) -> dict[Place, Reservation]:
        """The places that are not open yet, kept for `open`.

        Raises:
            AgwError: one cannot be had; none is kept.
        """
        fresh: dict[Place, Reservation] = {}
        try:
            for place, listener in wanted.items():
                if place not in self._bindings:
                    fresh[place] = reserve(listener, *place)
        except AgwError:
            self.give_back(fresh)
            raise
        return fresh

    def give_back(self, fresh: Mapping[Place, Reservation]) -> None:
        """Let go of what `reserved` kept and `open` did not open."""
        for place, reservation in fresh.items():
            if place not in self._bindings:
                reservation.close()

    async def open(self, wanted: Mapping[Place, Listener], fresh: Mapping[Place, Reservation]) -> None:
        """Open new ports, and renew what changed on open ones. A port that fails leaves those opened before it
        closed."""
        opened: list[Place] = []
        try:
            for place, listener in wanted.items():
                known = self._bindings.get(place)
                if known is not None and known.listener == listener:
                    continue
                port = known.port if known is not None else fresh[place].port
                binding = Binding(listener, place[0], port)
                await self._pool.listen(binding)
                if known is None:
                    opened.append(place)
                    self._reservations[place] = fresh[place]
                self._bindings[place] = binding
        except AgwError:
            for place in opened:
                await self._pool.close(self._bindings.pop(place).key)
                del self._reservations[place]
            raise

    async def close_others(self, wanted: Iterable[Place]) -> None:
        """Close what is not wanted any more."""
        kept = set(wanted)
        for place in [place for place in self._bindings if place not in kept]:
            await self._pool.close(self._bindings.pop(place).key)
            self._reservations.pop(place).close()

    async def renew(self) -> list[int]:
        """The same configuration again: its certificate files may have new content. The ports that have some."""
        renewed = [binding for binding in self._bindings.values() if binding.listener.certificate is not None]
        for binding in renewed:
            await self._pool.listen(binding)
        return [binding.port for binding in renewed]

    def close(self) -> None:
        """Let go of all reservations."""
        for reservation in self._reservations.values():
            reservation.close()
