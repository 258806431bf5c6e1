"""A program under test: started on its core, its processor time and memory read, ended."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped,unused-ignore]

from .machine import LOAD_CORE, PROGRAM_CORE

__all__ = ["Program", "Usage", "started"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds on a core, those of them in the kernel (by its clock's ticks, so of long runs only), and seconds ready to run
    while somebody else had the core; over all threads."""

    cpu: float
    waited: float
    kernel: float = 0.0

    def __sub__(self, other: Usage) -> Usage:
        return Usage(self.cpu - other.cpu, self.waited - other.waited, self.kernel - other.kernel)


class Program:
    """A running program with its children."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process
        self._root = psutil.Process(process.pid)

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def tree(self) -> list[psutil.Process]:
        """The program and everything it started."""
        return [self._root, *self._root.children(recursive=True)]

    def usage(self) -> Usage:
        """Processor time until now (``/proc/PID/task/*/schedstat``, in nanoseconds there)."""
        return _usage(self.tree())

    def usage_of(self, marker: str) -> list[Usage]:
        """The same of each child whose command line has `marker`, in the order in which they were given their cores."""
        return [_usage([process]) for process in self._marked(marker)]

    def resident(self) -> int:
        """Bytes of memory that are resident."""
        return sum(process.memory_info().rss for process in self.tree())

    def _marked(self, marker: str) -> list[psutil.Process]:
        found = (one for one in self.tree() if any(marker in word for word in one.cmdline()))
        return sorted(found, key=lambda process: process.pid)

    def pin(self, marker: str, first: int = PROGRAM_CORE) -> int:
        """Give each child whose command line has `marker` a core of its own, from `first` on; how many there were. For a
        program whose control process belongs with the load."""
        chosen = self._marked(marker)
        cores = (PROGRAM_CORE, LOAD_CORE) if first == PROGRAM_CORE else (LOAD_CORE, PROGRAM_CORE)
        for number, process in enumerate(chosen):
            core = cores[number % 2]
            for thread in process.threads():
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(thread.id, {core})
        return len(chosen)

    def end(self) -> None:
        """SIGTERM, and SIGKILL for what is left of the tree five seconds later."""
        tree = self.tree() if self.running else []
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for process in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def last_words(self, lines: int = 12) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _usage(processes: Sequence[psutil.Process]) -> Usage:
    cpu = waited = 0
    kernel = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            kernel += process.cpu_times().system
        for task in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):  # a thread that ended meanwhile
                spent, queued, _ = task.read_text().split()
                cpu += int(spent)
                waited += int(queued)
    return Usage(cpu / 1e9, waited / 1e9, kernel)


@contextlib.contextmanager
def started(
    name: str,
    command: Sequence[str],
    log: Path,
    *,
    core: int = PROGRAM_CORE,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Program]:
    """Run `command` on `core` until the end of the block, its output appended to `log` (so that a log may be cut)."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, **(environment or {})},
        )
    program = Program(name, process, log)
    try:
        time.sleep(0.05)  # taskset becomes the program
        yield program
    finally:
        program.end()
