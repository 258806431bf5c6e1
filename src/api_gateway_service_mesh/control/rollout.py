"""Progressive delivery at work: looks at each canary twice a second, and lets its machine decide.

Runs in the control process, away from requests: workers read the weight from the cells that are written here, so a step
takes no reload, a worker that crashes loses nothing, and a reload goes on where the canary stood. What was decided is
kept by the canary's IRI, newest last, and shown in the runtime graph.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.policies import (
    CanaryDecision,
    CanaryMachine,
    CanaryOutcome,
    CellStore,
    Observation,
    ShareTotals,
    read_share,
)

from .lookout import Lookout

__all__ = ["Decided", "Decisions", "Rollouts", "canary_machines"]

LOOK_EVERY_SECONDS = 0.5
KEPT_DECISIONS = 64
_log = logging.getLogger("agw.canary")
_WORDS = {
    CanaryOutcome.STARTED: "starts",
    CanaryOutcome.ADVANCED: "goes on",
    CanaryOutcome.PROMOTED: "is promoted",
    CanaryOutcome.ROLLED_BACK: "is rolled back",
    CanaryOutcome.PAUSED: "is paused",
    CanaryOutcome.RESUMED: "is resumed",
}


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision about a canary: ``iri`` names it, ``at`` is when it was taken (UTC)."""

    iri: str
    at: datetime
    decision: CanaryDecision


#: What was decided about each canary, by its IRI, newest last.
Decisions = dict[str, "deque[Decided]"]


def canary_machines(mesh: Mesh, slots: Mapping[tuple[str, str], int], cells: CellStore) -> dict[str, CanaryMachine]:
    """The canaries with steps of `mesh`, by IRI."""
    splitting = [route for route in mesh.routes if route.splits]
    upstreams = {upstream.iri: upstream for upstream in mesh.upstreams} if splitting else {}
    found: dict[str, CanaryMachine] = {}
    for route in splitting:
        for split in route.splits:
            if split.canary is not None and split.iri not in found and split.upstream in upstreams:
                base = slots["canary", split.iri]
                found[split.iri] = CanaryMachine(split.canary, upstreams[split.upstream], cells.view, base)
    return found


class Rollouts:
    """See the module. Lives on one event loop.

    Args:
        decisions: where decisions are kept; outlives this where the caller keeps it.
        say: takes a line for each decision.
    """

    def __init__(
        self, cells: CellStore, workers: int, decisions: Decisions, say: Callable[[str], None] = _log.info
    ) -> None:
        self.decisions = decisions
        self._cells = cells
        self._workers = workers
        self._say = say
        self._machines: dict[str, CanaryMachine] = {}
        self._others: dict[str, frozenset[str]] = {}
        self._slots: Mapping[tuple[str, str], int] = {}
        complaint = "the canaries cannot be judged; they keep their shares"
        self._lookout = Lookout(self.look, LOOK_EVERY_SECONDS, "canaries", _log, complaint)
        self._count = sum(map(len, decisions.values()))

    def update(self, mesh: Mesh, slots: Mapping[tuple[str, str], int]) -> None:
        """Deliver the canaries of `mesh` from now on; those known go on where they stand."""
        self._machines = canary_machines(mesh, slots, self._cells)
        self._slots = slots
        sides: dict[str, set[str]] = {iri: set() for iri in self._machines}
        for route in mesh.routes if sides else ():
            here = [split.iri for split in route.splits]
            for iri in here:
                if iri in sides:
                    sides[iri].update(other for other in here if other != iri)
        self._others = {iri: frozenset(others) for iri, others in sides.items()}
        for iri in [iri for iri in self.decisions if iri not in self._machines]:
            del self.decisions[iri]
        if self._machines:
            self.look(monotonic())
            self._lookout.start()

    async def stop(self) -> None:
        """Look no more; canaries keep what they have."""
        await self._lookout.stop()

    def look(self, now: float) -> None:
        """Let every canary decide; `now` is the monotonic clock's."""
        for iri, machine in self._machines.items():
            stable = sum((self._share(other) for other in self._others[iri]), ShareTotals())
            decision = machine.advance(Observation(self._share(iri), stable), now)
            if decision is not None:
                self._record(iri, decision)

    def _share(self, iri: str) -> ShareTotals:
        return read_share(self._cells.view, self._slots["share", iri], self._workers)

    def _record(self, iri: str, decision: CanaryDecision) -> None:
        self._count += 1
        at = datetime.now(UTC)
        name = f"urn:agw:decision:{at:%Y%m%dT%H%M%S}-{self._count}"
        self.decisions.setdefault(iri, deque(maxlen=KEPT_DECISIONS)).append(Decided(name, at, decision))
        share = f"{decision.weight_before:g} % -> {decision.weight_after:g} %"
        self._say(f"canary {iri} {_WORDS[decision.outcome]} ({share}): {decision.reason}")
