"""The SPIFFE Workload API: a real server on the SPIFFE project's stubs, and answers that cannot be read."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Certificate
from api_gateway_service_mesh.security import workload_api as module
from api_gateway_service_mesh.security.issued import keep
from api_gateway_service_mesh.security.workload_api import x509_svids

pytest.importorskip("grpc")
ID = "spiffe://example.org/ns/edge/sa/gateway"
served = pytest.mark.skipif(
    shutil.which("workload-api") is None, reason="no Workload API is installed (.ci/servers/workload-api)"
)


@contextlib.contextmanager
def agent(socket: Path, seconds: int = 4) -> Iterator[None]:
    process = subprocess.Popen(["workload-api", str(socket), ID, str(seconds)])
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)
        socket.unlink(missing_ok=True)


async def first(socket: Path, wanted: tuple[str, ...] = ()) -> object:
    while not socket.exists():
        await asyncio.sleep(0.05)
    async for pair in x509_svids(str(socket), wanted):
        return pair
    raise AssertionError("nothing came")


@served
async def test_what_the_agent_hands_out_is_kept_each_time(tmp_path: Path) -> None:
    socket = tmp_path / "agent.sock"
    certificate = Certificate("urn:c", str(tmp_path / "c.pem"), trust_bundle_file=str(tmp_path / "b.pem"))
    with agent(socket):
        prints = []
        async with asyncio.timeout(30):
            await first(socket)
            async for pair in x509_svids(str(socket), (ID,)):
                facts = keep(certificate, pair)
                assert facts.identity == ID
                assert "PRIVATE" not in repr(pair)
                prints.append(facts.fingerprint)
                if len(prints) == 2:
                    break
        assert len(set(prints)) == 2, "a new one before the old one ends"
        with pytest.raises(AgwError, match=r"no certificate for spiffe://example\.org/other"):
            await first(socket, ("spiffe://example.org/other",))


async def test_without_an_agent_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPIFFE_ENDPOINT_SOCKET", raising=False)
    with pytest.raises(AgwError, match="SPIFFE_ENDPOINT_SOCKET"):
        await anext(x509_svids(None, ()))
    monkeypatch.setenv("SPIFFE_ENDPOINT_SOCKET", "tcp://127.0.0.1:1")
    with pytest.raises(AgwError, match="no agent's socket"):
        await anext(x509_svids(None, ()))
    with pytest.raises(AgwError, match="UNAVAILABLE"):
        await anext(x509_svids(str(tmp_path / "none.sock"), ()))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x0a",
        b"\x0a\x05ab",
        b"\x0f",
        b"\xff" * 12,
        b"\x0a\x00",
        b"\x0a\x04\x12\x02\x30\x82",
        b"\x08\x01",
        b"\x0a\x02\x0a\x00",
    ],
)
def test_an_answer_that_cannot_be_read_is_refused(message: bytes) -> None:
    with pytest.raises(AgwError):
        module._pair(message, ())
