"""The workers as the control process sees them: started, fed, watched, restarted, drained."""

from __future__ import annotations

import asyncio
import contextlib
import os
import site
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Listener
from api_gateway_service_mesh.policies import CellStore

from .arguments import WorkerArguments
from .channel import Channel, ChannelClosed, Parcel, encode
from .comeback import Comeback
from .doors import Doors
from .plane import NotTaken
from .snapshot import Key, MeshDifference, Sealed, Snapshot, frames_of, patch_frames

__all__ = ["Binding", "WorkerPool"]

_ROOT = str(Path(__file__).resolve().parents[2])
_INSTALL_SECONDS = 60.0
_SEND_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Binding:
    """A port that every worker opens: what it serves as, and where."""

    listener: Listener
    host: str
    port: int

    @property
    def key(self) -> str:
        """Its name between control process and workers."""
        return f"{self.host} {self.port}"


@dataclass(eq=False)
class _Process:
    """One worker and what it told."""

    process: asyncio.subprocess.Process
    channel: Channel
    started: float = field(default_factory=time.monotonic)
    key: Key | None = None
    """Of what it serves."""
    failure: tuple[Key, str] | None = None
    listening: set[str] = field(default_factory=set)
    unbound: dict[str, AgwError] = field(default_factory=dict)
    attends: bool = False
    """Whether it accepts its connections itself: from when it has opened every port until it drains."""
    served: bool = False
    """Whether it ever did."""
    covers: tuple[int, ...] = ()
    """The workers whose connections it accepts in their place."""


class WorkerPool:
    """``workers`` processes over one cell store. Every one serves the same snapshot on the same ports.

    ``on_crash`` is called with a worker's number when it ended unasked, before it is started again.
    """

    def __init__(
        self,
        workers: int,
        cells: CellStore,
        lock: str,
        *,
        on_crash: Callable[[int], None],
        say: Callable[[str], None],
    ) -> None:
        self.workers = workers
        self.restarts_total = 0
        self._cells = cells
        self._lock = lock
        self._on_crash = on_crash
        self.on_audit: Callable[[list[dict[str, Any]], int], None] = lambda _records, _dropped: None
        """Takes what workers note for the audit log."""
        self.on_refused_token: Callable[[str, float], None] = lambda _iri, _until: None
        self._say = say
        self._processes: list[_Process | None] = [None] * workers
        self._comebacks = tuple(map(Comeback, range(workers)))
        self._started: dict[int, _Process] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Condition()
        self._snapshot: Snapshot | Sealed | None = None
        self._frames: tuple[bytes, ...] = ()
        """Those of the whole of ``_snapshot``; made when somebody needs them."""
        self._key: Key | None = None
        self._bindings: dict[str, Binding] = {}
        self._doors: dict[str, Doors] = {}
        self._standing: dict[str, bytes] = {}
        self._stopping = False

    @property
    def failing(self) -> tuple[str, ...]:
        """A sentence for each worker that ends again and again."""
        for worker, comeback in zip(self._processes, self._comebacks, strict=True):
            if worker is not None and worker.served:
                comeback.steady(time.monotonic() - worker.started)
        return tuple(trouble for comeback in self._comebacks if (trouble := comeback.trouble))

    @property
    def serving(self) -> int:
        """How many workers serve the revision in force on every port."""
        wanted = self._bindings.keys()
        return sum(
            worker is not None and worker.key == self._key and worker.listening >= wanted for worker in self._processes
        )

    async def start(self) -> None:
        """Start the processes; they import while the caller goes on."""
        first = await asyncio.gather(*map(self._spawn, range(self.workers)))
        self._tasks = [asyncio.create_task(self._keep(number, worker)) for number, worker in enumerate(first)]

    async def ship(
        self,
        snapshot: Snapshot | Sealed,
        difference: MeshDifference | None = None,
        slots: Mapping[tuple[str, str], int] | None = None,
    ) -> None:
        """Bring `snapshot` to every worker; returns once all serve it. `difference` and `slots` are what is different
        from what they serve, where that is little: who has that is sent no more. A sealed one they read themselves.

        Raises:
            AgwError: a worker could not take it. Then all go back to what they had.
        """
        before, frames = self._snapshot, self._frames
        patch = patch_frames(before, snapshot, difference, slots)
        self._snapshot, self._frames, self._key = snapshot, (), snapshot.key
        try:
            await self._spread(snapshot, patch, before.key if before is not None else None)
        except AgwError:
            self._snapshot, self._frames = before, frames
            if before is not None:
                self._key = before.key
                with contextlib.suppress(AgwError):
                    await self._spread(before)
            raise

    def opened(self, snapshot: Snapshot) -> None:
        """`snapshot` is what was sealed when it was shipped: from here on it can be patched."""
        if self._snapshot is not None and self._snapshot.key == snapshot.key:
            self._snapshot = snapshot

    async def _spread(
        self, snapshot: Snapshot | Sealed, patch: tuple[bytes, ...] = (), base: Key | None = None
    ) -> None:
        for worker in self._running():
            worker.failure = None
        key = snapshot.key
        having = [worker for worker in self._running() if patch and worker.key == base]
        # A worker that ends while it is sent to is started again by its keeper, with the whole of it.
        sending = [self._send_to(worker, *patch) for worker in having]
        if any(worker not in having for worker in self._running()):
            frames = await self._whole(snapshot)
            sending += [self._send_to(worker, *frames) for worker in self._running() if worker not in having]
        await asyncio.gather(*sending)
        await self._until(
            lambda: all(worker is not None and worker.key == key for worker in self._processes),
            lambda: next((AgwError(w.failure[1]) for w in self._running() if w.failure and w.failure[0] == key), None),
            f"the workers did not take revision {snapshot.revision} within {_INSTALL_SECONDS:g} s",
        )

    async def _whole(self, snapshot: Snapshot | Sealed) -> tuple[bytes, ...]:
        """The frames of all of it."""
        if snapshot is not self._snapshot:
            return await asyncio.to_thread(frames_of, snapshot)
        if not self._frames:
            frames = await asyncio.to_thread(frames_of, snapshot)
            if snapshot is self._snapshot:
                self._frames = frames
            return frames
        return self._frames

    async def listen(self, binding: Binding) -> None:
        """Open a port in every worker, or replace certificates and limits of an open one.

        Raises:
            AgwError: it cannot be had, or a worker could not open it. Then none has it open, unless it was open before.
        """
        before = self._bindings.get(binding.key)
        if before is None:
            self._doors[binding.key] = Doors(binding.listener, binding.host, binding.port, self.workers)
        self._bindings[binding.key] = binding
        for worker in self._running():
            worker.listening.discard(binding.key)
            worker.unbound.pop(binding.key, None)
        await self._send(self._order(binding))
        try:
            await self._until(
                lambda: all(worker is not None and binding.key in worker.listening for worker in self._processes),
                lambda: next((w.unbound[binding.key] for w in self._running() if binding.key in w.unbound), None),
                f"the workers did not open port {binding.port} within {_INSTALL_SECONDS:g} s",
            )
        except AgwError:
            if before is None:
                await self.close(binding.key)
            else:
                self._bindings[binding.key] = before
            raise

    async def stand(self, kind: str, value: object) -> None:
        """Tell every worker of now and to come; a later value of the same kind takes the place of this one."""
        self._standing[kind] = encode(kind, value)
        await self._send(self._standing[kind])

    async def close(self, key: str) -> None:
        """Close a port in every worker; connections on it live on."""
        self._bindings.pop(key, None)
        doors = self._doors.pop(key, None)
        if doors is not None:
            doors.close()
        for worker in self._running():
            worker.listening.discard(key)
        await self._send(encode("close", key))

    async def drain(self, seconds: float) -> None:
        """End all workers, each after its running requests, at most `seconds` later."""
        self._shut()
        await self._send(encode("drain", seconds))
        _, late = await asyncio.wait(self._tasks, timeout=seconds + 2.0) if self._tasks else ((), ())
        if late:
            self.kill()
            await asyncio.wait(late)

    def kill(self) -> None:
        """End all workers now, those that are still coming up too."""
        self._shut()
        for worker in self._started.values():
            with contextlib.suppress(ProcessLookupError):
                worker.process.kill()

    def _shut(self) -> None:
        """From here on only the workers hold the listening sockets: the last to close one ends it."""
        self._stopping = True
        for doors in self._doors.values():
            doors.close()

    async def _send(self, *frames: bytes | Parcel) -> None:
        """Send frames to every worker that runs, to all at once."""
        await asyncio.gather(*(self._send_to(worker, *frames) for worker in self._running()))

    async def _send_to(self, worker: _Process, *frames: bytes | Parcel) -> None:
        """Send frames to a worker. One that does not read for long is given up; one that reads slowly is not."""
        try:
            await worker.channel.send_frames(*frames, patience=_SEND_SECONDS)
        except ChannelClosed:
            pass
        except TimeoutError:
            self._say(f"worker (pid {worker.process.pid}) does not react any more")
            with contextlib.suppress(ProcessLookupError):
                worker.process.kill()

    async def _cover(self) -> None:
        """Have those who attend to their connections accept those of workers who do not."""
        attending = [worker for worker in self._running() if worker.attends]
        if self._stopping or not attending:
            return
        away = [number for number, worker in enumerate(self._processes) if worker is None or not worker.attends]
        told = []
        for turn, worker in enumerate(attending):
            covers = tuple(away[turn :: len(attending)])
            if covers != worker.covers:
                worker.covers = covers
                told.append(self._send_to(worker, encode("cover", covers)))
        await asyncio.gather(*told)

    def _ending(self) -> bool:
        return self._stopping

    def _running(self) -> Iterable[_Process]:
        return [worker for worker in self._processes if worker is not None]

    async def _until(self, done: Callable[[], bool], failed: Callable[[], AgwError | None], too_late: str) -> None:
        try:
            async with asyncio.timeout(_INSTALL_SECONDS), self._changed:
                await self._changed.wait_for(lambda: done() or failed() is not None)
        except TimeoutError:
            raise NotTaken(too_late, remedy="try again when the machine has less to do") from None
        error = failed()
        if error is not None:
            raise error

    async def _keep(self, number: int, worker: _Process) -> None:
        """Keep one worker running until the pool stops."""
        comeback = self._comebacks[number]
        while True:
            try:
                await self._listen_to(number, worker)
            except ChannelClosed:
                pass
            worker.attends = False
            await self._cover()  # before its end is waited for: who connected to it waits too
            status = await worker.process.wait()
            worker.channel.close()
            async with self._changed:
                self._processes[number] = None
                self._changed.notify_all()
            if self._ending():
                return
            await self._cover()
            self._on_crash(number)
            self.restarts_total += 1
            how = f"signal {-status}" if status < 0 else f"status {status}"
            pause = comeback.ended(how, ran=time.monotonic() - worker.started, served=worker.served)
            when = f" in {pause:g} s: {comeback.trouble}" if comeback.trouble else ""
            self._say(f"worker {number} (pid {worker.process.pid}) ended with {how}; starting it again{when}")
            await asyncio.sleep(pause)
            worker = await self._spawn(number)

    async def _spawn(self, number: int) -> _Process:
        ours, theirs = socket.socketpair()
        our_beside, their_beside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fd = self._cells.fd
        assert fd is not None
        arguments = WorkerArguments(
            theirs.fileno(), their_beside.fileno(), fd, self._cells.cells, self._lock, number, self.workers
        )
        environment = dict(os.environ)
        if _ROOT not in site.getsitepackages():
            # A checkout: the worker must find the same package, wherever the control process found it.
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, [_ROOT, environment.get("PYTHONPATH")]))
        with theirs, their_beside:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                f"{__package__}.worker",
                *arguments.command_line(),
                pass_fds=(theirs.fileno(), their_beside.fileno(), fd),
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
            )
        self._started[number] = _Process(process, await Channel.over(ours, our_beside))
        return self._started[number]

    async def _listen_to(self, number: int, worker: _Process) -> None:
        """Take in what the worker tells, until its channel ends."""
        while True:
            message = await worker.channel.receive()
            match message:
                case ("ready",):
                    frames: tuple[bytes, ...] = ()
                    while True:
                        snapshot = self._snapshot
                        if snapshot is not None:
                            frames = await self._whole(snapshot)
                        async with self._changed:
                            if self._snapshot is snapshot:
                                self._processes[number] = worker
                                break
                    # From here `ship` and `listen` reach it too; what they send comes after this, in order.
                    standing = self._standing.values()
                    orders = map(self._order, tuple(self._bindings.values()))
                    await worker.channel.send_frames(*standing, *frames, *orders)
                case ("audit", records, dropped):
                    self.on_audit(records, dropped)
                case ("refused token", iri, until):
                    self.on_refused_token(iri, until)
                case ("lost", _) if self._snapshot is not None:
                    # Of a patch. It gets the whole, of whatever is in force by now.
                    await worker.channel.send_frames(*await self._whole(self._snapshot))
                case ("live", key, _):
                    worker.key = key
                case ("failed", key, reason):
                    worker.failure = (key, reason)
                case ("listening", key):
                    worker.listening.add(key)
                    if not worker.attends and worker.listening >= self._bindings.keys():
                        worker.attends = worker.served = True
                        await self._cover()
                case ("draining",):
                    worker.attends = False
                    await self._cover()
                case ("unbound", key, reason, remedy):
                    worker.unbound[key] = AgwError(reason, remedy=remedy)
                case _:
                    pass
            if self._stopping and worker.key is None:
                await worker.channel.send("drain", 0.0)  # it came up while the pool was stopping
            async with self._changed:
                self._changed.notify_all()

    def _order(self, binding: Binding) -> Parcel:
        doors = self._doors[binding.key]
        return Parcel(encode("listen", binding.key, binding.listener, doors.addresses), doors.sockets)
