"""A mesh on its way to the workers: cut into frames small enough that decoding one never holds up requests.

Order of frames: ``table`` (all but routes, upstreams and slots), then any number of ``routes``, ``upstreams`` and
``slots``, then ``commit``. A snapshot is taken in whole or not at all: a ``table`` frame drops what an unfinished one
left. For a worker that has the snapshot before, a ``patch`` frame stands in the place of ``table``: it names that
revision, and the routes and upstreams that are gone; what follows replaces what has the same IRI, and the rest stays.
Of an upstream that has other endpoints and is the same otherwise, only those come (``endpoints``). A snapshot that an
earlier run compiled comes as it was kept, in ``sealed`` frames that hold a number of its bytes, then ``commit``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import attrgetter
from typing import Any, TypeVar

from api_gateway_service_mesh.model import Endpoint, Mesh, Route, Upstream

from .apart import apart
from .channel import encode
from .compiled import Compiled

__all__ = [
    "Assembly",
    "Key",
    "MeshDifference",
    "PatchLost",
    "Patched",
    "Sealed",
    "Snapshot",
    "frames_of",
    "patch_frames",
    "sealed_frames",
    "snapshot_frames",
]

_CHUNK = 64
_SLOT_CHUNK = 1024
_SEALED_CHUNK = 256 * 1024
_FEW = 64
Item = TypeVar("Item")
Thing = TypeVar("Thing", Route, Upstream)
_iri = attrgetter("iri")
Key = tuple[int, int]
_NOTHING: Key = (0, 0)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a worker serves: the model, where each policy's cells are, and the number of the revision.
    ``edition`` counts what is the same configuration with other discovered instances."""

    mesh: Mesh
    slots: Mapping[tuple[str, str], int]
    revision: int
    edition: int = 0

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return self.revision, self.edition


@dataclass(frozen=True, slots=True)
class Sealed:
    """A snapshot that has yet to be read."""

    compiled: Compiled
    revision: int
    edition: int = 0

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return self.revision, self.edition

    def snapshot(self) -> Snapshot:
        """It, read. For a thread.

        Raises:
            Unreadable: it cannot be.
        """
        return Snapshot(*self.compiled.read(), self.revision, self.edition)


@dataclass(frozen=True, slots=True)
class MeshDifference:
    """The routes and upstreams of a mesh that are not what they were, and the IRIs of those that are gone."""

    routes: tuple[Route, ...]
    routes_gone: tuple[str, ...]
    upstreams: tuple[Upstream, ...]
    upstreams_gone: tuple[str, ...]

    @classmethod
    def between(cls, old: Mesh, new: Mesh) -> MeshDifference:
        """What makes `new` of `old`."""
        return cls(*_differing(old.routes, new.routes), *_differing(old.upstreams, new.upstreams))

    def __len__(self) -> int:
        return len(self.routes) + len(self.routes_gone) + len(self.upstreams) + len(self.upstreams_gone)


@dataclass(frozen=True, slots=True)
class Patched:
    """A snapshot that was made of the one with the key ``base``, and what is different."""

    snapshot: Snapshot
    base: Key
    difference: MeshDifference


def _differing(old: tuple[Thing, ...], new: tuple[Thing, ...]) -> tuple[tuple[Thing, ...], tuple[str, ...]]:
    left, come = apart(old, new)
    before = {thing.iri: thing for thing in left}
    changed = [thing for thing in come if before.pop(thing.iri, None) != thing]
    return tuple(changed), tuple(before)


def patch_frames(
    old: Snapshot | Sealed | None,
    new: Snapshot | Sealed,
    difference: MeshDifference | None,
    slots: Mapping[tuple[str, str], int] | None,
) -> tuple[bytes, ...]:
    """The frames that make `new` of `old`; none where that cannot be said. `slots`: those of `new` that `old` has not,
    or elsewhere."""
    if difference is None or slots is None or not isinstance(old, Snapshot) or not isinstance(new, Snapshot):
        return ()
    head = replace(new.mesh, routes=(), upstreams=())
    gone = difference.routes_gone, difference.upstreams_gone
    frames = [encode("patch", old.key, new.key, head, *gone)]
    whole: list[Upstream] = []
    before = {upstream.iri: upstream for upstream in old.mesh.upstreams} if difference.upstreams else {}
    for upstream in difference.upstreams:
        known = before.get(upstream.iri)
        if known is None or replace(known, endpoints=()) != replace(upstream, endpoints=()):
            whole.append(upstream)
        else:
            frames += _endpoints(known, upstream)
    return (*frames, *_parts(difference.routes, whole, slots), encode("commit", new.key))


def _endpoints(old: Upstream, new: Upstream) -> Iterator[bytes]:
    """The frames that make the endpoints of `new` of those of `old`."""
    before = {endpoint.iri: endpoint for endpoint in old.endpoints}
    changed = [endpoint for endpoint in new.endpoints if before.pop(endpoint.iri, None) != endpoint]
    yield encode("endpoints", new.iri, (), tuple(before))
    for part in _chunks(changed, _SLOT_CHUNK):
        yield encode("endpoints", new.iri, part, ())


def snapshot_frames(snapshot: Snapshot) -> tuple[bytes, ...]:
    """The frames of `snapshot`, for `Channel.send_frames`."""
    mesh = snapshot.mesh
    frames = [encode("table", snapshot.key, replace(mesh, routes=(), upstreams=()))]
    return (*frames, *_parts(mesh.routes, mesh.upstreams, snapshot.slots), encode("commit", snapshot.key))


def sealed_frames(sealed: Sealed) -> tuple[bytes, ...]:
    """The frames of `sealed`, for `Channel.send_frames`."""
    parts = _chunks(sealed.compiled.body, _SEALED_CHUNK)
    return (*(encode("sealed", sealed.key, part) for part in parts), encode("commit", sealed.key))


def frames_of(snapshot: Snapshot | Sealed) -> tuple[bytes, ...]:
    """The frames of all of `snapshot`, for `Channel.send_frames`."""
    return sealed_frames(snapshot) if isinstance(snapshot, Sealed) else snapshot_frames(snapshot)


def _parts(
    routes: Sequence[Route], upstreams: Sequence[Upstream], slots: Mapping[tuple[str, str], int]
) -> Iterator[bytes]:
    for part in _chunks(routes, _CHUNK):
        yield encode("routes", part)
    for services in _chunks(upstreams, _CHUNK):
        yield encode("upstreams", services)
    items = iter(slots.items())
    while held := dict(islice(items, _SLOT_CHUNK)):
        yield encode("slots", held)


class Assembly:
    """Puts a snapshot together again from the messages of its frames. ``base`` is what patches are made to."""

    def __init__(self) -> None:
        self.base: Snapshot | None = None
        self._patch: tuple[Key, Sequence[str], Sequence[str]] | None = None
        self._begin(_NOTHING, None)

    @property
    def begun(self) -> bool:
        """Whether it has a part of a snapshot."""
        return self._key != _NOTHING

    def take(self, message: Sequence[Any]) -> Snapshot | Sealed | Patched | None:
        """Add one message; the snapshot when it is whole.

        Raises:
            PatchLost: what is patched is not here.
            Unreadable: what was sealed is no model.
        """
        kind = message[0]
        if kind == "table":
            self._begin(message[1], message[2])
        elif kind == "patch":
            self._begin(message[2], message[3])
            self._patch = message[1], message[4], message[5]
        elif kind == "routes":
            self._routes += message[1]
        elif kind == "upstreams":
            self._upstreams += message[1]
        elif kind == "endpoints":
            changed, gone = self._endpoints.setdefault(message[1], ([], []))
            changed += message[2]
            gone += message[3]
        elif kind == "slots":
            self._slots.update(message[1])
        elif kind == "sealed":
            if self._key != message[1] or not self._sealed:
                self._begin(message[1], None)
            self._sealed.append(message[2])
        elif kind == "commit" and self._sealed and message[1] == self._key:
            body = b"".join(self._sealed)
            self._begin(_NOTHING, None)
            return Sealed(Compiled.of(body), *message[1])
        elif kind == "commit" and self._mesh is not None and message[1] == self._key:
            made = self._whole(self._mesh) if self._patch is None else self._patched(self._mesh, *self._patch)
            self._begin(_NOTHING, None)
            return made
        return None

    def _whole(self, mesh: Mesh) -> Snapshot:
        mesh = replace(mesh, routes=tuple(self._routes), upstreams=tuple(self._upstreams))
        return Snapshot(mesh, self._slots, *self._key)

    def _patched(self, mesh: Mesh, base: Key, routes_gone: Sequence[str], upstreams_gone: Sequence[str]) -> Patched:
        old = self.base
        if old is None or old.key != base:
            raise PatchLost(self._key)
        routes = tuple(self._routes)
        moving = self._endpoints
        held = [upstream for upstream in old.mesh.upstreams if upstream.iri in moving] if moving else []
        moved = (replace(each, endpoints=_moved(each.endpoints, *self._endpoints[each.iri])) for each in held)
        upstreams = (*self._upstreams, *moved)
        mesh = replace(
            mesh,
            routes=_replaced(old.mesh.routes, routes, routes_gone),
            upstreams=_replaced(old.mesh.upstreams, upstreams, upstreams_gone),
        )
        difference = MeshDifference(routes, tuple(routes_gone), upstreams, tuple(upstreams_gone))
        slots = {**old.slots, **self._slots} if self._slots else old.slots
        return Patched(Snapshot(mesh, slots, *self._key), base, difference)

    def _begin(self, key: Key, mesh: Mesh | None) -> None:
        self._key = key
        self._mesh = mesh
        self._patch = None
        self._routes: list[Route] = []
        self._upstreams: list[Upstream] = []
        self._endpoints: dict[str, tuple[list[Endpoint], list[str]]] = {}
        self._slots: dict[tuple[str, str], int] = {}
        self._sealed: list[bytes] = []


class PatchLost(Exception):
    """A patch for a snapshot that is not here; ``key`` is of what it would have made."""

    def __init__(self, key: Key) -> None:
        super().__init__(key)
        self.key = key


def _replaced(items: tuple[Thing, ...], fresh: Sequence[Thing], gone: Sequence[str]) -> tuple[Thing, ...]:
    """`items`, sorted by IRI, with others in the place of some."""
    if not fresh and not gone:
        return items
    if len(fresh) + len(gone) <= _FEW:
        return _exchanged(items, fresh, gone)
    out = {*gone, *[thing.iri for thing in fresh]}
    kept = [thing for thing in items if thing.iri not in out]
    kept += fresh
    return tuple(sorted(kept, key=_iri))


def _exchanged(items: tuple[Thing, ...], fresh: Sequence[Thing], gone: Sequence[str]) -> tuple[Thing, ...]:
    """The same for few: nothing but them is looked at."""
    made = list(items)
    for iri in gone:
        at = bisect_left(made, iri, key=_iri)
        if at < len(made) and made[at].iri == iri:
            del made[at]
    for thing in fresh:
        at = bisect_left(made, thing.iri, key=_iri)
        made[at : at + (at < len(made) and made[at].iri == thing.iri)] = [thing]
    return tuple(made)


def _moved(before: Sequence[Endpoint], changed: Sequence[Endpoint], gone: Sequence[str]) -> tuple[Endpoint, ...]:
    held = {endpoint.iri: endpoint for endpoint in before}
    for iri in gone:
        del held[iri]
    held.update((endpoint.iri, endpoint) for endpoint in changed)
    return tuple(sorted(held.values(), key=_iri))


def _chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))
