"""What changed between two meshes, in counts and names: the line a reload logs, the entries of ``/revisions``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from api_gateway_service_mesh.model import Mesh

from .apart import apart

__all__ = ["Differences", "differences"]


class _Named(Protocol):
    @property
    def iri(self) -> str: ...


Thing = TypeVar("Thing", bound=_Named)


@dataclass(frozen=True, slots=True)
class Differences:
    """IRIs of routes and backends that came, went, or are not what they were. ``settings``: anything else changed."""

    routes_added: tuple[str, ...] = ()
    routes_removed: tuple[str, ...] = ()
    routes_changed: tuple[str, ...] = ()
    backends_added: tuple[str, ...] = ()
    backends_removed: tuple[str, ...] = ()
    backends_changed: tuple[str, ...] = ()
    settings: bool = False

    def __str__(self) -> str:
        parts = []
        for kind in ("routes", "backends"):
            counts = [
                f"{len(found)} {what}"
                for what in ("added", "removed", "changed")
                if (found := getattr(self, f"{kind}_{what}"))
            ]
            if counts:
                parts.append(f"{kind}: {', '.join(counts)}")
        if self.settings:
            parts.append("gateway settings changed")
        return "; ".join(parts) or "nothing that is served changed"


def differences(old: Mesh | None, new: Mesh) -> Differences:
    """What `new` has that `old` had not, and the other way round."""
    if old is None:
        return Differences(tuple(route.iri for route in new.routes), backends_added=tuple(u.iri for u in new.upstreams))
    settings = _settings(old) != _settings(new)
    return Differences(*_changes(old.routes, new.routes), *_changes(old.upstreams, new.upstreams), settings)


def _settings(mesh: Mesh) -> tuple[object, ...]:
    logs = mesh.access_log, mesh.log_format
    return mesh.listeners, mesh.trusted_proxies, mesh.service_mesh, *logs, mesh.registrations, mesh.iri


def _changes(old: Sequence[Thing], new: Sequence[Thing]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    old, new = apart(old, new)
    before = {thing.iri: thing for thing in old}
    added: list[str] = []
    changed: list[str] = []
    for thing in new:
        known = before.pop(thing.iri, None)
        if known is None:
            added.append(thing.iri)
        elif known != thing:
            changed.append(thing.iri)
    return tuple(added), tuple(before), tuple(changed)
