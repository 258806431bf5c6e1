"""The pipeline as an aiohttp application, for embedding: heads, bodies, answers and WebSockets pass through aiohttp's
server, everything between goes the way of `downstream`.

What differs from listening oneself, because aiohttp's server decides it: it adds ``Server`` and a default
``Content-Type`` to answers without, applies its own limits to heads before ours, and tells of a client that left only
with its next sweep.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web
from multidict import CIMultiDict

from api_gateway_service_mesh.model import Limits
from api_gateway_service_mesh.security.peer import peer_certificate

from .answer import AnswerHead
from .core import HOUSEKEEPING_SECONDS, STALL_SECONDS, Core
from .exchange import Exchange
from .forwarded import Peer, upstream_fields
from .problem import Refusal, problem_answer
from .request import open_exchange, unrouted
from .request_line import HeadError, parse_line, routing_host

if TYPE_CHECKING:
    from .answering import Answering
    from .engine import Engine
    from .tunnel import Tunnel

__all__ = ["application"]

_WAITING_BYTES = 64 * 1024


def application(engine: Engine) -> web.Application:
    """An application with one catch-all route that `engine` serves."""

    async def serve(request: web.Request) -> web.StreamResponse:
        return await _AppRequest(engine.core(), request).serve()

    async def expectation_is_forwarded(_: web.Request) -> None:
        return None

    app = web.Application(client_max_size=0)
    app.router.add_route("*", "/{path:.*}", serve, expect_handler=expectation_is_forwarded)
    return app


class _AppRequest:
    """One request of the application; the `exchange.Downstream` of its exchange."""

    def __init__(self, core: Core, request: web.Request) -> None:
        self._core = core
        self._request = request
        self._exchange: Exchange | None = None
        self._tunnel: Tunnel | None = None
        self._head: AnswerHead | None = None
        self._queue: list[bytes] = []
        self._queued = 0
        self._interims: list[AnswerHead] = []
        self._over = False
        self._cut = False
        self._tunnel_full = False
        self._news = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self.writing_paused = False

    async def serve(self) -> web.StreamResponse:
        """Run the exchange to its end."""
        request = self._request
        core = self._core
        try:
            body_expected = self._open()
        except HeadError as error:
            if core.generation is not None:
                core.generation.count_refusal(error.problem)
            head, payload = problem_answer(
                Refusal(error.status, error.problem, error.detail), core.next_request_id().decode("ascii"), None
            )
            response = web.Response(status=head.status, body=payload, headers=_headers(head.block))
            response.force_close()
            return response
        reader = asyncio.get_running_loop().create_task(self._read()) if body_expected else None
        core.connections.add(self)
        try:
            return await self._answer(request)
        except (ConnectionError, asyncio.CancelledError):
            if self._exchange is not None:
                self._exchange.client_gone()
            raise
        finally:
            core.connections.discard(self)
            if reader is not None:
                reader.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await reader

    def _open(self) -> bool:
        """Check the head as on a port of our own, and begin. Whether a body follows."""
        request, core = self._request, self._core
        limits = Limits()
        target = request.raw_path.encode("utf-8", "surrogateescape")
        version = request.version
        line, _ = parse_line(
            b"%b %b HTTP/%d.%d\r\n" % (request.method.encode(), target, version.major, version.minor), limits
        )
        raw = b"".join(b"%b: %b\r\n" % field for field in request.raw_headers)
        block = core.heads.block(raw, limits)
        block.marks.check_version(line.minor)
        generation = core.generation
        if generation is None:
            raise HeadError(503, "not-ready", "no configuration is loaded yet")
        transport = request.transport
        local = transport.get_extra_info("sockname") if transport is not None else None
        authority = f"{local[0]}:{local[1]}".encode() if isinstance(local, tuple) else b"localhost"
        secured = transport.get_extra_info("ssl_object") if transport is not None else None
        peer = Peer(request.remote or "unknown", request.scheme, authority, peer_certificate(secured))
        trusted = generation.proxies.trusts(peer.address)
        fields = upstream_fields(block, peer, trusted, line.authority, line.minor)
        exchange = self._exchange = open_exchange(
            core, generation, self, peer, block, fields, line.method, line.target, line.path, line.query, line.authority
        )
        expected = block.chunked or block.length > 0
        if exchange.handler is None:
            exchange.body_done = not expected
            host = block.host if line.authority is None else routing_host(line.authority)
            exchange.refuse(unrouted(exchange, host, line.path))
            return False
        exchange.start(b"", not expected)
        return expected

    async def _read(self) -> None:
        exchange = self._exchange
        assert exchange is not None
        content = self._request.content
        try:
            while True:
                await self._may_read.wait()
                data = await content.readany()
                if not data:
                    exchange.body(b"", True)
                    return
                exchange.body(data, False)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            exchange.body_broken(str(error))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        response: web.StreamResponse | None = None
        while True:
            while self._interims:
                head = self._interims.pop(0)
                await request.writer.write(b"%b\r\n" % head.wire)
            if response is None and self._head is not None:
                response = await self._prepare(request, self._head)
            if response is not None and self._queue:
                data = b"".join(self._queue)
                self._queue.clear()
                self._queued = 0
                await response.write(data)
                if self.writing_paused:
                    self.writing_paused = False
                    if self._exchange is not None:
                        self._exchange.client_ready()
                continue
            if self._cut:
                if request.transport is not None:
                    request.transport.abort()
                raise ConnectionResetError("the answer was cut off")
            if self._tunnel_full:
                await request.writer.drain()
                self._tunnel_full = False
                if self._tunnel is not None:
                    self._tunnel.client_ready()
                continue
            if self._over and response is not None:
                await response.write_eof()
                return response
            self._news.clear()
            await self._news.wait()

    async def _prepare(self, request: web.Request, head: AnswerHead) -> web.StreamResponse:
        exchange = self._exchange
        assert exchange is not None
        response = web.StreamResponse(
            status=head.status, reason=head.reason.decode("latin-1"), headers=_headers(head.block)
        )
        if head.status == 101:
            response.headers["Connection"] = "Upgrade"
            response.headers["Upgrade"] = "websocket"
            await response.prepare(request)
            tunnel, transport = self._tunnel, request.transport
            if tunnel is None or transport is None:
                raise ConnectionResetError("the client left")
            tunnel.join(transport, self._tunnel_written)
            request.protocol.set_parser(cast(Any, _TunnelReader(tunnel)))
            return response
        if not exchange.body_done:
            response.force_close()
        if head.length is None and not head.bodyless and not exchange.is_head and request.version >= (1, 1):
            response.enable_chunked_encoding()
        await response.prepare(request)
        return response

    def _tunnel_written(self) -> None:
        # The transport tells aiohttp's protocol that it is full, and only those who wait there hear that it is not.
        if not self._tunnel_full and self._tunnel is not None and self._request.protocol.writing_paused:
            self._tunnel_full = True
            self._tunnel.client_full()
            self._news.set()

    # -- exchange.Downstream

    def respond(self, exchange: Answering, head: AnswerHead, payload: bytes, raw: bytes | None) -> None:
        """The whole answer."""
        self._head = head
        if payload:
            self._queue.append(payload)
        self._news.set()

    def begin(self, exchange: Answering, head: AnswerHead) -> None:
        """The head; the body follows."""
        self._head = head
        self._news.set()

    def more(self, payload: bytes) -> None:
        """A piece of the body."""
        self._queue.append(payload)
        self._queued += len(payload)
        if self._queued > _WAITING_BYTES and not self.writing_paused and self._exchange is not None:
            self.writing_paused = True
            self._exchange.client_full()
        self._news.set()

    def end(self) -> None:
        """The body has ended."""

    def cut(self) -> None:
        """End without an end."""
        self._cut = True
        self._news.set()

    def reset(self) -> None:
        """No answer at all."""
        self.cut()

    def interim(self, head: AnswerHead) -> None:
        """A 1xx answer."""
        self._interims.append(head)
        self._news.set()

    def tunnel(self, head: AnswerHead, tunnel: Tunnel) -> None:
        """Switch over; the transport is joined when the head is out."""
        self._tunnel = tunnel
        self._head = head
        self._news.set()

    def pause_body(self) -> None:
        """Read no more for now."""
        self._may_read.clear()

    def resume_body(self) -> None:
        """Read on."""
        self._may_read.set()

    def finished(self, exchange: Answering) -> None:
        """All is said."""
        self._over = True
        self._news.set()

    def sweep(self) -> None:
        """Notice a client that left, and a request on which nothing moves."""
        exchange = self._exchange
        if exchange is None or exchange.over:
            return
        transport = self._request.transport
        if transport is None or transport.is_closing():
            if self._tunnel is None:
                exchange.client_gone()
            self._cut = True
            self._news.set()
            return
        exchange.idle_ticks += 1
        most = exchange.idle_seconds or STALL_SECONDS
        if self._tunnel is None and exchange.idle_ticks * HOUSEKEEPING_SECONDS > most:
            exchange.stalled()


class _TunnelReader:
    """What aiohttp's protocol hands the client's bytes to after 101."""

    def __init__(self, tunnel: Tunnel) -> None:
        self._tunnel = tunnel

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """The client says `data`."""
        self._tunnel.from_client(bytes(data))
        return False, b""

    def feed_eof(self) -> None:
        """The client says no more, or is gone."""
        self._tunnel.client_lost()


def _headers(block: bytes) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    for line in block.split(b"\r\n"):
        if line:
            name, _, value = line.partition(b":")
            headers.add(name.decode("ascii"), value.strip(b" \t").decode("utf-8", "surrogateescape"))
    return headers
