"""The overload guard at work: what this worker bears, watched by a timer; and the gate that sheds.

How late the timer comes is how long the loop's turns take: what every request waits. Memory is that of this process
times the number of workers, against what the control group, or else the machine, has. A request that is shed costs a
draw of a random number and a ready-made answer. Admin port and health live in the control process, and go on.
"""

from __future__ import annotations

import asyncio
import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from api_gateway_service_mesh.model import OverloadGuard, RequestPriority
from api_gateway_service_mesh.policies.overload import BANDS, Overload

from .concurrency import SHED
from .problem import Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["Guard", "Port", "granted_memory", "overload_gates"]

STEP_SECONDS = 0.05
_MEMORY_EVERY = 10
_PAGE = resource.getpagesize()


class Port(Protocol):
    """A listening port that can stop accepting for a while."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Guard:
    """Watches one worker. Made when a table with a guard goes live; `stop` ends it."""

    def __init__(self, config: OverloadGuard, core: Core, base: int) -> None:
        self.config = config
        self.machine = Overload(core.cells.view, base, core.worker)
        self.active = 0
        """Requests under way that this guard has seen begin."""
        self._core = core
        self._granted = granted_memory() * config.memory_share / core.workers
        self._memory = 0.0
        self._steps = 0
        self._shut = False
        self._due = core.loop.time() + STEP_SECONDS
        self._timer: asyncio.TimerHandle | None = core.loop.call_at(self._due, self._step)

    def stop(self) -> None:
        """Watch no more; ports accept again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._accept(True)

    def pressure(self, late: float) -> float:
        """The worst of what is watched, as parts of what is allowed; `late`: how long the timer had to wait."""
        config, workers = self.config, self._core.workers
        if self._steps % _MEMORY_EVERY == 0:
            self._memory = _resident() / self._granted
        found = max(late / config.loop_lag_seconds, self._memory)
        if config.active_requests is not None:
            found = max(found, self.active * workers / config.active_requests)
        if config.client_connections is not None:
            found = max(found, len(self._core.connections) * workers / config.client_connections)
        return found

    def _step(self) -> None:
        now = self._core.loop.time()
        late = max(0.0, now - self._due)
        self.machine.step(self.pressure(late), STEP_SECONDS + late)
        self._steps += 1
        self._accept(self.machine.accepting)
        self._due = now + STEP_SECONDS
        self._timer = self._core.loop.call_at(self._due, self._step)

    def _accept(self, wanted: bool) -> None:
        if wanted is self._shut:
            self._shut = not wanted
            for port in tuple(self._core.ports):
                if wanted:
                    port.resume()
                else:
                    port.pause()


def overload_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The outermost gate, where the gateway has a guard: 503 ``overloaded`` for what is shed."""
    guard = core.guard
    if guard is None or generation.mesh.overload is None or handler.route.challenge is not None:
        return []  # what is answered before this gate does not enter, so it must not be told to leave
    machine, random = guard.machine, core.random
    band = BANDS[handler.route.request_priority or RequestPriority.NORMAL]
    refusal = Refusal(
        503, "overloaded", "the gateway has too much to do", b"Retry-After: 1\r\n", generation.mesh.overload.iri
    )

    def ask(exchange: Exchange) -> Refusal | None:
        guard.active += 1
        if machine.level and machine.sheds(band, random()):
            exchange.flags = (*exchange.flags, SHED)
            return refusal
        return None

    def ended(exchange: Exchange, now: float) -> None:
        guard.active -= 1

    handler.on_end = (*handler.on_end, ended)
    return [ask]


def granted_memory() -> int:
    """Bytes that this process and its kin may have: the control group's limit (version 2 or 1), else the machine's."""
    machine = os.sysconf("SC_PHYS_PAGES") * _PAGE
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(file).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            return min(machine, int(text))
    return machine


def _resident() -> int:
    """Bytes of memory that this process has."""
    with open("/proc/self/statm", "rb") as stream:  # noqa: PTH123 - read twice a second, on the loop
        return int(stream.read().split()[1]) * _PAGE
