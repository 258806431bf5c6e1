"""What each Envoy of a fleet is to have: the gateway's, and those beside services.

A sidecar is told what its own service needs, and no key but that service's. What is the same as before is not made
again: services are many, and most changes are about one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api_gateway_service_mesh.errors import AgwError, Finding
from api_gateway_service_mesh.manifests import losses
from api_gateway_service_mesh.manifests.envoy import NODE, Resources, resources, sidecar_resources, sidecars
from api_gateway_service_mesh.manifests.gap import LOSS
from api_gateway_service_mesh.model import Listener, Mesh, Upstream

from .encode import goal_of
from .goal import Goal
from .inline import inlined

__all__ = ["Beside", "Fleet", "made"]


def made(mesh: Mesh, number: int, listeners: Sequence[Listener], *, allow_loss: bool, keys: bool = True) -> Goal:
    """What the gateway's Envoys are to have; takes seconds for ten thousand routes, so it is for a thread.
    `keys`: they are told keys, too (`inlined`).

    Raises:
        AgwError: Envoy cannot say all of it, or a file that it names cannot be read.
    """
    found = resources(mesh, listeners=listeners)
    lost = losses(mesh, "envoy", found.report)
    if lost and not allow_loss:
        raise _cannot_say(lost)
    return goal_of(inlined(found, keys=keys), number)


@dataclass(frozen=True, slots=True)
class Beside:
    """What the Envoys beside one service are to have, and who they are."""

    goal: Goal
    spiffe_id: str | None


class Fleet:
    """The sidecars by the name of their service. ``told`` is set by whoever publishes."""

    def __init__(self, *, allow_loss: bool, keys: bool = True) -> None:
        self.told: Mapping[str, Beside] = {}
        self._allow_loss = allow_loss
        self._keys = keys
        self._from: object = None
        self._made: dict[str, Resources] = {}
        self._read: dict[str, tuple[Resources, Goal]] = {}

    @staticmethod
    def has(node: str) -> bool:
        """Whether a node is a sidecar."""
        return node.startswith(NODE)

    def goal_for(self, node: str) -> Goal | None:
        """What a sidecar is to have; None: no service of that name has one."""
        beside = self.told.get(_service(node))
        return beside.goal if beside is not None else None

    def refusal(self, node: str, proved: frozenset[str]) -> str | None:
        """Why the node `node` is told nothing, with a certificate for the names `proved`: a sidecar is told its own
        keys, and nobody else is."""
        if self.has(node):
            beside = self.told.get(_service(node))
            if beside is not None and beside.spiffe_id not in proved:
                return f"the certificate is not for {beside.spiffe_id or node}"
            return None
        other = next((name for name, beside in self.told.items() if beside.spiffe_id in proved), None)
        return None if other is None else f"the certificate is that of the sidecar of {other}"

    def renewed(self, mesh: Mesh, number: int) -> Mapping[str, Beside]:
        """The sidecars of `mesh`; ``told`` itself when nothing is new.

        Raises:
            AgwError: as `made`.
        """
        beside = sidecars(mesh)
        source = mesh.upstreams, mesh.trusted_proxies, mesh.access_log
        if source != self._from:
            self._made = {name: self._translated(mesh, service) for name, service in beside.items()}
            self._from = source
        found: dict[str, Beside] = {}
        read: dict[str, tuple[Resources, Goal]] = {}
        for name, service in beside.items():
            whole = inlined(self._made[name], keys=self._keys)
            goal = goal_of(whole, number, self._read.get(name))
            read[name] = (whole, goal)
            old = self.told.get(name)
            new = Beside(goal, service.sidecar.spiffe_id if service.sidecar is not None else None)
            found[name] = old if old is not None and goal.same(old.goal) and old.spiffe_id == new.spiffe_id else new
        self._read = read
        if found.keys() == self.told.keys() and all(found[name] is self.told[name] for name in found):
            return self.told
        return found

    def _translated(self, mesh: Mesh, service: Upstream) -> Resources:
        translated = sidecar_resources(mesh, service)
        lost = [finding for finding in translated.report.findings if finding.code == LOSS]
        if lost and not self._allow_loss:
            raise _cannot_say(lost)
        return translated


def _service(node: str) -> str:
    return node.removeprefix(NODE).partition("/")[0]


def _cannot_say(lost: Sequence[Finding]) -> AgwError:
    more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
    return AgwError(
        f"Envoy cannot say all of this configuration: {lost[0].message}{more}",
        remedy="agw manifests --target envoy lists all of it; --allow-loss serves the rest",
    )
