"""The access log's way out: lines, written by a thread of its own.

The event loop only appends to a bounded queue. A reader that is too slow (a full pipe) costs lines, never requests:
what does not fit is dropped and counted in `AccessLog.dropped`.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque

__all__ = ["AccessLog"]

_QUEUE = 8192
_BATCH = 256


class AccessLog:
    """Writes lines to a file descriptor (default: standard output), in order, a batch a system call. Call it with a
    line."""

    def __init__(self, fd: int | None = None, *, queue: int = _QUEUE) -> None:
        self.fd = sys.stdout.fileno() if fd is None else fd
        self.written = 0
        self.dropped = 0
        self._limit = queue
        self._queue: deque[str] = deque()
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="agw-access-log", daemon=True)
        self._thread.start()

    def __call__(self, line: str) -> None:
        """Queue one line, without its line end. Never waits."""
        if len(self._queue) >= self._limit:
            self.dropped += 1
            return
        self._queue.append(line)
        if not self._wake.is_set():
            self._wake.set()

    def close(self, timeout: float = 2.0) -> None:
        """Write what is queued (for at most `timeout` seconds) and end the thread."""
        self._closed = True
        self._wake.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), _BATCH))]
                text = "".join(line + "\n" for line in batch).encode("utf-8", "backslashreplace")
                try:
                    _write(self.fd, text)
                    self.written += len(batch)
                except OSError:  # the reader is gone; serving goes on
                    self.dropped += len(batch)
            if self._closed:
                return


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
