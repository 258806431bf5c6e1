"""What a compared program must be able to say of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from ..arrangement import Arrangement, Layer
from ..machine import PROGRAM_CORE, find

__all__ = ["Peer"]


class Peer(ABC):
    """A program that can stand between client and backend."""

    name: str
    core = PROGRAM_CORE
    """Where it is started."""
    worker_marker: str | None = None
    """Part of the command line of the processes that do the work, where those alone belong on the program's core."""
    lacks: frozenset[Layer] = frozenset()
    """Layers of the full chain that it is not given: it has them not, not with what its package brings, or otherwise."""

    @property
    def executable(self) -> str | None:
        """Where it is; None when this machine has none."""
        return find(self.name)

    @abstractmethod
    def command(self, arrangement: Arrangement, port: int, stem: str) -> list[str]:
        """Write the configuration into the arrangement's folder, in files that begin with `stem`, and say how to
        start the program on it."""

    def environment(self) -> Mapping[str, str]:
        """Environment variables on top of the caller's."""
        return {}

    def access_log(self, arrangement: Arrangement, stem: str) -> Path:
        """Where its access log goes, one line a request."""
        return arrangement.folder / f"{stem}.access.log"
