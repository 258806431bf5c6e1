"""All that one Envoy is told: listeners, routes, clusters, endpoints, secrets, each by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from api_gateway_service_mesh.errors import Report

from .typed import Json

__all__ = ["KINDS", "Resources"]

#: The kinds in the order in which they are made known: what is referred to before what refers to it.
KINDS: tuple[str, ...] = ("secrets", "clusters", "endpoints", "listeners", "routes")


@dataclass(frozen=True)
class Resources:
    """Envoy's resources, each kind by name. ``report`` says what of the configuration Envoy cannot say.

    ``secrets`` hold names of files and of environment variables, never what is in them; ``awaited`` are those whose
    files an authority writes, perhaps not yet."""

    secrets: Mapping[str, Json] = field(default_factory=dict)
    clusters: Mapping[str, Json] = field(default_factory=dict)
    endpoints: Mapping[str, Json] = field(default_factory=dict)
    listeners: Mapping[str, Json] = field(default_factory=dict)
    routes: Mapping[str, Json] = field(default_factory=dict)
    report: Report = field(default_factory=Report)
    awaited: frozenset[str] = frozenset()

    def of(self, kind: str) -> Mapping[str, Json]:
        """The resources of one of `KINDS`."""
        found: Mapping[str, Json] = getattr(self, kind)
        return found
