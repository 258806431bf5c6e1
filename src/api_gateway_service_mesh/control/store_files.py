"""The configuration in files that people edit: they are the truth, and the gateway reads them.

With ``--writable`` updates are written back: the triples that change are changed in the text (`graph.rewrite`), and the
rest stays as it was written. Each file is replaced in one step; where several change, a note of what is to be written
is made durable first, and carried out at the next start if a crash came between.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.amend import amended
from api_gateway_service_mesh.graph.document import Document, read_document
from api_gateway_service_mesh.graph.fragment import Uncertain
from api_gateway_service_mesh.graph.rewrite import CannotRewrite, rewritten

from .delta import Delta, applied, without_names
from .folder_lock import FolderLock
from .history import Revision
from .journal import Disk, unwritten, write_durably
from .reload import Mark, fingerprint
from .store import StoreConflict, StoreReadOnly

__all__ = ["FileStore"]

_NOTE = ".agw-update.json"
_LARGE_BYTES = 256 * 1024
"""Smaller configurations are compiled as soon as they are read."""
_BY_HAND = "edit the file: it is read when it is saved"


class FileStore:
    """Files, or whatever `load` reads in their place. ``writable``: updates are written back, by this process alone.

    Raises:
        AgwError: another gateway writes back to their folder.
    """

    poll_seconds: float | None = None

    def __init__(
        self,
        files: Sequence[Path],
        load: Callable[[], SourceGraph] | None = None,
        *,
        writable: bool = False,
        disk: Disk | None = None,
    ) -> None:
        self.watched: Sequence[Path] = tuple(files)
        self.written: dict[Path, Mark] = {}
        self._load = load
        self._writable = writable
        self._disk = disk or Disk()
        self._lock = FolderLock(files if writable else ())
        self.remark: str | None = self._lock.remark
        self._proposed: tuple[SourceGraph, Mapping[Path, str], Mapping[Path, str]] | None = None
        self._done: tuple[Mapping[Path, str], Mapping[Path, str]] = ({}, {})

    @property
    def compiled(self) -> Path | None:
        """See `ConfigStore`: in the user's cache folder; for files so large that a start from it is worth its while."""
        if self._load is not None or not self.watched:
            return None
        try:
            if sum(file.stat().st_size for file in self.watched) < _LARGE_BYTES:
                return None
            names = "\0".join(str(file.resolve()) for file in self.watched)
        except (OSError, RuntimeError):
            return None
        folder = _cache_folder()
        return folder / f"{_digest(names)[:32]}.compiled" if folder is not None else None

    def content(self, source: SourceGraph | None = None) -> str | None:
        """See `ConfigStore`."""
        if self._load is not None:
            return None
        try:
            documents = [read_document(file) for file in self.watched] if source is None else source.documents
        except ConfigError:
            return None
        return _digest("\0".join(f"{_path(document)}\0{document.text}" for document in documents))

    @property
    def read_only(self) -> str | None:
        """See `ConfigStore`."""
        if self._writable:
            return None
        return (
            "the files that this gateway was started with are the truth, so it takes no updates; "
            "agw serve --writable writes updates back to them, agw serve --store DIR keeps them elsewhere"
        )

    def read(self, served: SourceGraph | None = None) -> SourceGraph:
        """See `ConfigStore`."""
        if self._load is not None:
            return self._load()
        if self._writable:
            self._finish()
        return SourceGraph.load(list(self.watched), served)

    def propose(self, source: SourceGraph, delta: Delta) -> SourceGraph:
        """See `ConfigStore`."""
        if self.read_only is not None:
            raise StoreReadOnly(self.read_only)
        for document in source.documents:
            if _text(document) != document.text:
                raise StoreConflict(
                    f"{document.name} was edited, or is gone: what is there now is not what is served",
                    remedy="wait for the edit to be loaded, or mend it",
                )
        try:
            made = amended(source, delta.added, delta.removed)
        except Uncertain:
            made = _throughout(source, delta)
        changed = [(old, new) for old, new in zip(source.documents, made.documents, strict=True) if old != new]
        new = {_path(document): document.text for _, document in changed}
        self._proposed = (made, new, {_path(document): document.text for document, _ in changed})
        return made

    def commit(self, revision: Revision, source: SourceGraph) -> None:
        """See `ConfigStore`. What was read from the files stands there already; what `propose` made is written."""
        proposed, self._proposed = self._proposed, None
        if proposed is None or proposed[0] is not source:  # refused before it came to this, or read
            self._done = ({}, {})
            return
        _, new, old = proposed
        self._done = (new, old)
        self._write(new, old)

    def retract(self) -> None:
        """See `ConfigStore`."""
        new, old = self._done
        self._done = ({}, {})
        self._write(old, new)

    def _write(self, new: Mapping[Path, str], old: Mapping[Path, str]) -> None:
        note = self._note()
        try:
            if len(new) > 1:
                told = [{"file": str(path), "text": text, "old": _digest(old[path])} for path, text in new.items()]
                write_durably(note, json.dumps(told).encode(), self._disk)
            for path, text in new.items():
                write_durably(path, text.encode(), self._disk, path.stat().st_mode & 0o777)
                self._mark(path)
        except OSError as error:
            for path in new:
                self._put_back(path, old[path])
            if len(new) > 1:
                note.unlink(missing_ok=True)
            name = error.filename or ", ".join(path.name for path in new)
            raise unwritten(f"the change is not kept: {name} cannot be written", error) from None
        if len(new) > 1:
            note.unlink(missing_ok=True)

    def _put_back(self, path: Path, text: str) -> None:
        try:
            if path.read_text(encoding="utf-8") != text:
                write_durably(path, text.encode(), mode=path.stat().st_mode & 0o777)
                self._mark(path)
        except OSError:
            pass  # the note stands, or the next read says what is wrong

    def _mark(self, path: Path) -> None:
        for file in self.watched:
            if file.resolve() == path:
                self.written.update(fingerprint((file,)))

    def _note(self) -> Path:
        return self.watched[0].resolve().parent / _NOTE if self.watched else Path(_NOTE)

    def _finish(self) -> None:
        """Carry out what a crash left undone; a file that somebody edited since is left alone."""
        note = self._note()
        try:
            told = json.loads(note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        allowed = {file.resolve() for file in self.watched}
        for item in told:
            path = Path(item["file"])
            if path in allowed and _digest(path.read_text(encoding="utf-8")) == item["old"]:
                write_durably(path, item["text"].encode(), self._disk, path.stat().st_mode & 0o777)
        note.unlink(missing_ok=True)

    def restored(self) -> Sequence[Revision]:
        """See `ConfigStore`."""
        return ()

    def delta(self, number: int) -> Delta | None:
        """See `ConfigStore`."""
        return None

    def close(self) -> None:
        """See `ConfigStore`."""
        self._lock.release()


def _throughout(source: SourceGraph, delta: Delta) -> SourceGraph:
    """`source` with a change that is made in its texts, all of which are gone through and read again.

    Raises:
        StoreReadOnly: it cannot be made there.
    """
    try:
        texts = rewritten(source.documents, delta.added, delta.removed)
        documents = [
            replace(document, text=texts.get(number, document.text)) for number, document in enumerate(source.documents)
        ]
        made = SourceGraph.of_documents(documents)
    except (CannotRewrite, ConfigError) as error:
        raise StoreReadOnly(f"this change cannot be written back: {error}", remedy=_BY_HAND) from None
    if without_names(made.triples).digest != without_names(applied(source, delta).triples).digest:
        raise StoreReadOnly("this change cannot be written back to the files as they are written", remedy=_BY_HAND)
    return made


def _cache_folder() -> Path | None:
    """Where compiled models of files are kept, for this user's eyes alone; None when there is no such place."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agw"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = folder.stat()
    except (OSError, RuntimeError):
        return None
    return folder if status.st_uid == os.getuid() and not status.st_mode & 0o077 else None


def _path(document: Document) -> Path:
    return Path(document.name).resolve()


def _text(document: Document) -> str | None:
    try:
        return read_document(document.name).text
    except ConfigError:
        return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
