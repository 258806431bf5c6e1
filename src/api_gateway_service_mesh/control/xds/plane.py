"""Envoys as a data plane: one beside agw that it starts itself, or a fleet that connects from elsewhere.

To the control process an Envoy is what a worker is: a snapshot is brought to it, and only when it is taken does the
rest of the world hear of the revision. What the Envoy beside agw refuses is refused as a whole, as a wrong
configuration is; a fleet is told, and who of it refuses is an alarm.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from api_gateway_service_mesh.control.open_ports import OpenPorts, Place
from api_gateway_service_mesh.control.plane import Proxy
from api_gateway_service_mesh.control.ports import Reservation
from api_gateway_service_mesh.control.snapshot import MeshDifference, Sealed, Snapshot
from api_gateway_service_mesh.control.workers import Binding
from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.manifests.envoy import ControlPlane, dynamic_bootstrap
from api_gateway_service_mesh.model import Listener, Mesh
from api_gateway_service_mesh.policies import NO_LOCK, CellLayout, CellStore, Lock

from .counters import Counters
from .encode import demand_protos
from .fleet import Fleet, made
from .goal import Goal
from .process import EnvoyProcess, envoy_program
from .server import Credentials, XdsServer

__all__ = ["EnvoyPlane", "FleetDoor"]

_TAKE_SECONDS: Final = 60.0
_LOCAL: Final = "agw-local"


@dataclass(frozen=True, slots=True)
class FleetDoor:
    """Where a fleet connects: ``host:port``, in TLS with ``credentials``."""

    host: str
    port: int
    credentials: Credentials | None = None

    @property
    def knows_envoys(self) -> bool:
        """Whether Envoys have to prove who they are. Where they do not, nobody is told a key."""
        return self.credentials is not None and self.credentials.trust_bundle is not None


class EnvoyPlane:
    """See the module. ``door`` None: an Envoy of agw's own, which nobody but agw can reach."""

    def __init__(
        self, workers: int, say: Callable[[str], None], door: FleetDoor | None = None, *, allow_loss: bool = False
    ) -> None:
        self.workers = 1  # columns of the cells: what Envoy counts is one number
        self.cells = CellStore.shared()
        self.layout = CellLayout(self.cells)
        self.slots: Mapping[tuple[str, str], int] = {}
        self.pool = _Envoys(workers, say, door, self, allow_loss=allow_loss)

    @property
    def lock(self) -> Lock:
        """Only the control process writes the cells."""
        return NO_LOCK

    def proxies(self) -> tuple[Proxy, ...]:
        """The Envoys that are connected."""
        return tuple(
            Proxy(node.name, node.version, node.number, node.refused.detail if node.refused is not None else None)
            for node in self.pool.server.nodes
        )

    def ports(self, host: str | None, port: int | None) -> OpenPorts:
        """Kept for the Envoy beside agw; of a fleet's machines no port is known to be free."""
        return _EnvoyPorts(self.pool, host, port)

    async def start(self) -> None:
        """Open the gRPC side, and start the Envoy."""
        demand_protos()
        await self.pool.start()

    async def stop(self, drain_seconds: float) -> None:
        """Drain and end the Envoy; a fleet goes on."""
        await self.pool.drain(drain_seconds)


class _EnvoyPorts(OpenPorts):
    def __init__(self, pool: _Envoys, host: str | None, port: int | None) -> None:
        super().__init__(pool, host, port)
        self._envoys = pool

    def reserved(self, wanted: Mapping[Place, Listener]) -> dict[Place, Reservation]:
        """As the workers', for the Envoy beside agw."""
        if self._envoys.fleet:
            return {place: _Elsewhere(place[1]) for place in wanted if place not in self._bindings}
        return super().reserved(wanted)

    async def renew(self) -> list[int]:
        """Certificates towards backends too have new content perhaps."""
        return [port for _, _, port in self.addresses] if await self._envoys.renew() else []


class _Elsewhere(Reservation):
    """A port of other machines."""

    def __init__(self, port: int) -> None:
        super().__init__(())
        self.port = port


class _Envoys:
    """The pool: what all Envoys are to have, and how far they are."""

    def __init__(
        self,
        workers: int,
        say: Callable[[str], None],
        door: FleetDoor | None,
        plane: EnvoyPlane,
        *,
        allow_loss: bool,
    ) -> None:
        self.fleet = door is not None
        self.on_audit: Callable[[list[dict[str, Any]], int], None] = lambda _records, _dropped: None
        self.on_refused_token: Callable[[str, float], None] = lambda _iri, _until: None
        self._workers = workers
        self._say = say
        self._door = door
        self._plane = plane
        self._allow_loss = allow_loss
        self._folder = Path(tempfile.mkdtemp(prefix="agw-envoy-"))
        self._mesh: Mesh | None = None
        self._revision = -1
        self._bindings: dict[str, Binding] = {}
        self._goal: Goal | None = None
        self._keys = door is None or door.knows_envoys
        self._fleet = Fleet(allow_loss=allow_loss, keys=self._keys)
        self._changed = asyncio.Condition()
        self._changing: asyncio.Task[None] | None = None
        self.server = XdsServer(self._goal_for, say=say, on_change=self._on_change, refusal_for=self._fleet.refusal)
        self._process: EnvoyProcess | None = None
        self._counters: Counters | None = None

    @property
    def restarts_total(self) -> int:
        """How often the Envoy beside agw ended unasked."""
        return self._process.restarts_total if self._process is not None else 0

    @property
    def serving(self) -> int:
        """Envoys that serve the revision in force. A fleet's control plane is ready when it has something to say."""
        taken = sum(node.number == self._revision for node in self.server.nodes)
        return max(taken, 1 if self.fleet and self._goal is not None else 0)

    @property
    def failing(self) -> tuple[str, ...]:
        """Envoys that refuse what they are told, and one that ends again and again."""
        found = [f"envoy {node.name} refuses: {node.refused.detail}" for node in self.server.nodes if node.refused]
        if self._process is not None and self._process.trouble:
            found.append(self._process.trouble)
        return tuple(found)

    async def start(self) -> None:
        """Open the port, start the Envoy."""
        door = self._door
        if door is not None:
            port = await self.server.open(f"{door.host}:{door.port}", door.credentials)
            self._say(f"envoys are waited for on {door.host}:{port}")
            return
        envoy_program()
        socket = self._folder / "xds.sock"
        await self.server.open(f"unix:{socket}")
        bootstrap = dynamic_bootstrap(ControlPlane(str(socket), 0), node=_LOCAL, admin=str(self._folder / "admin.sock"))
        self._process = EnvoyProcess(self._folder, bootstrap, workers=self._workers, say=self._say)
        self._counters = Counters(self._process, self._plane.cells)
        self._goal = Goal(-1, {})
        await self._process.start()

    def _goal_for(self, node: str, _cluster: str) -> Goal | None:
        return self._fleet.goal_for(node) if Fleet.has(node) else self._goal

    def _on_change(self) -> None:
        if self._changing is None or self._changing.done():
            self._changing = asyncio.create_task(self._notify())

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def ship(
        self,
        snapshot: Snapshot | Sealed,
        difference: MeshDifference | None = None,
        slots: Mapping[tuple[str, str], int] | None = None,
    ) -> None:
        """Bring a revision to all Envoys.

        Raises:
            AgwError: it holds what Envoy cannot say, or the Envoy beside agw refuses it.
        """
        if isinstance(snapshot, Sealed):
            snapshot = await asyncio.to_thread(snapshot.snapshot)
        before = self._mesh, self._revision
        self._mesh, self._revision = snapshot.mesh, snapshot.revision
        try:
            await self._publish()
        except BaseException:
            self._mesh, self._revision = before
            raise
        self.opened(snapshot)

    def opened(self, snapshot: Snapshot) -> None:
        """Count where `snapshot` has its cells."""
        if self._counters is not None:
            self._counters.follow(snapshot)

    async def stand(self, kind: str, value: object) -> None:
        """Nothing of the kind goes to an Envoy."""

    async def listen(self, binding: Binding) -> None:
        """Open a port, or say again what is served there."""
        before = self._bindings.get(binding.key)
        self._bindings[binding.key] = binding
        try:
            await self._publish()
        except BaseException:
            if before is None:
                del self._bindings[binding.key]
            else:
                self._bindings[binding.key] = before
            raise

    async def close(self, key: str) -> None:
        """Close a port."""
        self._bindings.pop(key, None)
        await self._publish()

    async def renew(self) -> bool:
        """Read again what files hold; whether anything was new."""
        before = self._goal, self._fleet.told
        await self._publish()
        return self._goal is not before[0] or self._fleet.told is not before[1]

    async def _publish(self) -> None:
        mesh = self._mesh
        if mesh is None:
            return
        listeners = [
            replace(binding.listener, bind_address=binding.host, port=binding.port)
            for binding in self._bindings.values()
        ]
        before = self._goal
        goal = await asyncio.to_thread(
            made, mesh, self._revision, listeners, allow_loss=self._allow_loss, keys=self._keys
        )
        beside = await asyncio.to_thread(self._fleet.renewed, mesh, self._revision) if self.fleet else self._fleet.told
        same = before is not None and goal.same(before)
        if same and beside is self._fleet.told:
            return
        self._goal, self._fleet.told = before if same else goal, beside
        self.server.publish()
        if not self.fleet:
            try:
                await self._taken(goal)
            except AgwError:
                if before is not None:
                    self._goal = replace(before)  # another object: it is said anew where it is different
                    self.server.publish()
                raise

    async def _taken(self, goal: Goal) -> None:
        """Wait until the Envoy beside agw serves `goal`."""

        def done() -> bool:
            return any(
                node.conversation.goal is goal and (node.refused is not None or node.conversation.settled)
                for node in self.server.nodes
            )

        try:
            async with asyncio.timeout(_TAKE_SECONDS), self._changed:
                await self._changed.wait_for(done)
        except TimeoutError:
            raise AgwError(f"envoy did not take the configuration within {_TAKE_SECONDS:g} s") from None
        for node in self.server.nodes:
            if node.conversation.goal is goal and node.refused is not None:
                raise AgwError(f"envoy refuses the configuration: {node.refused.detail}")

    async def drain(self, seconds: float) -> None:
        """End the Envoy beside agw; a fleet goes on with what it has."""
        if self._counters is not None:
            await self._counters.stop()
        if self._process is not None:
            await self._process.drain(seconds)
        await self.server.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def kill(self) -> None:
        """End the Envoy now."""
        if self._process is not None:
            self._process.kill()
