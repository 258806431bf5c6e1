"""The store that ``serve`` was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .store import ConfigStore
from .store_files import FileStore

if TYPE_CHECKING:
    from .options import ServeOptions

__all__ = ["open_store"]


def open_store(options: ServeOptions) -> ConfigStore:
    """Open it.

    Raises:
        AgwError: it cannot be used, or the options contradict each other.
    """
    if options.store is None:
        return FileStore(options.files, options.load, writable=options.writable)
    if isinstance(options.store, str):
        from .store_remote import RemoteStore

        return RemoteStore(options.store, options.files, poll_seconds=options.poll_seconds)
    from .store_journal import JournalStore

    return JournalStore(options.store, options.files)
