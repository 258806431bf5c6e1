"""One probe at a time, of every kind, against real servers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from grpc import aio

from api_gateway_service_mesh.model import CheckProtocol, Endpoint, HealthCheck, UpstreamTls
from api_gateway_service_mesh.proxy.probe import Probes
from tests.support.backend import answer, backend, says
from tests.support.certs import new_authority

SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


@pytest.fixture
async def probes() -> AsyncIterator[Probes]:
    made = Probes()
    yield made
    await made.close()


def at(port: int, *, tls: bool = False) -> Endpoint:
    return Endpoint("urn:test:a", "127.0.0.1", port, tls)


def check(**more: object) -> HealthCheck:
    return HealthCheck("urn:test:check", timeout_seconds=2.0, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("statuses", "status", "well"),
    [
        ((), "200 OK", True),
        ((), "299 Odd", True),
        ((), "302 Found", False),
        (("404",), "404 Not Found", True),
        (("404",), "200 OK", False),
        (("200-204", "500"), "500 Oh", True),
        (("200-204", "500"), "205 Reset", False),
    ],
)
async def test_expected_statuses(probes: Probes, statuses: tuple[str, ...], status: str, well: bool) -> None:
    async with backend(says(answer(status=status))) as behind:
        said = await probes.ask(at(behind.port), check(statuses=statuses))
    assert (said is None) is well
    assert said is None or f"answered {status[:3]}" in said


async def test_fields_and_host_are_the_checks_own(probes: Probes) -> None:
    async with backend(says(answer())) as behind:
        await probes.ask(at(behind.port), check(headers=("X-Probe: agw", "X-Two:b"), host="shop.internal"))
    (request,) = behind.requests
    assert (request.get("x-probe"), request.get("x-two"), request.get("host")) == ("agw", "b", "shop.internal")
    assert request.get("user-agent") == "agw-health"


async def test_a_connection_is_enough_for_tcp(probes: Probes) -> None:
    async with backend(says(answer(status="500 Oh"))) as behind:
        assert await probes.ask(at(behind.port), check(protocol=CheckProtocol.TCP)) is None
        port = behind.port
    assert "cannot be asked" in (await probes.ask(at(port), check(protocol=CheckProtocol.TCP)) or "")


async def test_tcp_with_tls_shakes_hands(probes: Probes) -> None:
    async with backend(says(answer())) as behind:  # which speaks no TLS
        said = await probes.ask(at(behind.port, tls=True), check(protocol=CheckProtocol.TCP))
    assert said is not None


class Health(grpc.GenericRpcHandler):  # type: ignore[misc]
    """grpc.health.v1 of a server with these services, in the bytes of the wire."""

    def __init__(self, states: dict[bytes, bytes]) -> None:
        self.states = states

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method != "/grpc.health.v1.Health/Check":
            return None
        return grpc.unary_unary_rpc_method_handler(self._check)

    async def _check(self, request: bytes, context: aio.ServicerContext) -> bytes:
        state = self.states.get(request[2:])
        if state is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return state or b""


@contextlib.asynccontextmanager
async def grpc_server(
    states: dict[bytes, bytes], credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[int]:
    server = aio.server()
    server.add_generic_rpc_handlers((Health(states),))
    where = "127.0.0.1:0"
    port = server.add_secure_port(where, credentials) if credentials else server.add_insecure_port(where)
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ("", None),
        ("shop.Products", None),
        ("shop.Old", "says shop.Old is NOT_SERVING"),
        ("shop.New", "says shop.New is UNKNOWN"),
        ("shop.None", "answered NOT_FOUND: unknown service"),
    ],
)
async def test_grpc_health(probes: Probes, service: str, said: str | None) -> None:
    states = {b"": SERVING, b"shop.Products": SERVING, b"shop.Old": NOT_SERVING, b"shop.New": b""}
    async with grpc_server(states) as port:
        got = await probes.ask(at(port), check(protocol=CheckProtocol.GRPC, grpc_service=service))
    assert got == said if said is None else said in (got or "")


async def test_grpc_where_nobody_listens_is_told_in_time(probes: Probes) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        asking = probes.ask(at(taken.getsockname()[1]), check(protocol=CheckProtocol.GRPC))
        async with asyncio.timeout(20):
            assert await asking is not None


async def test_grpc_over_tls_verifies_whom_it_asks(probes: Probes, tmp_path: Path) -> None:
    authority = new_authority(tmp_path)
    trust = UpstreamTls(authority.trust_model(), "grpc.internal")
    named = authority.issue("grpc", names=("grpc.internal",))
    credentials = grpc.ssl_server_credentials([(named.key_pem, named.certificate_pem)])
    asks = check(protocol=CheckProtocol.GRPC)
    async with grpc_server({b"": SERVING}, credentials) as port:
        assert await probes.ask(at(port, tls=True), asks, trust) is None
        wrong = UpstreamTls(trust.certificate, "other.internal")
        assert await probes.ask(at(port, tls=True), asks, wrong) is not None
