"""Where a configuration is kept, as the supervisor sees it: read, change, keep.

Three kinds: files are the truth (`store_files`), a folder with a journal is (`store_journal`), a remote triple store is
(`store_remote`). A change goes through in steps, so that nothing is acknowledged before it is kept: `propose` makes the
graph that would be, the gate judges it, `commit` returns once it is on disk (or in the remote store), and `retract`
takes it back where it could not go live after all.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from api_gateway_service_mesh.errors import AgwError, Origin
from api_gateway_service_mesh.graph import SourceGraph

from .delta import Delta
from .history import Revision
from .reload import Fingerprint

__all__ = ["ConfigStore", "StoreConflict", "StoreReadOnly", "StoreUnavailable"]


class StoreReadOnly(AgwError):
    """This configuration is not changed over HTTP."""

    origin = Origin.CLIENT
    status = 403
    problem = "read-only"


class StoreConflict(AgwError):
    """What is kept is not what the gateway serves any more: somebody else changed it meanwhile."""

    origin = Origin.CLIENT
    status = 409
    problem = "conflict"
    retryable = True
    retry_after = 1


class StoreUnavailable(AgwError):
    """It cannot be kept: a full disk, a store that does not answer."""

    status = 503
    problem = "store-unavailable"
    retryable = True
    retry_after = 5


class ConfigStore(Protocol):
    """See the module. All methods may block and are called in a thread, one at a time."""

    @property
    def read_only(self) -> str | None:
        """Why updates are refused, with the remedy; None when they are taken."""

    @property
    def compiled(self) -> Path | None:
        """Where the compiled model is kept for the next start; None: nowhere."""

    def content(self, source: SourceGraph | None = None) -> str | None:
        """What tells the content of this store from any other before it is parsed; that of `source`, where it was read
        from here. None: only the digest of the graph does."""

    @property
    def remark(self) -> str | None:
        """What there is to say of how the store was found; None: nothing."""

    @property
    def watched(self) -> Sequence[Path]:
        """Files whose change is a reason to read again."""

    @property
    def written(self) -> Fingerprint:
        """The states of files that the store itself made."""

    @property
    def poll_seconds(self) -> float | None:
        """How often to read again unasked; None: never."""

    def read(self, served: SourceGraph | None = None) -> SourceGraph:
        """What is kept now. It comes sooner where `served` is what was read before and little of it was edited.

        Raises:
            ConfigError, AgwError: it cannot be read.
        """

    def propose(self, source: SourceGraph, delta: Delta) -> SourceGraph:
        """The graph after `delta`, where `source` is what is served.

        Raises:
            StoreConflict: what is kept is another graph already.
            StoreReadOnly: this change cannot be kept.
        """

    def commit(self, revision: Revision, source: SourceGraph) -> None:
        """Keep `source`; it is durable when this returns.

        Raises:
            StoreConflict, StoreUnavailable: it is not kept, and what was kept before still is.
        """

    def retract(self) -> None:
        """Take the last `commit` back."""

    def restored(self) -> Sequence[Revision]:
        """The revisions of earlier processes that are known, oldest first."""

    def delta(self, number: int) -> Delta | None:
        """What a revision changed, where that is kept."""

    def close(self) -> None:
        """Give back locks and connections."""
