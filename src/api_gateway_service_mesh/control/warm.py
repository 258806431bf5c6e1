"""The compiled model of the last run, to serve from while the configuration is read and checked again.

A snapshot is named by what it was made of: the digest of the configuration, the gateway chosen, and everything that
compiles it (this program, ontology, shapes, queries). Another key, or a byte that is not what was written, and it is as
if there were none. It is read with an unpickler that makes nothing but the model's own classes.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
import pickle
from collections.abc import Callable
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.model import Mesh

from .journal import Disk, write_durably

__all__ = ["Keeper", "key_of", "load_snapshot", "save_snapshot"]

_SETTLED_SECONDS = 1.0
_log = logging.getLogger("agw.control")
_MAGIC = b"agw compiled 1\n"
_MODEL = "api_gateway_service_mesh.model"
_PLAIN = {("builtins", name) for name in ("frozenset", "set", "bytearray", "complex")} | {
    ("datetime", name) for name in ("datetime", "timedelta", "date", "timezone")
}
_NETWORKS = {"IPv4Network", "IPv6Network", "IPv4Address", "IPv6Address"}


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


def key_of(digest: str, gateway: str | None, policies: str = "") -> str:
    """The name of what a configuration with this digest compiles to, under the policy packs of this key."""
    return hashlib.sha256(f"{digest}\n{gateway or ''}\n{policies}\n{_program()}".encode()).hexdigest()


def save_snapshot(path: Path, key: str, mesh: Mesh, disk: Disk | None = None) -> None:
    """Keep `mesh` for the next start.

    Raises:
        OSError: it was not written; what was there is.
    """
    written = io.BytesIO()
    _Pickler(written, protocol=pickle.HIGHEST_PROTOCOL).dump(mesh)
    body = written.getvalue()
    write_durably(path, _MAGIC + f"{key} {hashlib.sha256(body).hexdigest()}\n".encode() + body, disk)


def load_snapshot(path: Path, key: str) -> Mesh | None:
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
        mesh = _Unpickler(io.BytesIO(body)).load()
    except (pickle.UnpicklingError, AttributeError, EOFError, TypeError, ValueError, ImportError):
        return None
    return mesh if isinstance(mesh, Mesh) else None


class Keeper:
    """Keeps what is served for the next start, at `path` (None: nowhere), once nothing has changed for a while."""

    def __init__(self, path: Path | None, gateway: str | None, policies: Callable[[], str] = str) -> None:
        self._path = path
        self._gateway = gateway
        self._policies = policies
        self._latest: tuple[str, Mesh] | None = None
        self._wanted = asyncio.Event()

    def load(self, digest: str | None) -> Mesh | None:
        """What the last run compiled of the configuration with this digest, if anything."""
        if self._path is None or digest is None:
            return None
        return load_snapshot(self._path, key_of(digest, self._gateway, self._policies()))

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
                await asyncio.to_thread(
                    save_snapshot, self._path, key_of(digest, self._gateway, self._policies()), mesh
                )
            except OSError as error:
                _log.warning("%s is not written: %s", self._path, error)


class _Pickler(pickle.Pickler):
    """Writes a member of an enumeration as its class and value: up to Python 3.11.3 it would be a call of getattr,
    which the reader has no reason to allow."""

    def reducer_override(self, obj: Any) -> Any:
        return (type(obj), (obj.value,)) if isinstance(obj, Enum) else NotImplemented


class _Unpickler(pickle.Unpickler):
    """Makes the model's classes, and plain values."""

    def find_class(self, module: str, name: str) -> Any:
        model = module == _MODEL or module.startswith(_MODEL + ".")
        if model or (module, name) in _PLAIN or (module == "ipaddress" and name in _NETWORKS):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a model")
