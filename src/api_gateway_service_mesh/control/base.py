"""A new journal file, begun with a whole graph while changes go on.

A large graph takes seconds to write. So that no update waits for it, a thread writes it beside, pausing often enough
that whoever else wants the interpreter gets it. What is committed meanwhile goes to the file before; when the graph is
on disk, the next commit copies those records behind it, and only then gives the file its name. Killed at any instant,
there is a last file that has everything acknowledged.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyoxigraph import Triple

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.graph import SourceGraph

from .delta import ntriples
from .journal import Disk, Journal, begin_record, end_record, sync_folder

__all__ = ["Base"]

_PART = 1500
_PAUSE_SECONDS = 0.002


class Base:
    """The file ``path`` in the making: its first record, with all triples of `source`.

    Args:
        behind: so many records of the journal before are part of `source`; later ones are not.
        quickly: the graph is small, and is written before this returns.
    """

    def __init__(
        self, path: Path, source: SourceGraph, head: Mapping[str, Any], behind: int, disk: Disk, *, quickly: bool
    ) -> None:
        self.size = 0
        """Bytes of triples."""
        self.behind = behind
        self._path = path
        self._source: SourceGraph | None = source
        self._head = json.dumps(head, ensure_ascii=False).encode() + b"\n"
        self._disk = disk
        self._made = path.with_suffix(".making")
        self._stop = False
        self._journal: Journal | None = None
        self._thread: threading.Thread | None = None
        if quickly:
            self._run(0.0)
        else:
            self._thread = threading.Thread(target=self._run, args=(_PAUSE_SECONDS,), name="agw-base", daemon=True)
            self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it is written, or never will be."""
        return self._thread is None or not self._thread.is_alive()

    def _run(self, pause: float) -> None:
        assert self._source is not None
        try:
            self._made.unlink(missing_ok=True)
            fd = os.open(self._made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                digest = begin_record(fd, self._head, self._disk)
                rows = self._source.rows
                for start in range(0, len(rows), _PART):
                    if self._stop:
                        return
                    part = ntriples(Triple(*row) for row in rows[start : start + _PART])
                    digest.update(part)
                    self._disk.write(fd, part)
                    self.size += len(part)
                    if pause:
                        time.sleep(pause)
                end_record(fd, len(self._head) + self.size, digest, self._disk)
            finally:
                os.close(fd)
            self._journal = Journal(self._made, self._disk)
        except (OSError, AgwError):
            self._journal = None
        finally:
            self._source = None

    def adopted(self, before: Journal) -> Journal | None:
        """The file under its name, with the records that the journal `before` got since; None: it cannot be had, and
        `before` is the one to write on."""
        journal, self._journal = self._journal, None
        try:
            if journal is None:
                return None
            journal.extend([before.payload(index) for index in range(self.behind, len(before))])
            self._disk.replace(self._made, self._path)
            journal.path = self._path
            sync_folder(self._path.parent, self._disk)
        except (OSError, AgwError):
            # It must not stand there while the one before is written on: what is read is the last file.
            if journal is not None:
                journal.close()
            self._path.unlink(missing_ok=True)
            return None
        finally:
            self._made.unlink(missing_ok=True)
        return journal

    def give_up(self) -> None:
        """It is not wanted any more."""
        self._stop = True
        if self._thread is not None:
            self._thread.join()
        if self._journal is not None:
            self._journal.close()
        self._made.unlink(missing_ok=True)
