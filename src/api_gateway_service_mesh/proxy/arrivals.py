"""What a listener's connections come to: counted from the moment they are accepted until their socket closes.

A transport closes or detaches the socket that it was given, whatever becomes of its protocol: so the socket itself
tells that a connection is gone, on asyncio and on uvloop alike. Counts stand in the cells, so that all workers act on
them and the control process reads them.
"""

from __future__ import annotations

import json
import socket
from time import monotonic
from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import ConnectionCap, Listener
from api_gateway_service_mesh.policies import key_hash
from api_gateway_service_mesh.policies.connection_cap import FULL, UNCOUNTED, AddressTable, connection_cells
from api_gateway_service_mesh.policies.listener import LISTENER_CELLS, HandshakeFault, ListenerCounters

from .access_log import LogClock
from .forwarded import TrustedProxies
from .key import address_block

if TYPE_CHECKING:
    from .core import Core

__all__ = ["Arrivals", "Arrived"]

_ANY = 1 << 30
_LINES_A_SECOND = 20
_ADDRESS_KIND = "too-many-connections-from-address"
_FULL_KIND = "too-many-connections"


class Arrived(socket.socket):
    """An accepted connection, which tells `Arrivals` when it is gone."""

    __slots__ = ("address", "arrivals", "held")

    address: str
    arrivals: Arrivals | None
    held: tuple[int, int, int] | None
    """Where it is counted for its address: base of the table, place, hash."""

    @classmethod
    def of(cls, sock: socket.socket, address: str) -> Arrived:
        """Takes `sock` over."""
        made = cls(sock.family, sock.type, sock.proto, sock.detach())
        made.address = address
        made.arrivals = None
        made.held = None
        return made

    def close(self) -> None:
        """Close, and tell."""
        super().close()
        self._gone()

    def detach(self) -> int:
        """Give the descriptor to somebody who closes it, and tell."""
        descriptor = super().detach()
        self._gone()
        return descriptor

    def _gone(self) -> None:
        arrivals, self.arrivals = self.arrivals, None
        if arrivals is not None:
            arrivals.leave(self)


class Arrivals:
    """The connections of one open listener in this process. `core` gives cells and log; without one it counts for
    itself alone."""

    def __init__(self, listener: Listener, core: Core | None) -> None:
        self._core = core
        self._iri = listener.iri
        self._cap: ConnectionCap | None = None
        self._exempt = TrustedProxies(())
        self._slots: object = None
        self._counters: ListenerCounters | None = None
        self._counters_base = -1
        self._table: AddressTable | None = None
        self._table_base = -1
        self._own_cells: dict[str, memoryview[float]] = {}
        self._clock = LogClock()
        self._second = 0
        self._lines = 0
        self.open: set[Arrived] = set()
        self.adopt(listener)

    def adopt(self, listener: Listener) -> None:
        """From now on by this cap. Connections that are open are counted for their addresses anew, and stay."""
        if self._cap == listener.connection_cap:
            return
        self._cap = listener.connection_cap
        self._exempt = TrustedProxies(self._cap.exempt if self._cap is not None else ())
        self._look()
        self._recount()

    def admit(self, sock: Arrived, most: int, told: bool) -> str | None:
        """Count a connection that was accepted, or say why not: the kind of refusal. `most`: of the listener. `told`:
        who is turned away gets an answer, since plain text is spoken."""
        self._look()
        counters = self._counters
        assert counters is not None
        if len(self.open) >= most:
            counters.full()
            self._refused(sock, _FULL_KIND, "the listener holds as many connections as it may", 503 if told else 0)
            return _FULL_KIND
        if self._cap is not None and not self._enter(sock, self._cap.connections):
            counters.crowded()
            reason = f"its address holds {self._cap.connections} connections, as many as it may"
            self._refused(sock, _ADDRESS_KIND, reason, 429 if told else 0)
            return _ADDRESS_KIND
        sock.arrivals = self
        self.open.add(sock)
        counters.opened()
        return None

    def leave(self, sock: Arrived) -> None:
        """It is gone."""
        self._look()
        self.open.discard(sock)
        assert self._counters is not None
        self._counters.holds(-1)
        self._forget(sock)

    def failed(self, fault: HandshakeFault) -> None:
        """A TLS handshake came to nothing."""
        self._look()
        assert self._counters is not None
        self._counters.failed(fault)

    def _enter(self, sock: Arrived, most: int) -> bool:
        """Count it for its address; False when that holds as many as it may."""
        table, cap = self._table, self._cap
        if table is None or cap is None or self._exempt.trusts(sock.address):
            return True
        hashed = key_hash(address_block(sock.address, cap.ipv6_prefix_length))
        place = table.enter(hashed, most)
        if place == FULL:
            return False
        if place == UNCOUNTED:
            assert self._counters is not None
            self._counters.uncounted()
        else:
            sock.held = (self._table_base, place, hashed)
        return True

    def _forget(self, sock: Arrived) -> None:
        held, sock.held = sock.held, None
        if held is not None and self._table is not None and held[0] == self._table_base:
            self._table.leave(held[1], held[2])

    def _recount(self) -> None:
        for sock in self.open:
            self._forget(sock)
            self._enter(sock, _ANY)

    def _look(self) -> None:
        """Where the cells are now: a configuration may have them elsewhere."""
        core = self._core
        slots = core.generation.slots if core is not None and core.generation is not None else None
        if slots is self._slots and self._counters is not None and (self._cap is None) == (self._table is None):
            return
        self._slots = slots
        view, base = self._cells("listener", LISTENER_CELLS)
        worker = core.worker if core is not None else 0
        if base != self._counters_base or self._counters is None:
            self._counters = ListenerCounters(view, max(base, 0), worker if base >= 0 else 0)
            self._counters_base = base
            self._counters.holds(len(self.open))
        if self._cap is None:
            if self._table is not None:
                for sock in self.open:
                    self._forget(sock)
            self._table, self._table_base = None, -1
            return
        view, base = self._cells("connections", connection_cells(1))
        if self._table is None or base != self._table_base:
            if core is not None and base >= 0:
                self._table = AddressTable(view, base, worker, core.workers, core.lock)
            else:
                self._table = AddressTable(view, 0)
            self._table_base = base
            self._recount()

    def _cells(self, kind: str, size: int) -> tuple[memoryview[float], int]:
        """The cells of a kind and where they begin; of one's own (-1) where the configuration has none for it."""
        core = self._core
        if core is not None and core.generation is not None:
            base = core.generation.slots.get((kind, self._iri))
            if base is not None:
                return core.cells.view, base
        if kind not in self._own_cells:
            self._own_cells[kind] = memoryview(bytearray(size * 8)).cast("d")
        return self._own_cells[kind], -1

    def _refused(self, sock: Arrived, kind: str, reason: str, status: int) -> None:
        """Count a refusal by its kind, and log it: a few a second, since a flood is no reason for a flood of lines."""
        core = self._core
        generation = core.generation if core is not None else None
        if core is None or generation is None:
            return
        generation.count_refusal(kind)
        if not generation.access_log or core.write_log is None:
            return
        now = monotonic()
        if int(now) != self._second:
            self._second, self._lines = int(now), 0
        self._lines += 1
        if self._lines > _LINES_A_SECOND:
            return
        by = self._cap.iri if self._cap is not None and kind == _ADDRESS_KIND else self._iri
        line = {
            "time": self._clock.at(now).decode("ascii"),
            "client": sock.address,
            "status": status,
            "listener": self._iri,
            "revision": generation.revision,
            "flags": ["CL"],
            "refused_by": by,
            "reason": f"{kind}: {reason}",
        }
        core.write_log(json.dumps(line, separators=(",", ":")).encode("ascii"))
