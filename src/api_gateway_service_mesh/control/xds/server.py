"""The gRPC side: `envoy.service.discovery.v3.AggregatedDiscoveryService`, for any number of Envoys."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from api_gateway_service_mesh.errors import AgwError

from .conversation import Answer, Conversation, Refused
from .goal import Goal

__all__ = ["Credentials", "Node", "XdsServer"]

_log = logging.getLogger("agw.xds")
_SERVICE: Final = "envoy.service.discovery.v3.AggregatedDiscoveryService"
_MOST_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Credentials:
    """PEM files of the port. With ``trust_bundle`` clients must show a certificate of that authority."""

    certificate: Path
    key: Path
    trust_bundle: Path | None = None


@dataclass(eq=False)
class Node:
    """One Envoy that is connected, and how far it has come."""

    name: str
    cluster: str
    version: str
    delta: bool
    conversation: Conversation
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    refused: Refused | None = None
    refused_at: datetime | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def number(self) -> int | None:
        """The revision it serves all of; None while it is on its way."""
        return self.conversation.goal.number if self.conversation.settled else None


class XdsServer:
    """Serves goals to Envoys. ``goal_for`` says what a node (by id and cluster) is to have; None: nothing yet.

    ``say`` is told what operators should know; ``on_change`` is called whenever a node comes, goes, takes or refuses;
    ``refusal_for`` says why a node is told nothing, by the names that its certificate is for (asked only where the port
    asks for one).
    """

    def __init__(
        self,
        goal_for: Callable[[str, str], Goal | None],
        *,
        say: Callable[[str], None],
        on_change: Callable[[], None] = lambda: None,
        refusal_for: Callable[[str, frozenset[str]], str | None] = lambda _node, _proved: None,
    ) -> None:
        self.nodes: list[Node] = []
        self.refused_total = self.answers_total = self.streams_total = 0
        self.gone: dict[str, Refused] = {}
        self._goal_for = goal_for
        self._say = say
        self._on_change = on_change
        self._refusal_for = refusal_for
        self._server: Any = None
        self._ended = asyncio.Event()

    async def open(self, address: str, credentials: Credentials | None = None) -> int:
        """Listen on ``host:port`` (0: a free port) or ``unix:PATH``; the port.

        Raises:
            AgwError: the address cannot be had.
        """
        import grpc
        from grpc import aio

        options = [("grpc.max_receive_message_length", _MOST_BYTES), ("grpc.so_reuseport", 0)]
        server = aio.server(options=options)
        server.add_generic_rpc_handlers((self._handlers(grpc),))
        try:
            if credentials is None:
                port = server.add_insecure_port(address)
            else:
                pair = [(credentials.key.read_bytes(), credentials.certificate.read_bytes())]
                trusted = credentials.trust_bundle.read_bytes() if credentials.trust_bundle is not None else None
                made = grpc.ssl_server_credentials(pair, trusted, require_client_auth=trusted is not None)
                port = server.add_secure_port(address, made)
        except (RuntimeError, OSError) as error:
            raise AgwError(f"Envoys cannot be waited for on {address}: {error}") from None
        await server.start()
        self._server = server
        return int(port)

    def _handlers(self, grpc: Any) -> Any:
        from envoy.service.discovery.v3 import discovery_pb2 as messages

        stream = grpc.stream_stream_rpc_method_handler
        whole = stream(self._whole, messages.DiscoveryRequest.FromString, messages.DiscoveryResponse.SerializeToString)
        delta = stream(
            self._delta, messages.DeltaDiscoveryRequest.FromString, messages.DeltaDiscoveryResponse.SerializeToString
        )
        methods = {"StreamAggregatedResources": whole, "DeltaAggregatedResources": delta}
        return grpc.method_handlers_generic_handler(_SERVICE, methods)

    async def close(self) -> None:
        """End all streams. Envoys go on with what they have."""
        self._ended.set()
        for node in self.nodes:
            node.wake.set()
        if self._server is not None:
            await self._server.stop(1.0)

    def publish(self) -> None:
        """There may be new goals: tell every node what changed for it."""
        for node in self.nodes:
            goal = self._goal_for(node.name, node.cluster)
            if goal is not None and goal is not node.conversation.goal:
                node.conversation.goal = goal
                node.refused = node.refused_at = None
                node.wake.set()

    async def _whole(self, requests: Any, context: Any) -> None:
        await self._stream(context, delta=False)

    async def _delta(self, requests: Any, context: Any) -> None:
        await self._stream(context, delta=True)

    async def _stream(self, context: Any, *, delta: bool) -> None:
        from grpc import aio

        first = await context.read()
        if first is aio.EOF:
            return
        node = await self._greet(first, context, delta=delta)
        self.streams_total += 1
        self.nodes.append(node)
        self._say(f"envoy {node.name} ({node.version}) is connected")
        reading = asyncio.create_task(self._read(node, first, context))
        reading.add_done_callback(lambda _: node.wake.set())
        try:
            while not reading.done() and not self._ended.is_set():
                for answer in node.conversation.answers():
                    self.answers_total += 1
                    await context.write(_message(answer, delta=delta))
                self._on_change()
                await node.wake.wait()
                node.wake.clear()
        except (asyncio.CancelledError, aio.BaseError):
            raise
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await reading
            self.nodes.remove(node)
            if node.refused is not None:
                self.gone[node.name] = node.refused
            self._say(f"envoy {node.name} has gone; it serves what it has")
            self._on_change()

    async def _greet(self, first: Any, context: Any, *, delta: bool) -> Node:
        import grpc

        name, cluster = first.node.id, first.node.cluster
        if not name:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the node has no id")
        proved = _proved(context)
        refusal = self._refusal_for(name, proved) if proved is not None else None
        if refusal is not None:
            self._say(f"envoy {name} is told nothing: {refusal}")
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, f"{name!r} is told nothing: {refusal}")
        goal = self._goal_for(name, cluster)
        if goal is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"nothing is configured for the node {name!r}")
        assert goal is not None
        build = first.node.user_agent_build_version.version
        version = f"{build.major_number}.{build.minor_number}.{build.patch}"
        return Node(name, cluster, version, delta, Conversation(goal, delta=delta))

    async def _read(self, node: Node, first: Any, context: Any) -> None:
        from grpc import aio

        request = first
        while request is not aio.EOF:
            refused = _taken_in(node, request)
            if refused is not None:
                self.refused_total += 1
                node.refused, node.refused_at = refused, datetime.now(UTC)
                short = refused.kind.rpartition(".")[2]
                _log.error("envoy %s refuses %s %s: %s", node.name, short, refused.version, refused.detail)
                self._say(f"envoy {node.name} refuses the new {short}; it serves the one before: {refused.detail}")
            node.wake.set()
            request = await context.read()


def _proved(context: Any) -> frozenset[str] | None:
    """The names of the client's certificate; None where none was asked for."""
    known = context.auth_context()
    if "x509_pem_cert" not in known:
        return None
    values = (value for key, held in known.items() if key != "x509_pem_cert" for value in held)
    return frozenset(value.decode("utf-8", "replace") for value in values)


def _taken_in(node: Node, request: Any) -> Refused | None:
    error = request.error_detail.message or "refused" if request.HasField("error_detail") else None
    if node.delta:
        versions: Mapping[str, str] = dict(request.initial_resource_versions)
        return node.conversation.request(
            request.type_url,
            nonce=request.response_nonce,
            error=error,
            names=request.resource_names_subscribe,
            unsubscribed=request.resource_names_unsubscribe,
            versions=versions,
        )
    return node.conversation.request(
        request.type_url,
        nonce=request.response_nonce,
        error=error,
        names=request.resource_names,
        version=request.version_info,
    )


def _message(answer: Answer, *, delta: bool) -> Any:
    from envoy.service.discovery.v3 import discovery_pb2 as messages

    if not delta:
        return messages.DiscoveryResponse(
            version_info=answer.version,
            resources=[packed.message for packed in answer.resources.values()],
            type_url=answer.kind,
            nonce=answer.nonce,
        )
    return messages.DeltaDiscoveryResponse(
        system_version_info=answer.version,
        resources=[
            messages.Resource(name=name, version=packed.version, resource=packed.message)
            for name, packed in answer.resources.items()
        ],
        type_url=answer.kind,
        removed_resources=list(answer.removed),
        nonce=answer.nonce,
    )
