"""A compiled model as bytes that can be kept: made once, and read by whoever serves it.

One pickle stream of two parts, with one memory: what several routes share is one object again when it is read. The
first part is small and all that has to be known to open ports; the second is the routes, the services, and where the
cells of each policy lie in an empty store. So the control process hands the bytes to workers as they are, and reads
them itself when requests are served already.

They are read with an unpickler that makes nothing but the model's own classes, in workers too: they come from a disk.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from api_gateway_service_mesh.model import Mesh

from . import objects
from .objects import ObjectPickler

__all__ = ["Compiled", "Unreadable", "seal"]

_MODEL = "api_gateway_service_mesh.model"
_PLAIN = {("builtins", name) for name in ("frozenset", "set", "bytearray", "complex")} | {
    ("datetime", name) for name in ("datetime", "timedelta", "date", "timezone")
}
_NETWORKS = {"IPv4Network", "IPv6Network", "IPv4Address", "IPv6Address"}

Slots = Mapping[tuple[str, str], int]


class Unreadable(Exception):
    """The bytes are no compiled model of this program."""


@dataclass(frozen=True, eq=False)
class Compiled:
    """``head`` is the model without routes and services, of which there are ``routes``. ``looks_up``: some of its
    services are discovered, so what is to be served is not known from it alone."""

    body: bytes
    head: Mesh
    routes: int
    looks_up: bool

    @classmethod
    def of(cls, body: bytes) -> Compiled:
        """The compiled model that `seal` made these bytes of; the larger part is not read yet.

        Raises:
            Unreadable: they are something else.
        """
        return cls(body, *_first(_Unpickler(io.BytesIO(body))))

    def read(self) -> tuple[Mesh, Slots]:
        """All of it: the model, and where the cells lie. It takes a while; for a thread.

        Raises:
            Unreadable: see `of`.
        """
        reader = _Unpickler(io.BytesIO(self.body))
        head, _, _ = _first(reader)
        found = _load(reader)
        match found:
            case (tuple() as routes, tuple() as upstreams, dict() as slots):
                return replace(head, routes=routes, upstreams=upstreams), slots
        raise Unreadable(f"a {type(found).__name__}")


def seal(mesh: Mesh, slots: Slots) -> bytes:
    """`mesh` as bytes, for `Compiled.of`; `slots` are those of an empty store."""
    written = io.BytesIO()
    pickler = ObjectPickler(written, protocol=pickle.HIGHEST_PROTOCOL)
    looks_up = any(upstream.discovery is not None for upstream in mesh.upstreams)
    pickler.dump((replace(mesh, routes=(), upstreams=()), len(mesh.routes), looks_up))
    pickler.dump((mesh.routes, mesh.upstreams, dict(slots)))
    return written.getvalue()


def _first(reader: _Unpickler) -> tuple[Mesh, int, bool]:
    found = _load(reader)
    match found:
        case (Mesh() as head, int() as routes, bool() as looks_up):
            return head, routes, looks_up
    raise Unreadable(f"a {type(found).__name__}")


def _load(reader: _Unpickler) -> object:
    try:
        return reader.load()
    except (pickle.UnpicklingError, AttributeError, EOFError, TypeError, ValueError, ImportError, KeyError) as error:
        raise Unreadable(str(error)) from None


class _Unpickler(pickle.Unpickler):
    """Makes the model's classes, and plain values."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == (objects.__name__, objects.restored.__name__):
            return objects.restored
        model = module == _MODEL or module.startswith(_MODEL + ".")
        if model or (module, name) in _PLAIN or (module == "ipaddress" and name in _NETWORKS):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a model")
