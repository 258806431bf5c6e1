"""The access log's way out: lines, written by a thread of its own.

Rules:

- The event loop only appends to a bounded queue. A reader that is too slow (a full pipe) costs lines, never requests:
  what does not fit is dropped and counted in `AccessLog.dropped`.
- The thread is woken for a batch, not for a line: when `BATCH_LINES` wait, or `BATCH_SECONDS` after the first of them
  came. Each waking takes the interpreter from the loop, which costs more than the line itself.
- Nothing is lost at an orderly end (`AccessLog.close`). A process that is killed, or a machine that stops, takes the
  lines of its last batch with it: at most `BATCH_SECONDS` of them.
- A batch is one write of whole lines. To a file opened for appending (``>>``) that is one piece, whoever else appends;
  the file may be truncated under the writer (copytruncate), and to rename it is up to who opened it.
"""

from __future__ import annotations

import os
import select
import sys
import threading

__all__ = ["BATCH_LINES", "BATCH_SECONDS", "AccessLog"]

BATCH_LINES = 1024
BATCH_SECONDS = 0.1
_QUEUE_LINES = 16 * BATCH_LINES
_QUEUE_BYTES = 16 * 1024 * 1024


class AccessLog:
    """Writes lines to a file descriptor (default: standard output), in order. Call it with a line.

    ``written`` and ``dropped`` count lines; they only grow.
    """

    def __init__(self, fd: int | None = None, *, lines: int = _QUEUE_LINES, bytes_: int = _QUEUE_BYTES) -> None:
        self._fd = fd
        self.written = 0
        self._refused = 0
        """Lines that did not fit; counted by the caller's thread alone."""
        self._failed = 0
        """Lines that could not be written; counted by the writer's thread alone."""
        self._most_lines = lines
        self._most_bytes = bytes_
        self._batch_lines = min(BATCH_LINES, lines)
        self._queue: list[bytes] = []
        self._bytes_put = 0
        """Bytes that were ever queued; of the caller's thread."""
        self._bytes_taken = 0
        """Those that left the queue again; of the writer's thread."""
        self._waiting = threading.Event()
        self._enough = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """Lines that nobody will read."""
        return self._refused + self._failed

    def __call__(self, line: bytes) -> None:
        """Queue one line, without its line end. Never waits. Of one thread only."""
        queue = self._queue
        waiting = len(queue)
        if waiting >= self._most_lines or self._bytes_put - self._bytes_taken >= self._most_bytes:
            self._refused += 1
            return
        self._bytes_put += len(line)
        queue.append(line)
        if not waiting:
            if self._thread is None:
                self._begin()
            self._waiting.set()
        elif waiting + 1 == self._batch_lines:
            self._enough.set()

    def close(self, timeout: float = 2.0) -> None:
        """Write what is queued (for at most `timeout` seconds) and end the thread."""
        self._closed = True
        self._enough.set()
        self._waiting.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _begin(self) -> None:
        # With the first line: a thread does not outlive a fork, and a gateway without a log needs none.
        self._thread = threading.Thread(target=self._run, name="agw-access-log", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        queue = self._queue
        fd = sys.stdout.fileno() if self._fd is None else self._fd
        while True:
            self._waiting.wait()
            self._enough.wait(BATCH_SECONDS)
            self._enough.clear()
            self._waiting.clear()
            # Counted before it is taken: what is added meanwhile stands behind it, and is the next turn's.
            while number := len(queue):
                text = b"\n".join((*queue[:number], b""))
                try:
                    _write(fd, text)
                    self.written += number
                except OSError:  # the reader is gone; serving goes on
                    self._failed += number
                del queue[:number]
                self._bytes_taken += len(text) - number
                if number < self._batch_lines:
                    break
            if queue:
                self._waiting.set()
            elif self._closed:
                return


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:  # somebody who shares the descriptor has set O_NONBLOCK on it
            select.select((), (fd,), ())
