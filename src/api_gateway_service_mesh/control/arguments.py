"""The command line of a worker, apart from `control.worker`: the control process imports no data plane for it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

__all__ = ["WorkerArguments"]


@dataclass(frozen=True, slots=True)
class WorkerArguments:
    """What a worker is started with; ``lock`` is empty when it is the only one."""

    channel: int
    beside: int
    cells_fd: int
    cells: int
    lock: str
    worker: int
    workers: int

    def command_line(self) -> list[str]:
        """As arguments for `main`."""
        fields = (self.channel, self.beside, self.cells_fd, self.cells, self.lock or "-", self.worker, self.workers)
        return [str(value) for value in fields]

    @classmethod
    def parse(cls, arguments: list[str]) -> WorkerArguments:
        """The reverse of `command_line`."""
        parser = argparse.ArgumentParser(prog="agw worker")
        for name in ("channel", "beside", "cells_fd", "cells"):
            parser.add_argument(name, type=int)
        parser.add_argument("lock")
        for name in ("worker", "workers"):
            parser.add_argument(name, type=int)
        found = parser.parse_args(arguments)
        lock = "" if found.lock == "-" else found.lock
        return cls(found.channel, found.beside, found.cells_fd, found.cells, lock, found.worker, found.workers)
