"""What every data plane is to the control process, whoever carries the requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from api_gateway_service_mesh.errors import AgwError

if TYPE_CHECKING:
    from api_gateway_service_mesh.policies import CellLayout, CellStore, Lock

    from .open_ports import OpenPorts
    from .snapshot import MeshDifference, Sealed, Snapshot
    from .workers import Binding

__all__ = ["NotTaken", "Plane", "Pool", "Proxy"]


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that agw configures. ``revision`` is the one it serves all of (None: on its way); ``refusal`` what it has
    against the latest."""

    name: str
    version: str
    revision: int | None
    refusal: str | None = None


class NotTaken(AgwError):
    """Those who serve were too slow to take a configuration or open a port. What they served before they serve on."""

    status = 503
    problem = "not-taken"
    retryable = True
    retry_after = 5


class Pool(Protocol):
    """Those who serve: workers of agw's own, or Envoys."""

    on_audit: Callable[[list[dict[str, Any]], int], None]
    on_refused_token: Callable[[str, float], None]
    """Told what those who serve have decided about callers."""

    @property
    def restarts_total(self) -> int:
        """How often one ended unasked."""

    @property
    def serving(self) -> int:
        """How many serve the revision in force."""

    @property
    def failing(self) -> tuple[str, ...]:
        """A sentence for each that is in trouble."""

    async def ship(
        self,
        snapshot: Snapshot | Sealed,
        difference: MeshDifference | None = None,
        slots: Mapping[tuple[str, str], int] | None = None,
    ) -> None:
        """Bring `snapshot` to all. Raises AgwError when it is not taken; then all have what they had. `difference` and
        `slots` are what is different from what they serve, where that is little. A sealed one may be read by them."""

    def opened(self, snapshot: Snapshot) -> None:
        """The sealed snapshot that was shipped last, now that it is read."""

    async def stand(self, kind: str, value: object) -> None:
        """Tell all who serve, and those who come to serve later, until something else is told of the same kind."""

    async def listen(self, binding: Binding) -> None:
        """Open a port, or renew what is served there. Raises AgwError when it cannot be had."""

    async def close(self, key: str) -> None:
        """Close the port of a binding."""

    async def drain(self, seconds: float) -> None:
        """End all, each after its running requests."""

    def kill(self) -> None:
        """End all now."""


class Plane(Protocol):
    """A data plane. ``slots`` are those of the revision in force."""

    workers: int
    cells: CellStore
    layout: CellLayout
    slots: Mapping[tuple[str, str], int]

    @property
    def pool(self) -> Pool:
        """Those who serve."""

    @property
    def lock(self) -> Lock:
        """The lock of the cells, for what the control process itself writes to them."""

    def proxies(self) -> tuple[Proxy, ...]:
        """The proxies that are connected; none where agw's own workers serve."""

    def ports(self, host: str | None, port: int | None) -> OpenPorts:
        """The ports that are listened on."""

    async def start(self) -> None:
        """Start it."""

    async def stop(self, drain_seconds: float) -> None:
        """Drain and end it."""
