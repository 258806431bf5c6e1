"""What an Envoy is to have: every resource, with a version that follows from its content alone.

So an Envoy that comes back, or a control plane that does, finds out by the versions what is different, and after a
crash of agw nothing is said twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

__all__ = ["CLUSTERS", "ENDPOINTS", "LISTENERS", "ROUTES", "SECRETS", "TYPES", "Goal", "Packed", "set_version"]

_PREFIX: Final = "type.googleapis.com/envoy."
CLUSTERS: Final = _PREFIX + "config.cluster.v3.Cluster"
ENDPOINTS: Final = _PREFIX + "config.endpoint.v3.ClusterLoadAssignment"
SECRETS: Final = _PREFIX + "extensions.transport_sockets.tls.v3.Secret"
LISTENERS: Final = _PREFIX + "config.listener.v3.Listener"
ROUTES: Final = _PREFIX + "config.route.v3.RouteConfiguration"

#: The types by the kinds of `manifests.envoy.Resources`, in the order in which they are said.
TYPES: Final[Mapping[str, str]] = {
    "secrets": SECRETS,
    "clusters": CLUSTERS,
    "endpoints": ENDPOINTS,
    "listeners": LISTENERS,
    "routes": ROUTES,
}


@dataclass(frozen=True, slots=True)
class Packed:
    """A resource ready to be sent: ``message`` is it in a ``google.protobuf.Any``."""

    version: str
    message: Any = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Goal:
    """All resources by type and name. ``number`` is that of the revision they were made of."""

    number: int
    resources: Mapping[str, Mapping[str, Packed]]

    def same(self, other: Goal) -> bool:
        """Whether it is the same revision with the same content."""
        return self.number == other.number and self.resources == other.resources

    def of(self, kind: str) -> Mapping[str, Packed]:
        """The resources of a type."""
        return self.resources.get(kind, {})


def set_version(versions: Mapping[str, str]) -> str:
    """One version for a set of resources (state of the world has one for each type)."""
    text = "\n".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return sha256(text.encode()).hexdigest()[:16]
