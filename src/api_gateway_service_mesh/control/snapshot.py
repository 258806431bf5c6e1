"""A mesh on its way to the workers: cut into frames small enough that decoding one never holds up requests.

Order of frames: ``table`` (all but routes, upstreams and slots), then any number of ``routes``, ``upstreams`` and
``slots``, then ``commit``. A snapshot is taken in whole or not at all: a ``table`` frame drops what an unfinished one
left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar

from api_gateway_service_mesh.model import Mesh, Route, Upstream

from .channel import encode

__all__ = ["Assembly", "Snapshot", "snapshot_frames"]

_CHUNK = 64
_SLOT_CHUNK = 1024
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a worker serves: the model, where each policy's cells are, and the number of the revision."""

    mesh: Mesh
    slots: Mapping[tuple[str, str], int]
    revision: int


def snapshot_frames(snapshot: Snapshot) -> tuple[bytes, ...]:
    """The frames of `snapshot`, for `Channel.send_frames`."""
    mesh = snapshot.mesh
    frames = [encode("table", snapshot.revision, replace(mesh, routes=(), upstreams=()))]
    frames += [encode("routes", part) for part in _chunks(mesh.routes, _CHUNK)]
    frames += [encode("upstreams", part) for part in _chunks(mesh.upstreams, _CHUNK)]
    slots = iter(snapshot.slots.items())
    while part := dict(islice(slots, _SLOT_CHUNK)):
        frames.append(encode("slots", part))
    frames.append(encode("commit", snapshot.revision))
    return tuple(frames)


class Assembly:
    """Puts a snapshot together again from the messages of its frames."""

    def __init__(self) -> None:
        self._begin(0, None)

    def take(self, message: Sequence[Any]) -> Snapshot | None:
        """Add one message; the snapshot when it is whole."""
        kind = message[0]
        if kind == "table":
            self._begin(message[1], message[2])
        elif kind == "routes":
            self._routes += message[1]
        elif kind == "upstreams":
            self._upstreams += message[1]
        elif kind == "slots":
            self._slots.update(message[1])
        elif kind == "commit" and self._mesh is not None and message[1] == self._revision:
            mesh = replace(self._mesh, routes=tuple(self._routes), upstreams=tuple(self._upstreams))
            snapshot = Snapshot(mesh, self._slots, self._revision)
            self._begin(0, None)
            return snapshot
        return None

    def _begin(self, revision: int, mesh: Mesh | None) -> None:
        self._revision = revision
        self._mesh = mesh
        self._routes: list[Route] = []
        self._upstreams: list[Upstream] = []
        self._slots: dict[tuple[str, str], int] = {}


def _chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))
