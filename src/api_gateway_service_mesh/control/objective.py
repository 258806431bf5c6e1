"""How routes and services stand to their objectives: reckoned from what `live_rate` reads of the cells."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import quote

from api_gateway_service_mesh.model import Mesh, Objective
from api_gateway_service_mesh.policies import BUCKET_SECONDS
from api_gateway_service_mesh.telemetry import Family, Kind, Sample
from api_gateway_service_mesh.telemetry.live_rate import Counts, Series
from api_gateway_service_mesh.telemetry.objective import (
    OBJECTIVE_TIERS,
    Burn,
    ObjectiveState,
    burn_of,
    later_than,
)
from api_gateway_service_mesh.vocabulary import AGW, RDF_TYPE, XSD

from .live_rate import Rates, window_name
from .lookout import Lookout

if TYPE_CHECKING:
    from .live import Live

__all__ = ["Objectives", "Standing", "objective_families", "objective_triples"]

LOOK_EVERY_SECONDS = 5.0
_BURN_TERMS = {
    300.0: AGW.burnRate5m,
    1800.0: AGW.burnRate30m,
    3600.0: AGW.burnRate1h,
    21600.0: AGW.burnRate6h,
}
_log = logging.getLogger("agw.objectives")


@dataclass(frozen=True, slots=True)
class Watched:
    """One target that one subject is held to. ``indicator``: ``availability`` or ``latency``."""

    objective: str
    subject: tuple[str, str]
    indicator: str
    target: float
    window_seconds: float
    threshold_seconds: float | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subject stands to a target."""

    watched: Watched
    burn: Burn


class Objectives:
    """See the module. Looks on one event loop, every five seconds while there are objectives; is asked from any
    thread."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._born = monotonic()
        self._lock = threading.Lock()
        self._series: dict[Watched, Series] = {}
        complaint = "objectives cannot be reckoned; what is shown grows old"
        self._lookout = Lookout(self.look, LOOK_EVERY_SECONDS, "objectives", _log, complaint)

    def update(self, mesh: Mesh) -> None:
        """Watch the objectives of `mesh` from now on; those that are what they were keep their past."""
        now = monotonic()
        routes = {route.iri for route in mesh.routes}
        wanted = [watched for objective in mesh.objectives for watched in _watched(objective, routes)]
        with self._lock:
            before = self._series
            self._series = {
                watched: before.get(watched) or Series(OBJECTIVE_TIERS, now, self._counts(watched), now)
                for watched in wanted
            }
        if wanted:
            self._lookout.start()

    async def stop(self) -> None:
        """Look no more."""
        await self._lookout.stop()

    def look(self, now: float) -> None:
        """Take a sample at `now` of the monotonic clock."""
        with self._lock:
            for watched, series in self._series.items():
                series.add(now, self._counts(watched))

    def read(self) -> tuple[Standing, ...]:
        """How everything stands now."""
        if not self._series:
            return ()
        self._rates.read()  # what the cells say now
        now = monotonic()
        self.look(now)
        with self._lock:
            return tuple(
                Standing(watched, burn_of(series, now, watched.target, watched.window_seconds))
                for watched, series in self._series.items()
            )

    def _counts(self, watched: Watched) -> Counts:
        counts = self._rates.counted(watched.subject)
        if counts is None:
            return 0.0, 0.0
        if watched.threshold_seconds is None:
            return counts[0], counts[1]
        buckets = counts[2:]
        return sum(buckets), later_than(BUCKET_SECONDS, buckets, watched.threshold_seconds)


def _watched(objective: Objective, routes: set[str]) -> Iterator[Watched]:
    for iri in objective.subjects:
        subject = ("route" if iri in routes else "service", iri)
        if objective.availability is not None:
            yield Watched(
                objective.iri, subject, "availability", objective.availability, objective.window_seconds, None
            )
        if objective.latency is not None and objective.threshold_seconds is not None:
            yield Watched(
                objective.iri,
                subject,
                "latency",
                objective.latency,
                objective.window_seconds,
                objective.threshold_seconds,
            )


def objective_triples(live: Live) -> Iterator[tuple[str, str, str]]:
    """Subject, predicate, and the object as N-Triples has it: one agw:ObjectiveStanding a subject and target."""
    for standing in live.objectives():
        watched, burn = standing.watched, standing.burn
        iri = watched.subject[1]
        node = f"urn:agw:standing:{watched.indicator}:{quote(watched.objective, safe='')}:{quote(iri, safe='')}"
        yield iri, AGW.hasObjectiveStanding, f"<{node}>"
        yield node, RDF_TYPE, f"<{AGW.ObjectiveStanding}>"
        yield node, AGW.ofObjective, f"<{watched.objective}>"
        yield node, AGW.objectiveIndicator, f'"{watched.indicator}"'
        yield node, AGW.objectiveState, f'"{burn.state}"'
        for window, rate in burn.rates.items():
            yield node, _BURN_TERMS[window], f'"{rate:.6f}"^^<{XSD.decimal}>'
        if burn.lasts_seconds is not None:
            yield node, AGW.budgetLastsSeconds, f'"{burn.lasts_seconds:.0f}"^^<{XSD.integer}>'


def objective_families(live: Live) -> Iterator[Family]:
    """Burn rates and states; none without objectives."""
    found = [
        (
            standing,
            (
                ("objective", standing.watched.objective),
                (standing.watched.subject[0], standing.watched.subject[1]),
                ("indicator", standing.watched.indicator),
            ),
        )
        for standing in live.objectives()
    ]
    if not found:
        return
    rates = [
        Sample(rate, (*labels, ("window", window_name(window))))
        for standing, labels in found
        for window, rate in standing.burn.rates.items()
    ]
    yield Family("agw_objective_burn_rate", "How many times too fast a budget is used up.", Kind.GAUGE, rates)
    states = [
        Sample(int(standing.burn.state is state), (*labels, ("state", state)))
        for standing, labels in found
        for state in ObjectiveState
    ]
    yield Family("agw_objective_state", "1 for the state an objective is in.", Kind.GAUGE, states)
