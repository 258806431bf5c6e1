"""gRPC through the gateway, with grpcio on both sides."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from api_gateway_service_mesh.model import (
    ApiKey,
    Authentication,
    Fault,
    HttpProtocol,
    Maintenance,
    RateLimit,
    Retry,
    RetryCondition,
    Timeout,
)
from api_gateway_service_mesh.proxy.grpc import grpc_status
from api_gateway_service_mesh.proxy.problem import Refusal
from api_gateway_service_mesh.proxy.refusals import KINDS
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream


class Echo(grpc.GenericRpcHandler):
    """``/shop.Echo/*``: bytes in, bytes out."""

    def __init__(self) -> None:
        self.calls = 0
        self.metadata: dict[str, str] = {}
        self.left: float | None = None

    def service(self, details: Any) -> Any:
        self.calls += 1
        self.metadata = dict(details.invocation_metadata)
        kinds = {
            "/shop.Echo/Say": grpc.unary_unary_rpc_method_handler(self.say),
            "/shop.Echo/Count": grpc.unary_stream_rpc_method_handler(self.count),
            "/shop.Echo/Join": grpc.stream_unary_rpc_method_handler(self.join),
            "/shop.Echo/Talk": grpc.stream_stream_rpc_method_handler(self.talk),
            "/shop.Echo/Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "/shop.Echo/Flaky": grpc.unary_unary_rpc_method_handler(self.flaky),
            "/shop.Echo/Slow": grpc.unary_unary_rpc_method_handler(self.slow),
        }
        return kinds.get(details.method)

    async def say(self, request: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("x-trailer", "t"), ("x-bytes-bin", b"\0\xff")))
        return request

    async def count(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        for number in range(int(request)):
            yield b"%d" % number

    async def join(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        return b",".join([piece async for piece in requests])

    async def talk(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for piece in requests:
            yield piece + b"!"

    async def fail(self, request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now: ä")
        return b""

    async def flaky(self, request: bytes, context: Any) -> bytes:
        if self.calls < 3:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "again")
        return b"at last"

    async def slow(self, request: bytes, context: Any) -> bytes:
        self.left = context.time_remaining()
        await asyncio.sleep(20)
        return b""


@contextlib.asynccontextmanager
async def serving(**more: Any) -> AsyncIterator[tuple[Running, Echo, aio.Channel]]:
    echo = Echo()
    server = aio.server()
    server.add_generic_rpc_handlers((echo,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        service = upstream(endpoint(port), protocol=HttpProtocol.HTTP2)
        async with running(mesh_of(route(**more), service)) as gateway:
            options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
            async with aio.insecure_channel(f"127.0.0.1:{gateway.port}", options) as channel:
                yield gateway, echo, channel
    finally:
        await server.stop(0)


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    return asyncio.DefaultEventLoopPolicy()  # grpc.aio and uvloop disagree about file descriptors


async def test_all_four_kinds_of_call() -> None:
    async with serving() as (_, echo, channel):
        call = channel.unary_unary("/shop.Echo/Say")(b"hello", metadata=(("x-a", "1"),), timeout=10)
        assert await call == b"hello"
        trailing = dict(await call.trailing_metadata())
        assert (trailing["x-trailer"], trailing["x-bytes-bin"]) == ("t", b"\0\xff")
        assert echo.metadata["x-a"] == "1"
        assert [piece async for piece in channel.unary_stream("/shop.Echo/Count")(b"500", timeout=10)] == [
            b"%d" % number for number in range(500)
        ]

        async def pieces() -> AsyncIterator[bytes]:
            for number in range(50):
                yield b"%d" % number

        joined = await channel.stream_unary("/shop.Echo/Join")(pieces(), timeout=10)
        assert joined == b",".join(b"%d" % number for number in range(50))
        talk = channel.stream_stream("/shop.Echo/Talk")(timeout=10)
        for number in range(20):
            await talk.write(b"%d" % number)
            assert await talk.read() == b"%d!" % number  # each before the next is asked
        await talk.done_writing()
        assert await talk.read() is aio.EOF
        large = b"x" * 2_000_000
        assert await channel.unary_unary("/shop.Echo/Say")(large, timeout=20) == large


async def test_statuses_pass_through() -> None:
    async with serving() as (_, _echo, channel):
        with pytest.raises(aio.AioRpcError) as failed:
            await channel.unary_unary("/shop.Echo/Fail")(b"", timeout=10)
        assert failed.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert failed.value.details() == "not now: ä"
        with pytest.raises(aio.AioRpcError) as failed:
            await channel.unary_unary("/shop.Echo/Missing")(b"", timeout=10)
        assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED


REFUSED: dict[str, tuple[dict[str, Any], grpc.StatusCode, str]] = {
    "rate limit": (
        {"rate_limits": (RateLimit("urn:test:limit", 0.001, 1),)}, grpc.StatusCode.RESOURCE_EXHAUSTED, "limit"
    ),
    "no backend": ({"to": None}, grpc.StatusCode.UNAVAILABLE, "no backend"),
    "timeout": ({"timeout": Timeout("urn:test:timeout", 0.3)}, grpc.StatusCode.DEADLINE_EXCEEDED, "time"),
    "no route": ({"path": "/other"}, grpc.StatusCode.UNIMPLEMENTED, "no route"),
    "maintenance": ({"maintenance": Maintenance("urn:test:m", "urn:test:route")}, grpc.StatusCode.UNAVAILABLE, ""),
    "no key": (
        {"authentication": Authentication("urn:test:a", api_keys=(ApiKey("urn:test:k", ("0" * 64,)),))},
        grpc.StatusCode.UNAUTHENTICATED, "key",
    ),
    "fault": ({"faults": (Fault("urn:test:f", abort_status=503),)}, grpc.StatusCode.UNAVAILABLE, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_what_the_gateway_refuses_has_a_status(name: str) -> None:
    more, code, said = REFUSED[name]
    async with serving(**more) as (_, _echo, channel):
        with pytest.raises(aio.AioRpcError) as failed:
            for _ in range(3):
                await channel.unary_unary("/shop.Echo/Slow" if name == "timeout" else "/shop.Echo/Say")(
                    b"x", timeout=10
                )
        assert failed.value.code() is code
        assert said in str(failed.value.details())


async def test_the_callers_deadline_is_the_requests_and_the_backends() -> None:
    from api_gateway_service_mesh.model import DeadlineTrust

    timeout = Timeout("urn:test:timeout", 20.0, deadline_header="grpc-timeout", deadline_trust=DeadlineTrust.ANYONE)
    async with serving(timeout=timeout) as (_, echo, channel):
        with pytest.raises(aio.AioRpcError) as failed:
            await channel.unary_unary("/shop.Echo/Slow")(b"", timeout=4)  # time enough for a busy machine to get there
        assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert echo.left is not None and 0 < echo.left <= 4


async def test_a_call_is_tried_again_by_its_status() -> None:
    retry = Retry("urn:test:retry", attempts=3, conditions=frozenset({RetryCondition.GRPC_UNAVAILABLE}))
    async with serving(retry=retry) as (_, echo, channel):
        assert await channel.unary_unary("/shop.Echo/Flaky")(b"", timeout=10) == b"at last"
        assert echo.calls == 3
        with pytest.raises(aio.AioRpcError) as failed:
            await channel.unary_unary("/shop.Echo/Fail")(b"", timeout=10)
        assert failed.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert echo.calls == 4


async def test_a_call_that_is_given_up_ends_at_the_backend() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()
    async with serving() as (_, echo, channel):

        async def slow(request: bytes, context: Any) -> bytes:
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()
            return b""

        echo.slow = slow  # type: ignore[method-assign]
        call = channel.unary_unary("/shop.Echo/Slow")(b"", timeout=60)
        await asyncio.wait_for(begun.wait(), 20)
        call.cancel()
        await asyncio.wait_for(ended.wait(), 20)


#: What callers act on: whether to try again, and whose fault it was.
STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: [(400, "invalid-parameter"), (400, "malformed-body"), (422, "invalid-body")],
    grpc.StatusCode.DEADLINE_EXCEEDED: [(504, "timeout")],
    grpc.StatusCode.PERMISSION_DENIED: [(403, "access-denied"), (403, "forbidden"), (403, "external-denied")],
    grpc.StatusCode.RESOURCE_EXHAUSTED: [(429, "rate-limited"), (429, "quota-exceeded"), (413, "body-too-large")],
    grpc.StatusCode.UNAUTHENTICATED: [(401, "authentication-required"), (401, "invalid-credentials")],
    grpc.StatusCode.UNAVAILABLE: [
        (503, "circuit-open"), (503, "no-endpoint"), (502, "upstream-connect-failure"), (502, "upstream-reset"),
        (503, "maintenance"), (503, "overloaded"), (504, "upstream-queue-timeout"), (503, "upstream-overloaded"),
        (503, "rate-limit-unavailable"), (503, "backend-token-unavailable"), (421, "misdirected-request"),
    ],
    grpc.StatusCode.UNIMPLEMENTED: [
        (404, "no-route"), (405, "method-not-allowed"), (501, "not-implemented"), (410, "version-withdrawn"),
        (404, "undescribed-request"),
    ],
    grpc.StatusCode.INTERNAL: [(400, "malformed-framing")],
}  # fmt: skip


@pytest.mark.parametrize("code", STATUSES)
def test_each_kind_of_refusal_has_its_status(code: grpc.StatusCode) -> None:
    for status, kind in STATUSES[code]:
        assert kind in KINDS
        assert grpc_status(Refusal(status, kind, "")) == code.value[0], kind


async def test_health_is_asked_and_watched_through_the_gateway() -> None:
    servicer = health.aio.HealthServicer()
    server = aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await servicer.set("shop", health_pb2.HealthCheckResponse.NOT_SERVING)
    await server.start()
    try:
        service = upstream(endpoint(port), protocol=HttpProtocol.HTTP2)
        taken = route("/grpc.health.v1.Health")
        async with running(mesh_of(taken, service)) as gateway:
            options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
            async with aio.insecure_channel(f"127.0.0.1:{gateway.port}", options) as channel:
                stub = health_pb2_grpc.HealthStub(channel)
                asked = health_pb2.HealthCheckRequest(service="shop")
                assert (await stub.Check(asked, timeout=20)).status == health_pb2.HealthCheckResponse.NOT_SERVING
                watch = stub.Watch(asked, timeout=60)
                assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
                await servicer.set("shop", health_pb2.HealthCheckResponse.SERVING)
                assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
                watch.cancel()
    finally:
        await server.stop(0)


async def test_messages_are_as_large_as_client_and_server_agree_on() -> None:
    """The gateway bounds none: it forwards them piece by piece, and both sides' own bounds hold."""
    async with serving() as (_, _echo, channel):
        with pytest.raises(aio.AioRpcError) as failed:
            await channel.unary_unary("/shop.Echo/Say")(b"x" * 5_000_000, timeout=60)
        assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # grpcio's own four mebibytes
        assert await channel.unary_unary("/shop.Echo/Say")(b"x" * 4_000_000, timeout=60) == b"x" * 4_000_000
