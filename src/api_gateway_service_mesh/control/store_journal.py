"""The configuration in a folder of its own: a journal of what changed, revision by revision (``--store DIR``).

``journal-N.agw`` begins at revision N: with the whole graph (but the very first), then one record a revision. A new
file is begun (`control.base`) when the differences outweigh the graph, so that starting stays quick; the old ones are
the history. They go, oldest first, once those behind them hold `KEPT_REVISIONS`: each begins with a whole graph, so
whatever is left can be read by itself, and a crash between two removals leaves a shorter history and nothing else.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from api_gateway_service_mesh.errors import AgwError, ConfigError, Finding, Origin
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.document import Document
from api_gateway_service_mesh.resources import version

from .base import Base
from .delta import Delta, applied, between, ntriples, parse_ntriples
from .history import Author, Revision
from .journal import Disk, Journal
from .reload import Fingerprint

__all__ = ["KEPT_REVISIONS", "JournalStore"]

_FORM = 1
"""Of the records. What another program wrote must not be read amiss: whoever changes what a record
means, or what a file of them does, counts this up."""
_KINDS = ("base", "revision")
_LEAST = 4 * 1024 * 1024
_QUICK = 2_000
"""Triples that are written faster than somebody else could be told to do it."""
KEPT_REVISIONS = 10_000
"""Of so many revisions, the latest, all is kept that they changed; of earlier ones what shares a file with them."""


class JournalStore:
    """A folder that this process alone writes.

    Args:
        folder: made when it is not there.
        seed: files that make the first revision of an empty store; later they are not looked at. Relative paths of
            certificates are taken from the folder of the first of them, else from `folder`.

    Raises:
        AgwError: another process has the folder, or it cannot be used.
    """

    read_only: str | None = None
    watched: Sequence[Path] = ()
    written: Fingerprint = MappingProxyType({})
    poll_seconds: float | None = None

    def __init__(self, folder: Path, seed: Sequence[Path] = (), disk: Disk | None = None) -> None:
        self.folder = folder
        self._seed = tuple(seed)
        self._disk = disk or Disk()
        self._source: SourceGraph | None = None
        self._number = 0
        self._base = 0
        self._making: Base | None = None
        self._before: tuple[SourceGraph | None, int] = (None, 0)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(f"the store {folder} cannot be used: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise _unusable(
                f"another gateway has the store {folder}",
                "give each gateway a store of its own, or let them share a triple store: --store http://…",
            ) from None
        root = self._seed[0].resolve().parent if self._seed else folder.resolve()
        self._document = Document("urn:agw:graph:config", "", folder=root)
        self._journals = self._opened()
        self.torn = sum(journal.torn for journal in self._journals)
        """Bytes of an unacknowledged revision that a crash left and that were cut off."""

    @property
    def compiled(self) -> Path | None:
        """See `ConfigStore`."""
        return self.folder / "compiled.agw"

    @property
    def remark(self) -> str | None:
        """See `ConfigStore`."""
        if self.torn:
            return f"{self.folder}: {self.torn} bytes of a change that was never acknowledged are cut off"
        if self._seed and not self.empty:
            return f"the store {self.folder} has a configuration; the files named are not looked at"
        return None

    def _opened(self) -> list[Journal]:
        for left in (*self.folder.glob(".*.agw-new"), *self.folder.glob("*.making")):
            left.unlink(missing_ok=True)
        paths = sorted(self.folder.glob("journal-*.agw")) or [self._path(0)]
        return [Journal(path, self._disk) for path in paths]

    def _path(self, number: int) -> Path:
        return self.folder / f"journal-{number:010d}.agw"

    @property
    def empty(self) -> bool:
        """True when nothing was ever kept."""
        return not any(len(journal) for journal in self._journals)

    def read(self, served: SourceGraph | None = None) -> SourceGraph:
        """What is kept; the seed's files where nothing is yet.

        Raises:
            ConfigError: nothing is kept, and there is no seed (or a wrong one).
        """
        if self._source is not None:
            return self._source
        if self.empty:
            if not self._seed:
                raise ConfigError(
                    Finding(
                        "empty-store",
                        f"the store {self.folder} is empty",
                        remedy="name the files to begin with: agw serve --store DIR FILE…",
                    )
                )
            return SourceGraph.load(list(self._seed))
        source = SourceGraph.of(())
        for payload in self._journals[-1].payloads():
            head, added, removed = _read(payload)
            self._check_form(head)
            if head["kind"] == "base":
                self._base = len(payload)
                source = SourceGraph.of(parse_ntriples(added), head["prefixes"])
            else:
                source = applied(source, Delta(parse_ntriples(added), parse_ntriples(removed)), head["prefixes"])
            self._number = head["revision"]
            digest = head["digest"]
        self._source = source.restated(documents=(self._document,))
        if self._source.digest != digest:
            raise _unusable(f"the store {self.folder} does not add up: revision {self._number} has another digest")
        return self._source

    def _check_form(self, head: Mapping[str, Any]) -> None:
        form = head.get("form", _FORM)
        if form != _FORM or head.get("kind") not in _KINDS:
            raise _unusable(
                f"the store {self.folder} was written by a newer agw: its records have the form {form}, "
                f"and this one ({version()}) reads the form {_FORM}",
                "start that agw again, or give this one a store of its own; this store is as it was",
            )

    def content(self, source: SourceGraph | None = None) -> str | None:
        """See `ConfigStore`."""
        return None

    def propose(self, source: SourceGraph, delta: Delta) -> SourceGraph:
        """See `ConfigStore`."""
        return applied(source, delta).restated(documents=(self._document,))

    def commit(self, revision: Revision, source: SourceGraph) -> None:
        """See `ConfigStore`."""
        old = self._source
        delta = revision.delta if revision.delta is not None else between(old, source)
        if self._making is None and self._journals[-1].size > max(_LEAST, 2 * self._base) and old is not None:
            self._begin_anew(old)
        self._adopt()
        added, removed = ntriples(delta.added), ntriples(delta.removed)
        head = {
            "kind": "revision",
            "form": _FORM,
            **_head(revision),
            "added_bytes": len(added),
            "prefixes": dict(source.prefixes),
        }
        self._journals[-1].append(_written(head, added + removed))
        self._before = (old, self._number)
        self._source = source.restated(documents=(self._document,))
        self._number = revision.number or 0
        self._forget()

    def _forget(self) -> None:
        """Remove the oldest files that nothing needs any more. What is not to be removed now will be later."""
        while len(self._journals) > 1 and self._number - _base_of(self._journals[1]) >= KEPT_REVISIONS:
            oldest = self._journals[0]
            try:
                self._disk.remove(oldest.path)
            except OSError:
                return
            del self._journals[0]
            oldest.close()

    def _begin_anew(self, source: SourceGraph) -> None:
        """A new file that starts with the whole graph. That it cannot be written is no reason to refuse a change."""
        head = {
            "kind": "base",
            "form": _FORM,
            "revision": self._number,
            "digest": source.digest,
            "prefixes": dict(source.prefixes),
        }
        quickly, behind = source.count <= _QUICK, len(self._journals[-1])
        self._making = Base(self._path(self._number), source, head, behind, self._disk, quickly=quickly)

    def _adopt(self) -> None:
        """Go on in the new file, once its graph is written."""
        making = self._making
        if making is not None and making.done:
            self._making = None
            journal = making.adopted(self._journals[-1])
            if journal is not None:
                self._journals.append(journal)
                self._base = making.size

    def retract(self) -> None:
        """See `ConfigStore`."""
        self._journals[-1].retract()
        self._source, self._number = self._before

    def restored(self) -> Sequence[Revision]:
        """See `ConfigStore`: the last `KEPT_REVISIONS`, without their triples."""
        found: list[Revision] = []
        for journal in reversed(self._journals):
            for index in reversed(range(len(journal))):
                head = json.loads(journal.first_line(index))
                # A file also has what was committed while the one behind it was begun.
                fresh = not found or head["revision"] < (found[-1].number or 0)
                if head["kind"] == "revision" and fresh and len(found) < KEPT_REVISIONS:
                    found.append(_revision(head))
        found.reverse()
        return found

    def delta(self, number: int) -> Delta | None:
        """See `ConfigStore`."""
        for journal in reversed(self._journals):
            for index in reversed(range(len(journal))):
                head = json.loads(journal.first_line(index))
                if head["kind"] == "revision" and head["revision"] == number:
                    _, added, removed = _read(journal.payload(index))
                    return Delta(parse_ntriples(added), parse_ntriples(removed))
                if head["revision"] < number:
                    return None
        return None

    def close(self) -> None:
        """See `ConfigStore`."""
        if self._making is not None:
            self._making.give_up()
        for journal in self._journals:
            journal.close()
        os.close(self._lock)


def _written(head: dict[str, Any], body: bytes) -> bytes:
    return json.dumps(head, ensure_ascii=False).encode() + b"\n" + body


def _read(payload: bytes) -> tuple[dict[str, Any], bytes, bytes]:
    line, _, body = payload.partition(b"\n")
    head = json.loads(line)
    size = head.get("added_bytes", len(body))  # a base has nothing else
    return head, body[:size], body[size:]


def _base_of(journal: Journal) -> int:
    """The revision a file begins at."""
    return int(journal.path.stem.rpartition("-")[2])


def _head(revision: Revision) -> dict[str, Any]:
    return {
        "revision": revision.number,
        "parent": revision.parent,
        "at": revision.at.isoformat(),
        "digest": revision.digest,
        "routes": revision.routes,
        "who": revision.author.who,
        "why": revision.author.why,
        "where": revision.author.where,
        "added": revision.added,
        "removed": revision.removed,
        "rolled_back_to": revision.rolled_back_to,
    }


def _revision(head: dict[str, Any]) -> Revision:
    return Revision(
        number=head["revision"],
        at=datetime.fromisoformat(head["at"]),
        digest=head["digest"],
        routes=head["routes"],
        seconds=0.0,
        author=Author(head["who"], head["why"], head["where"]),
        parent=head["parent"],
        added=head["added"],
        removed=head["removed"],
        rolled_back_to=head["rolled_back_to"],
    )


def _unusable(message: str, remedy: str | None = None) -> AgwError:
    error = AgwError(message, remedy=remedy)
    error.origin = Origin.CONFIG
    return error
