"""What looks at the revision in force once in a while: health probes, canaries, live rates, objectives, the
gateway's entries in registries, and collectors of metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from api_gateway_service_mesh.discovery import Standing
from api_gateway_service_mesh.model import Discovery
from api_gateway_service_mesh.proxy.prober import HealthProber

from .audit import Audit
from .client_credentials import BackendTokenKeepers, stated_credentials
from .issuing import RenewalStatus
from .live import Live
from .live_rate import Rates
from .metrics import ControlCounters
from .metrics_export import MetricsPush
from .objective import Objectives
from .plane import Plane
from .registration import Registrations
from .rollout import Rollouts
from .snapshot import Snapshot

if TYPE_CHECKING:
    from .cluster_routes import ClusterRoutes

__all__ = ["Watch"]


class Watch:
    """See the module. Lives on one event loop. ``say`` takes what canaries decide."""

    def __init__(
        self,
        plane: Plane,
        say: Callable[[str], None],
        audit: Audit,
        renewals: Mapping[str, RenewalStatus],
        discovered: Iterable[tuple[Discovery, Standing]],
        registrations: Registrations,
        counters: Callable[[], ControlCounters],
        routes: ClusterRoutes | None = None,
    ) -> None:
        # Probes run here: once for all workers, away from requests, and a worker's crash does not end them.
        self.prober = HealthProber(plane.cells, lock=plane.lock)
        self._rollouts = Rollouts(plane.cells, plane.workers, {}, say)
        self._rates = Rates(plane.cells, plane.workers)
        self._objectives = Objectives(self._rates)
        self._push = MetricsPush(counters)
        self._registrations = registrations
        self._routes = routes
        self._tokens = BackendTokenKeepers(plane.pool)
        self._plane = plane
        self._audit, self._renewals, self._discovered = audit, renewals, discovered

    def live(self, served: Snapshot, at: datetime) -> Live:
        """What tells of `served`, which went live `at`."""
        plane = self._plane
        live = Live(served.mesh, served.slots, plane.cells, plane.workers, served.revision, at)
        live.decisions, live.proxies, live.edition = self._rollouts.decisions, plane.proxies, served.edition
        live.audit, live.renewals, live.discovered = self._audit, self._renewals, self._discovered
        live.registrations = self._registrations
        live.route_source = self._routes.standing if self._routes is not None else None
        live.tokens = lambda: self._tokens.standings
        live.rates, live.objectives = self._rates.read, self._objectives.read
        return live

    def update(self, live: Live) -> None:
        """`live` is what is served from now on."""
        self.prober.update(live.mesh, live.slots)
        self._rollouts.update(live.mesh, live.slots)
        self._rates.update(live.mesh, live.slots)
        self._objectives.update(live.mesh)
        self._registrations.update(live.mesh)
        self._push.update(live)
        self._tokens.update(stated_credentials(live.mesh))

    async def stop(self) -> None:
        """Look no more."""
        await self._registrations.stop()
        await self._push.stop()
        await self.prober.stop()
        await self._rollouts.stop()
        await self._rates.stop()
        await self._objectives.stop()
        await self._tokens.stop()
