"""The prober against real servers whose answers the test chooses."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from api_gateway_service_mesh.model import (
    Certificate,
    Endpoint,
    HealthCheck,
    Listener,
    Mesh,
    MtlsMode,
    Upstream,
    UpstreamTls,
)
from api_gateway_service_mesh.policies.cells import CellLayout, CellStore, layout_for
from api_gateway_service_mesh.policies.health import HealthState, read_health
from api_gateway_service_mesh.proxy.prober import HealthProber
from api_gateway_service_mesh.security.tls import server_context
from tests.support.certs import new_authority

CHECK = HealthCheck("urn:test:check", path="/health?deep=1", interval_seconds=0.02, timeout_seconds=0.5)
OK, SICK = b"200 OK", b"503 Service Unavailable"


class Patient:
    """A backend that answers its health checks with `answer`, and remembers the heads it was asked with."""

    def __init__(self) -> None:
        self.answer = OK
        self.extra = b""
        self.asked: list[bytes] = []
        self.stalls = False
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            if self.stalls:
                await reader.read()
            writer.write(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n%b\r\n" % (self.answer, self.extra))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


class Ward:
    """A prober with cells and a mesh of one upstream."""

    def __init__(self) -> None:
        self.cells = CellStore.local(4096)
        self.layout = CellLayout(self.cells)
        self.changes: asyncio.Queue[str] = asyncio.Queue()
        self.prober = HealthProber(self.cells, random=Random(7), changed=self.changes.put_nowait)

    def update(self, *endpoints: Endpoint, check: HealthCheck | None = CHECK, **upstream: object) -> None:
        mesh = Mesh(
            iri="urn:test:gateway",
            name="test",
            upstreams=(Upstream("urn:test:service", "service", endpoints, health=check, **upstream),),  # type: ignore[arg-type]
        )
        self.prober.update(mesh, layout_for(mesh, self.layout, 1))

    def state(self, iri: str = "urn:test:a") -> HealthState:
        return read_health(self.cells.view, self.layout.slots["health", iri])

    async def change(self) -> HealthState:
        iri = await asyncio.wait_for(self.changes.get(), 10)
        return self.state(iri)


@pytest.fixture
async def patient() -> AsyncIterator[Patient]:
    one = Patient()
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
async def ward() -> AsyncIterator[Ward]:
    one = Ward()
    yield one
    await one.prober.stop()


def at(port: int, iri: str = "urn:test:a", *, tls: bool = False) -> Endpoint:
    return Endpoint(iri, "127.0.0.1", port, tls)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_states_follow_the_answers_by_the_thresholds(patient: Patient, ward: Ward) -> None:
    check = replace(CHECK, success_threshold=2, failure_threshold=3)
    ward.update(at(patient.port), check=check)
    assert ward.state() is HealthState.UNKNOWN
    assert await ward.change() is HealthState.HEALTHY
    assert len(patient.asked) == 2
    asked = len(patient.asked)
    patient.answer = SICK
    assert await ward.change() is HealthState.UNHEALTHY
    assert len(patient.asked) - asked >= 3
    assert ward.prober.failures["urn:test:a"] == f"http://127.0.0.1:{patient.port}/health?deep=1 answered 503"
    patient.answer = OK
    assert await ward.change() is HealthState.HEALTHY
    assert not ward.prober.failures


async def test_a_probe_is_a_plain_get_on_its_own_connection(patient: Patient, ward: Ward) -> None:
    patient.extra = b"Set-Cookie: a=b\r\n"
    ward.update(at(patient.port))
    await until(lambda: len(patient.asked) > 2)
    head = patient.asked[-1]
    assert head.startswith(b"GET /health?deep=1 HTTP/1.1\r\n")
    assert f"\r\nHost: 127.0.0.1:{patient.port}\r\n".encode() in head
    assert b"cookie" not in head.lower()


@pytest.mark.parametrize("status", [b"301 Moved", b"404 Not Found", b"500 Oops", b"304 Not Modified"])
async def test_only_2xx_counts_and_redirects_are_not_followed(patient: Patient, ward: Ward, status: bytes) -> None:
    patient.answer, patient.extra = status, b"Location: /elsewhere\r\n"
    ward.update(at(patient.port))
    assert await ward.change() is HealthState.UNHEALTHY
    assert all(head.startswith(b"GET /health") for head in patient.asked)


async def test_refused_late_and_garbled_answers_are_failures(patient: Patient, ward: Ward) -> None:
    prober, check = ward.prober, replace(CHECK, timeout_seconds=0.1)
    patient.stalls = True
    assert "did not answer within 0.1 s" in str(await prober.probe(at(patient.port), check))
    patient.stalls, patient.extra = False, b"no colon here\r\n"
    assert "cannot be asked" in str(await prober.probe(at(patient.port), CHECK))
    await patient.stop()
    assert "cannot be asked" in str(await prober.probe(at(patient.port), CHECK))


async def test_a_reload_disturbs_only_what_changed(patient: Patient, ward: Ward) -> None:
    other = Patient()
    await other.start()
    try:
        ward.update(at(patient.port), at(other.port, "urn:test:b"))
        for _ in range(2):
            assert await ward.change() is HealthState.HEALTHY
        tasks = {task.get_name(): task for task in asyncio.all_tasks()}
        ward.update(at(patient.port), at(patient.port, "urn:test:b"))  # b moved
        assert ward.state("urn:test:a") is HealthState.HEALTHY
        assert ward.state("urn:test:b") is HealthState.UNKNOWN
        assert {task.get_name(): task for task in asyncio.all_tasks()}["readiness urn:test:a"] is tasks[
            "readiness urn:test:a"
        ]
        assert await ward.change() is HealthState.HEALTHY
        ward.update(at(patient.port), check=None)
        assert ward.state() is HealthState.UNKNOWN
        assert ward.prober.probed == frozenset()
        await asyncio.wait({tasks["readiness urn:test:a"]}, timeout=5)
        count = len(patient.asked)
        await asyncio.sleep(3 * CHECK.interval_seconds)
        assert len(patient.asked) == count
    finally:
        await other.stop()


async def test_mtls_probes_show_the_certificate_and_verify_the_name(ward: Ward, tmp_path: Path) -> None:
    authority = new_authority(tmp_path)
    certificate = authority.issue("gateway").model()
    listener = Listener(
        "urn:test:l",
        0,
        certificate=authority.issue("orders", names=("orders.internal",)).model(),
        mtls_mode=MtlsMode.STRICT,
    )
    patient = Patient()
    await patient.start(server_context(listener))
    try:
        endpoint = at(patient.port, tls=True)
        right = UpstreamTls(certificate, server_name="orders.internal")
        assert await ward.prober.probe(endpoint, CHECK, right) is None
        wrong = await ward.prober.probe(endpoint, CHECK, UpstreamTls(certificate))
        assert wrong is not None
        assert "certificate" in wrong
        bare = await ward.prober.probe(endpoint, CHECK, UpstreamTls(authority.trust_model(), "orders.internal"))
        assert bare is not None
        missing = Certificate("urn:test:c", trust_bundle_file=str(tmp_path / "missing.pem"))
        fault = await ward.prober.probe(endpoint, CHECK, UpstreamTls(missing))
        assert fault == f"{tmp_path / 'missing.pem'} cannot be read: No such file or directory."
    finally:
        await patient.stop()


async def test_what_demands_mtls_is_never_probed_in_plain_text(patient: Patient, ward: Ward) -> None:
    ward.update(at(patient.port), mtls_mode=MtlsMode.STRICT)
    assert ward.prober.probed == frozenset()
