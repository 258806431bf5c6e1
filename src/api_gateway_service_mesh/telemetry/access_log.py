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
- What a disk that is full refused is dropped and counted, line by line. Where it broke off within a line, the next
  batch begins with a line end: no line that is written is joined to what is left of another.
- A file that is named is opened by the writer, and looked at before each batch: where it was moved away or removed, a
  new one is begun. So nothing is written to a file after it was rotated, and nobody has to be told of that. It is
  closed when `IDLE_SECONDS` have passed without a line.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from pathlib import Path

__all__ = ["BATCH_LINES", "BATCH_SECONDS", "IDLE_SECONDS", "AccessLog"]

BATCH_LINES = 1024
BATCH_SECONDS = 0.1
IDLE_SECONDS = 30.0
_QUEUE_LINES = 16 * BATCH_LINES
_QUEUE_BYTES = 16 * 1024 * 1024


class AccessLog:
    """Writes lines to a file descriptor (default: standard output) or to the end of a file, in order. Call it with a
    line.

    ``written`` and ``dropped`` count lines; they only grow.
    """

    def __init__(self, to: int | Path | None = None, *, lines: int = _QUEUE_LINES, bytes_: int = _QUEUE_BYTES) -> None:
        self._fd = to if isinstance(to, int) else None
        self._file = _File(to) if isinstance(to, Path) else None
        self.written = 0
        self._refused = 0
        """Lines that did not fit; counted by the caller's thread alone."""
        self._failed = 0
        """Lines that could not be written; counted by the writer's thread alone."""
        self._torn = False
        """Something was refused: what stands at the end may be a part of a line."""
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

    def _written_of(self, fd: int, file: _File | None, text: bytes) -> int:
        """How many lines of `text` were written whole; where not all, serving goes on."""
        ahead = b"\n" if self._torn else b""
        try:
            done = _write(fd if file is None else file.current(), ahead + text) - len(ahead)
        except OSError:  # it cannot be opened
            return 0
        if done < 0:
            return 0
        # Another worker may have been cut off in the same file: after any refusal a line of one's own is begun.
        self._torn = done < len(text)
        return text.count(b"\n", 0, done)

    def _begin(self) -> None:
        # With the first line: a thread does not outlive a fork, and a gateway without a log needs none.
        self._thread = threading.Thread(target=self._run, name="agw-access-log", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        queue = self._queue
        file = self._file
        fd = -1 if file is not None else sys.stdout.fileno() if self._fd is None else self._fd
        while True:
            if not self._waiting.wait(None if file is None else IDLE_SECONDS):
                if file is not None:
                    file.close()
                continue
            self._enough.wait(BATCH_SECONDS)
            self._enough.clear()
            self._waiting.clear()
            # Counted before it is taken: what is added meanwhile stands behind it, and is the next turn's.
            while number := len(queue):
                text = b"\n".join((*queue[:number], b""))
                whole = self._written_of(fd, file, text)
                self.written += whole
                self._failed += number - whole
                del queue[:number]
                self._bytes_taken += len(text) - number
                if number < self._batch_lines:
                    break
            if queue:
                self._waiting.set()
            elif self._closed:
                if file is not None:
                    file.close()
                return


def _write(fd: int, data: bytes) -> int:
    """How much of `data` was written: all of it, unless the reader is gone or the disk is full."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:  # somebody who shares the descriptor has set O_NONBLOCK on it
            select.select((), (fd,), ())
        except OSError:
            break
    return len(data) - len(view)


class _File:
    """A file that is appended to, under its name: who takes it away gets no further lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def current(self) -> int:
        """The descriptor of the file that has the name now.

        Raises:
            OSError: it cannot be opened.
        """
        if self._fd >= 0:
            try:
                if _same(self._path.stat(), os.fstat(self._fd)):
                    return self._fd
            except FileNotFoundError:
                pass
            self.close()
        self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        return self._fd

    def close(self) -> None:
        """Until the next line."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
