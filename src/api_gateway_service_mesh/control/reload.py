"""When to load again: a file of the configuration or a certificate changed, or SIGHUP.

Folders are watched, not files: editors replace files, and Kubernetes swaps a ConfigMap by renaming a symbolic link
beside it. What counts is whether a file, followed through its links, is another one or has other content than before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path

from watchfiles import awatch

__all__ = ["Fingerprint", "changes", "fingerprint"]

_DEBOUNCE_MS = 50
_QUIET_MS = 20  # without a further change, so that a file written in two steps is read once
_POLL_SECONDS = 1.0

Mark = tuple[str, int, int, int] | None
Fingerprint = Mapping[Path, Mark]


def fingerprint(files: Iterable[Path]) -> Fingerprint:
    """What tells one state of `files` from another; None for a file that is not there."""
    return {file: _mark(file) for file in map(Path.absolute, files)}


def _mark(file: Path) -> Mark:
    try:
        real = file.resolve()
        status = real.stat()
    except (OSError, RuntimeError):  # RuntimeError: a loop of links
        return None
    return (str(real), status.st_ino, status.st_size, status.st_mtime_ns)


async def changes(
    files: Callable[[], Iterable[Path]], since: Fingerprint, stop: asyncio.Event, ours: Fingerprint | None = None
) -> AsyncIterator[None]:
    """Once for every change to any of `files` after the state `since`, at most every 50 ms, until `stop`.

    Which files count is asked anew each time, since a configuration names further ones (certificates); one that comes
    to be named is no change, and neither is a state that `ours` has: the gateway wrote it itself. A folder that does
    not exist, or goes, is looked for again."""
    last = dict(since)
    while not stop.is_set():
        last |= {file: mark for file, mark in fingerprint(files()).items() if file not in last}
        there = sorted(folder for folder in _folders(last) if folder.is_dir())
        if not there:
            await asyncio.sleep(_POLL_SECONDS)
            continue
        try:
            # It also wakes up once a second: what changed before the watch stood is found then.
            async for _ in awatch(
                *there,
                watch_filter=None,
                debounce=_DEBOUNCE_MS,
                step=_QUIET_MS,
                stop_event=stop,
                recursive=False,
                rust_timeout=1000,
                yield_on_timeout=True,
            ):
                now = fingerprint(files())
                own = ours or {}
                changed = any(last.get(file, mark) != mark != own.get(file, ()) for file, mark in now.items())
                last = dict(now)
                if changed:
                    yield
                if sorted(folder for folder in _folders(last) if folder.is_dir()) != there:
                    break
        except (OSError, RuntimeError):  # no such folder any more, or no watches left
            await asyncio.sleep(_POLL_SECONDS)


def _folders(marks: Fingerprint) -> set[Path]:
    """The folders of the files, and of what their links lead to."""
    return {file.parent for file in marks} | {Path(mark[0]).parent for mark in marks.values() if mark is not None}
