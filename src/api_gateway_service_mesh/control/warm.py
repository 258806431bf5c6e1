"""The compiled model of the last run, to serve from while the configuration is read and checked again.

A snapshot is named by what it was made of: the digest of the configuration, the gateway chosen, the number of workers,
and everything that compiles it (this program, ontology, shapes, queries). Another key, or a byte that is not what was
written, and it is as if there were none. Only what was validated and served is ever kept. How it is read: `compiled`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.model import Mesh

from .compiled import Compiled, Unreadable, seal
from .journal import Disk, write_durably

__all__ = ["Keeper", "key_of", "load_snapshot", "save_snapshot"]

_SETTLED_SECONDS = 1.0
_log = logging.getLogger("agw.control")
_MAGIC = b"agw compiled 2\n"
Slots = Mapping[tuple[str, str], int]


@cache
def _program() -> str:
    """A digest of everything that turns a configuration into a model."""
    digest = hashlib.sha256()
    package = Path(__file__).resolve().parents[1]
    folders = [package, resources.ontology(), resources.shapes(), *(resources.queries(k) for k in ("project", "infer"))]
    for folder in folders:
        for file in sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".ttl", ".rq")):
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def key_of(digest: str, gateway: str | None, policies: str = "", workers: int = 1) -> str:
    """The name of what a configuration with this digest compiles to, under the policy packs of this key, for so many
    workers."""
    return hashlib.sha256(f"{digest}\n{gateway or ''}\n{policies}\n{workers}\n{_program()}".encode()).hexdigest()


def save_snapshot(path: Path, key: str, mesh: Mesh, slots: Slots, disk: Disk | None = None) -> None:
    """Keep `mesh` for the next start, whose cells will lie at `slots`.

    Raises:
        OSError: it was not written; what was there is.
    """
    body = seal(mesh, slots)
    write_durably(path, _MAGIC + f"{key} {hashlib.sha256(body).hexdigest()}\n".encode() + body, disk)


def load_snapshot(path: Path, key: str) -> Compiled | None:
    """What was kept under this key; None when there is nothing, or something else."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if not data.startswith(_MAGIC):
        return None
    line, _, body = data[len(_MAGIC) :].partition(b"\n")
    if line.decode("ascii", "replace") != f"{key} {hashlib.sha256(body).hexdigest()}":
        return None
    try:
        return Compiled.of(body)
    except Unreadable:
        return None


class Keeper:
    """Keeps what is served for the next start, at `path` (None: nowhere), once nothing has changed for a while.

    ``place`` tells where the cells of a model lie in an empty store, for ``workers`` workers.
    """

    def __init__(
        self,
        path: Path | None,
        gateway: str | None,
        policies: Callable[[], str],
        workers: int,
        place: Callable[[Mesh], Slots],
    ) -> None:
        self._path = path
        self._gateway = gateway
        self._policies = policies
        self._workers = workers
        self._place = place
        self._latest: tuple[str, Mesh] | None = None
        self._wanted = asyncio.Event()

    def load(self, digest: str | None) -> Compiled | None:
        """What the last run compiled of the configuration with this digest, if anything."""
        if self._path is None or digest is None:
            return None
        return load_snapshot(self._path, self._key(digest))

    def _key(self, digest: str) -> str:
        return key_of(digest, self._gateway, self._policies(), self._workers)

    def changed(self, digest: str, mesh: Mesh) -> None:
        """This is served from now on."""
        if self._path is not None:
            self._latest = (digest, mesh)
            self._wanted.set()

    async def run(self) -> None:
        """Write whenever things have settled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await asyncio.sleep(_SETTLED_SECONDS)
            if not self._wanted.is_set():
                await self._save()

    async def finish(self) -> None:
        """Write what has not been written."""
        if self._latest is not None:
            await self._save()

    async def _save(self) -> None:
        if self._path is not None and self._latest is not None:
            (digest, mesh), self._latest = self._latest, None
            try:
                await asyncio.to_thread(self._write, self._path, self._key(digest), mesh)
            except OSError as error:
                _log.warning("%s is not written: %s", self._path, error)

    def _write(self, path: Path, key: str, mesh: Mesh) -> None:
        save_snapshot(path, key, mesh, self._place(mesh))
