"""What every case needs: folders, a backend, programs started and asked whether they answer rightly, turns taken."""

from __future__ import annotations

import contextlib
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import backend as plain_backend
from . import wrk
from .arrangement import Arrangement, Certificates, Tls
from .client import WrongAnswer, client_tls, expect, request, until_ready
from .figures import Sample, Series
from .machine import LOAD_CORE, PROGRAM_CORE, find, free_port
from .peers import PEERS, Peer
from .program import Program, started

__all__ = ["Bench", "Contestant", "Target"]

_UP_SECONDS = 90.0
_FEW = 2
_BYSTANDERS = frozenset({"haproxy", "caddy"})
"""Programs that are there for comparison: no goal is about them."""


@dataclass(frozen=True)
class Target:
    """A program that is up, in one arrangement."""

    peer: str
    port: int
    arrangement: Arrangement
    program: Program
    access_log: Path

    def probe(self, path: str, body: bytes, *, fields: dict[str, str] | None = None) -> int:
        """Ask once, and carefully; the length of the answer on the wire.

        Raises:
            WrongAnswer: not 200 with `body`.
        """
        answer = request(self.port, path, tls=client_tls(self.arrangement), fields=fields)
        return expect(answer, body).wire


@dataclass(frozen=True)
class Contestant:
    """One series to be: a target, and how to take one sample of it."""

    variant: str
    target: Target
    sample: Callable[[Target, float], Sample]
    judged: bool = True
    """Whether a goal is about it; what none is about has `_FEW` rounds at most."""


@dataclass
class Bench:
    """Options of the run, and the folder that all files go to."""

    rounds: int = 5
    seconds: float = 2.0
    only: frozenset[str] = frozenset()
    """Programs to compare; empty: all that are there."""
    folder: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def say(self, text: str) -> None:
        """Progress, on standard error."""
        print(text, file=sys.stderr, flush=True)

    def peers(self, *names: str) -> list[Peer]:
        """Those of `names` (without any: all) that are wanted and there."""
        wanted = [PEERS[name] for name in names or PEERS if not self.only or name in self.only or name == "agw"]
        return [peer for peer in wanted if peer.executable is not None]

    def room(self) -> Path:
        """A fresh folder."""
        made = self.folder / f"{next(self._numbers)}"
        made.mkdir()
        return made

    @contextlib.contextmanager
    def backend(
        self, folder: Path, *, tls: Tls = Tls.NONE, certificates: Certificates | None = None, origin: int | None = None
    ) -> Iterator[int]:
        """The nginx backend on the load's core; its port."""
        nginx, port = find("nginx"), free_port()
        if nginx is None:
            raise SystemExit("the backend needs nginx, which is not here")
        command = plain_backend.command(nginx, folder, port, origin=origin, tls=tls, certificates=certificates)
        with started("backend", command, folder / "backend.log", core=LOAD_CORE) as program:
            _until_listening(port, program)
            yield port

    @contextlib.contextmanager
    def origin(self, folder: Path) -> Iterator[int]:
        """The Python backend on the load's core; its port."""
        port = free_port()
        command = [sys.executable, "-m", f"{__package__}.origin", str(port)]
        with started("origin", command, folder / "origin.log", core=LOAD_CORE) as program:
            _until_listening(port, program)
            yield port

    @contextlib.contextmanager
    def sink(self, folder: Path) -> Iterator[int]:
        """A collector of spans on the load's core; its port."""
        port = free_port()
        command = [sys.executable, "-m", f"{__package__}.sink", str(port)]
        with started("sink", command, folder / "sink.log", core=LOAD_CORE) as program:
            _until_listening(port, program)
            yield port

    @contextlib.contextmanager
    def up(
        self,
        peer: Peer,
        arrangement: Arrangement,
        *,
        path: str = plain_backend.BODY_PATH,
        label: str = "",
        fields: dict[str, str] | None = None,
        first: int = PROGRAM_CORE,
    ) -> Iterator[Target]:
        """Start a peer and wait until it answers `path`. Where its workers alone belong on the program's core, the
        first of them gets core `first`.

        Raises:
            WrongAnswer: it does not come up; with the end of its log.
        """
        stem, port = f"{peer.name}{label}-{next(self._numbers)}", free_port()
        command = peer.command(arrangement, port, stem)
        log = arrangement.folder / f"{stem}.log"
        with started(peer.name, command, log, core=peer.core, environment=peer.environment()) as program:
            try:
                until_ready(port, path, client_tls(arrangement), _UP_SECONDS, fields or {}, lambda: program.running)
            except WrongAnswer as error:
                raise WrongAnswer(f"{peer.name}: {error}\n{program.last_words()}") from None
            if peer.worker_marker is not None and not program.pin(peer.worker_marker, first):
                raise WrongAnswer(f"{peer.name} has no workers")
            yield Target(peer.name, port, arrangement, program, peer.access_log(arrangement, stem))

    def alternate(
        self, contestants: Sequence[Contestant], *, rounds: int | None = None, warm: float = 1.0, figure: str = "rate"
    ) -> list[Series]:
        """Let all take turns, `rounds` times, after a warm-up; each one's samples. One that answers wrongly is out."""
        series = [Series(one.variant, one.target.peer) for one in contestants]
        pairs = list(zip(contestants, series, strict=True))
        for turn in range((rounds or self.rounds) + bool(warm)):
            # Every other round backwards, so that nobody always comes after the same neighbour.
            for one, found in pairs if turn % 2 else reversed(pairs):
                few = not one.judged or one.target.peer in _BYSTANDERS
                if found.failed or (few and len(found.samples) >= _FEW):
                    continue
                try:
                    sample = one.sample(one.target, self.seconds if turn or not warm else warm)
                except (WrongAnswer, OSError) as error:
                    found.failed = str(error)
                    self.say(f"  {one.target.peer:8} {one.variant:22} FAILED: {error}")
                    continue
                if turn or not warm:
                    found.samples.append(sample)
                    shown = ", ".join(f"{name} {value:.4g}" for name, value in sample.items())
                    self.say(f"  {one.target.peer:8} {one.variant:22} {shown}")
        return series


def requests_sample(
    load: wrk.Load, body: bytes = plain_backend.BODY, *, probes: Sequence[str] = (), unit: float = 0.0
) -> Callable[[Target, float], Sample]:
    """How to sample requests with wrk. Before and after each run one of `probes` (default: the path) is asked carefully;
    `unit` MiB are carried by each request where bytes a second are the figure."""
    paths = probes or ((load.paths or (load.path,))[:3])
    fields = {"Authorization": f"Bearer {load.tokens[0]}"} if load.tokens else None

    def sample(target: Target, seconds: float) -> Sample:
        wire = 0
        if not load.body:
            wire = max(target.probe(path, body, fields=fields) for path in paths)
        with measured(target.program) as cost:
            run = wrk.run(
                target.port,
                load,
                seconds,
                target.arrangement.folder,
                scheme=target.arrangement.scheme,
                wire=wire or None,
            )
        if not load.body:
            target.probe(paths[-1], body, fields=fields)
        rate = run.requests / run.seconds
        found = {
            "rate": rate,
            "cpu_us": cost.cpu / run.requests * 1e6,
            "p50_us": run.p50 * 1e6,
            "p99_us": run.p99 * 1e6,
        }
        if unit:
            found = {"mib_s": rate * unit, "cpu_us": cost.cpu / run.requests / unit * 1e6}
        return {**found, "kernel": cost.kernel, "busy": cost.busy}

    return sample


@dataclass
class Cost:
    """What a program used in a stretch of time: seconds of processor, the share of them in the kernel, and the share of its
    core it had of what others left it."""

    cpu: float = 0.0
    kernel: float = 0.0
    busy: float = 0.0
    seconds: float = 0.0


@contextlib.contextmanager
def measured(program: Program) -> Iterator[Cost]:
    """Measure the block."""
    cost, before, began = Cost(), program.usage(), time.monotonic()
    yield cost
    cost.seconds = time.monotonic() - began
    used = program.usage() - before
    cost.cpu = used.cpu
    cost.kernel = min(1.0, used.kernel / used.cpu) if used.cpu else 0.0
    cost.busy = min(1.0, used.cpu / max(cost.seconds - used.waited, 1e-3))


def _until_listening(port: int, program: Program) -> None:
    import socket

    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if not program.running:
            break
        time.sleep(0.05)
    raise SystemExit(f"{program.name} does not come up: {program.last_words()}")


def enter_all(
    stack: contextlib.ExitStack, bench: Bench, peers: Iterable[Peer], arrangement: Arrangement, **options: object
) -> list[Target]:
    """Start all peers in the same arrangement; those that do not come up are told and left out."""
    found = []
    for peer in peers:
        try:
            found.append(stack.enter_context(bench.up(peer, arrangement, **options)))  # type: ignore[arg-type]
        except (WrongAnswer, ValueError) as error:
            bench.say(f"  {peer.name} left out: {error}")
    return found
