"""Where the gateway itself is to be found (``agw:Registration``)."""

from __future__ import annotations

from dataclasses import dataclass

from .discovery import Registry

__all__ = ["Registration"]


@dataclass(frozen=True, slots=True)
class Registration:
    """An entry in ``registry`` under ``name``. ``address`` and ``port`` None: those of the first listener, as the
    registry's side sees this host. It is kept alive every ``interval_seconds``."""

    iri: str
    registry: Registry
    name: str
    address: str | None = None
    port: int | None = None
    tags: tuple[str, ...] = ()
    interval_seconds: float = 10.0
