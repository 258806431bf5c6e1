"""A data-plane worker: ``python -m api_gateway_service_mesh.control.worker``, started by `control.workers`.

It holds a compiled table and the policies' cells, and knows no RDF. All it is told comes over one channel; when that
ends the control process is gone, and the worker drains and ends as well.

A new table is taken in without holding up requests: it comes in small frames with turns of the loop between, is
compiled in a thread that has to give way every half millisecond, and goes live in one step between two requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Listener
from api_gateway_service_mesh.policies import NO_LOCK, CellStore, prepare_hashes
from api_gateway_service_mesh.proxy.downstream import ClientConnection
from api_gateway_service_mesh.proxy.engine import Engine, Stale
from api_gateway_service_mesh.proxy.listener import OpenListener, open_listener
from api_gateway_service_mesh.proxy.overload import Port
from api_gateway_service_mesh.routing import RoutingTable, compile_table, recompile_table
from api_gateway_service_mesh.telemetry import AccessLog
from api_gateway_service_mesh.telemetry.audit import AUDIT_SECONDS, AuditBuffer

from .arguments import WorkerArguments
from .channel import Channel, ChannelClosed
from .lock import attach_lock, remove_lock
from .memory import Collections
from .snapshot import Assembly, Patched, PatchLost, Sealed, Snapshot

__all__ = ["Worker", "main"]

_SWITCH_SECONDS = 0.0005
_AUDIT_RECORDS = 2000
"""Records in one message."""
_LEAST_GROWTH = 64 * 1024 * 1024
_log = logging.getLogger("agw.worker")


class _Port:
    """An open port and what it serves as: certificates and limits can be replaced while it stays open."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.opened: OpenListener
        self.ports: set[Port] = set()
        self._slots: Sequence[Sequence[socket.socket]] = ()

    @classmethod
    async def open(
        cls, engine: Engine, listener: Listener, slots: Sequence[Sequence[socket.socket]], own: int
    ) -> _Port:
        """`slots`: every worker's listening sockets, of which those of number `own` are accepted from."""
        made = cls(listener)
        made._slots = slots
        core = engine.core()
        made.ports = core.ports
        made.opened = await open_listener(
            listener,
            lambda: cast(asyncio.Protocol, ClientConnection(core, made._listener.limits)),
            sockets=slots[own],
            siblings=[sock for number, slot in enumerate(slots) if number != own for sock in slot],
            core=core,
        )
        core.ports.add(made.opened)
        return made

    def cover(self, workers: Iterable[int]) -> None:
        """Accept what these workers would, who are away."""
        self.opened.cover([sock for number in workers for sock in self._slots[number]])

    def replace(self, listener: Listener) -> None:
        self.opened.replace(listener)
        self._listener = listener


class Worker:
    """The loop of one worker: takes tables and orders from the channel, serves with its engine."""

    def __init__(self, arguments: WorkerArguments) -> None:
        self._arguments = arguments
        self._access_log: AccessLog | None = None
        self._audit = AuditBuffer()
        self._ports: dict[str, _Port] = {}
        self._covers: Sequence[int] = ()
        self._table: RoutingTable | None = None
        self._collections = Collections(_LEAST_GROWTH)
        self._parent = os.getppid()
        self._orphan = False
        self._drain_seconds = 10.0
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Serve until told to drain, or until the control process is gone."""
        arguments = self._arguments
        loop = asyncio.get_running_loop()
        channel = await Channel.over(socket.socket(fileno=arguments.channel), socket.socket(fileno=arguments.beside))
        self._access_log = AccessLog()
        engine = Engine(
            cells=CellStore.attach(arguments.cells_fd, arguments.cells),
            worker=arguments.worker,
            workers=arguments.workers,
            lock=attach_lock(arguments.lock) if arguments.lock else NO_LOCK,
            access_log=self._access_log,
            audit=self._audit,
        )
        # An interrupt from the terminal reaches the whole group; the control process decides what it means.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        try:
            await channel.send("ready")
            reading = asyncio.create_task(self._read(channel, engine))
            telling = asyncio.create_task(self._tell(channel, engine))
            stopping = asyncio.create_task(self._stop.wait())
            await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
            with contextlib.suppress(ChannelClosed):
                await channel.send("draining")  # from here on others accept in this worker's place
            for key in tuple(self._ports):
                self._close(key)
            await engine.drain(self._drain_seconds)
            for task in (reading, stopping, telling):
                task.cancel()
            with contextlib.suppress(ChannelClosed):
                await self._send_audit(channel)
                await channel.send("drained")
        finally:
            channel.close()
            self._access_log.close()
            if arguments.lock and (self._orphan or os.getppid() != self._parent):
                remove_lock(arguments.lock)  # who made it was killed, and cannot

    async def _tell(self, channel: Channel, engine: Engine) -> None:
        """Send what was noted, as long as there is somebody to send it to."""
        tokens = engine.core().backend_tokens
        with contextlib.suppress(ChannelClosed):
            while True:
                await asyncio.sleep(AUDIT_SECONDS)
                await self._send_audit(channel)
                for iri, until in tokens.take_refused():
                    await channel.send("refused token", iri, until)

    async def _send_audit(self, channel: Channel) -> None:
        records, dropped = self._audit.take()
        for start in range(0, len(records), _AUDIT_RECORDS):
            await channel.send("audit", records[start : start + _AUDIT_RECORDS], 0)
        if dropped:
            await channel.send("audit", [], dropped)

    async def _read(self, channel: Channel, engine: Engine) -> None:
        assembly = Assembly()
        while True:
            try:
                message = await channel.receive()
                if message[0] == "drain":
                    self._drain_seconds = message[1]
                    return
                if message[0] == "listen":
                    await self._listen(channel, engine, *message[1:])
                    continue
                if message[0] == "cover":
                    self._covers = message[1]
                    for port in self._ports.values():
                        port.cover(self._covers)
                    continue
                if message[0] == "tokens":
                    engine.core().backend_tokens.told(message[1])
                    continue
                if message[0] == "close":
                    self._close(message[1])
                    continue
                try:
                    snapshot = assembly.take(message)
                except PatchLost as lost:
                    await channel.send("lost", lost.key)
                    continue
                if snapshot is not None:
                    assembly.base = await self._install(channel, engine, snapshot) or assembly.base
                    gc.enable()
                else:
                    if assembly.begun:
                        gc.disable()  # what comes stays, and a collection would go through all of it again and again
                    await asyncio.sleep(0)  # requests first
            except ChannelClosed:
                self._orphan = True  # told here first: its files are closed before its children are given away
                return

    async def _install(self, channel: Channel, engine: Engine, taken: Snapshot | Sealed | Patched) -> Snapshot | None:
        """Serve it; None when that cannot be."""
        started = time.perf_counter()
        key = taken.snapshot.key if isinstance(taken, Patched) else taken.key
        try:
            with _gently():
                snapshot, table, stale = await asyncio.to_thread(_prepared, taken, self._table)
            engine.install(snapshot.mesh, table, snapshot.slots, str(snapshot.revision), stale)
        except Exception as error:
            if not isinstance(error, AgwError):
                _log.exception("revision %d could not be installed", key[0])
            await channel.send("failed", key, str(error))
            return None
        self._table = table
        self._collections.settle()
        await channel.send("live", key, time.perf_counter() - started)
        return snapshot

    async def _listen(self, channel: Channel, engine: Engine, key: str, listener: Listener, addresses: int) -> None:
        """Open a port, whose sockets came with the message: each worker's, `addresses` of them."""
        own, workers = self._arguments.worker, self._arguments.workers
        sockets = channel.take_sockets(workers * addresses)
        try:
            if key in self._ports:
                self._ports[key].replace(listener)
                for sock in sockets:
                    sock.close()
            else:
                slots = [sockets[start : start + addresses] for start in range(0, len(sockets), addresses)]
                self._ports[key] = port = await _Port.open(engine, listener, slots, own)
                port.cover(self._covers)
        except AgwError as error:
            for sock in sockets:
                sock.close()
            await channel.send("unbound", key, error.message, error.remedy)
        else:
            await channel.send("listening", key)

    def _close(self, key: str) -> None:
        port = self._ports.pop(key, None)
        if port is not None:
            port.opened.close()
            port.ports.discard(port.opened)


def _prepared(
    taken: Snapshot | Sealed | Patched, table: RoutingTable | None
) -> tuple[Snapshot, RoutingTable, Stale | None]:
    """What is to be served, its table, and what of the one before it goes on unchanged. For a thread."""
    stale = None
    if isinstance(taken, Patched) and table is not None:
        snapshot, difference = taken.snapshot, taken.difference
        made = recompile_table(table, snapshot.mesh)
        stale = Stale.of(table, made, difference.upstreams, difference.upstreams_gone)
    else:
        snapshot = (
            taken.snapshot() if isinstance(taken, Sealed) else taken.snapshot if isinstance(taken, Patched) else taken
        )
        made = compile_table(snapshot.mesh)
    prepare_hashes(snapshot.mesh)
    made.needs_headers  # noqa: B018 - looked up here, not while requests wait
    return snapshot, made, stale


@contextlib.contextmanager
def _gently() -> Iterator[None]:
    """While a thread compiles: the loop gets the interpreter back after half a millisecond, and no collection runs over
    half-built structures."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        sys.setswitchinterval(interval)


def main(arguments: list[str]) -> None:
    """Run a worker with the arguments that `WorkerArguments.command_line` made."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    worker = Worker(WorkerArguments.parse(arguments))
    factory: Any = None
    with contextlib.suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(worker.run())


if __name__ == "__main__":
    main(sys.argv[1:])
