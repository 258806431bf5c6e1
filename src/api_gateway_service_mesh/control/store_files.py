"""The configuration in files that people edit: they are the truth, and the gateway reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from api_gateway_service_mesh.graph import SourceGraph

from .delta import Delta
from .history import Revision
from .store import StoreReadOnly

__all__ = ["FileStore"]


class FileStore:
    """Files, or whatever `load` reads in their place."""

    poll_seconds: float | None = None

    def __init__(self, files: Sequence[Path], load: Callable[[], SourceGraph] | None = None) -> None:
        self.watched: Sequence[Path] = tuple(files)
        self._load = load

    @property
    def read_only(self) -> str | None:
        """See `ConfigStore`."""
        return "the files that this gateway was started with are the truth, so it takes no updates"

    def read(self) -> SourceGraph:
        """See `ConfigStore`."""
        return self._load() if self._load is not None else SourceGraph.load(list(self.watched))

    def propose(self, source: SourceGraph, delta: Delta) -> SourceGraph:
        """See `ConfigStore`."""
        raise StoreReadOnly(self.read_only or "")

    def commit(self, revision: Revision, source: SourceGraph) -> None:
        """See `ConfigStore`: what is served was read from the files, so they have it."""

    def retract(self) -> None:
        """See `ConfigStore`."""

    def restored(self) -> Sequence[Revision]:
        """See `ConfigStore`."""
        return ()

    def delta(self, number: int) -> Delta | None:
        """See `ConfigStore`."""
        return None

    def close(self) -> None:
        """See `ConfigStore`."""
