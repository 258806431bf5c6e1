"""Clients whose handshake fails are told why: by the alert, in every version of TLS, on asyncio and on uvloop."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
import uvloop

from api_gateway_service_mesh.model import Certificate, Limits, Listener, MtlsMode
from api_gateway_service_mesh.policies.listener import HandshakeFault, read_listener
from api_gateway_service_mesh.proxy.handshake import fault_of
from tests.support.backend import answer, backend, says
from tests.support.certs import Authority, Issued, new_authority
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream

WEB = "urn:test:web"
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    return request.param()


@dataclass
class Pki:
    """Who may call, and who may not, each with why."""

    authority: Authority
    server: Certificate
    caller: Issued
    refused: dict[str, Issued]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    authority = new_authority(tmp_path_factory.mktemp("certs"))
    stranger = new_authority(tmp_path_factory.mktemp("strange"), "stranger").issue("stranger")
    revoked, server = authority.issue("revoked"), authority.issue("server").model(trust=True)
    return Pki(
        authority,
        replace(server, crl_file=str(authority.crl("list", revoked))),
        authority.issue("caller"),
        {"unknown": stranger, "expired": authority.expired(), "revoked": revoked},
    )


REASONS = {
    "unknown": ("TLSV1_ALERT_UNKNOWN_CA", HandshakeFault.UNKNOWN_AUTHORITY),
    "expired": ("SSLV3_ALERT_CERTIFICATE_EXPIRED", HandshakeFault.EXPIRED),
    "revoked": ("SSLV3_ALERT_CERTIFICATE_REVOKED", HandshakeFault.REVOKED),
}
NOTHING_SHOWN = {
    ssl.TLSVersion.TLSv1_2: "SSLV3_ALERT_HANDSHAKE_FAILURE",
    ssl.TLSVersion.TLSv1_3: "TLSV13_ALERT_CERTIFICATE_REQUIRED",
}


def calls(pki: Pki, port: int, shown: Issued | None, version: ssl.TLSVersion, sent: bytes = REQUEST) -> str:
    """What a call comes to: the first line of the answer, or the alert."""
    context = ssl.create_default_context(cafile=str(pki.authority.bundle))
    context.minimum_version = context.maximum_version = version
    if shown is not None:
        context.load_cert_chain(shown.certificate_file, shown.key_file)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        try:
            with context.wrap_socket(sock, server_hostname="localhost") as secured:
                secured.sendall(sent)
                return secured.recv(100).partition(b"\r\n")[0].decode()
        except ssl.SSLError as error:
            return str(error.reason)


class Served:
    def __init__(self, gateway: Running) -> None:
        self.gateway = gateway
        self.port = gateway.port

    def faults(self) -> dict[HandshakeFault, int]:
        totals = read_listener(self.gateway.store.view, self.gateway.layout.slots["listener", WEB], 1)
        return {fault: totals.faults[fault] for fault in HandshakeFault if totals.faults[fault]}

    async def counts(self, wanted: dict[HandshakeFault, int]) -> None:
        """They are counted when the connection is gone, a moment after the alert."""
        async with asyncio.timeout(20):
            while self.faults() != wanted:
                await asyncio.sleep(0.01)


@pytest.fixture(params=[MtlsMode.STRICT, MtlsMode.PERMISSIVE])
async def served(request: pytest.FixtureRequest, pki: Pki) -> AsyncIterator[Served]:
    listener = Listener(WEB, 0, "127.0.0.1", pki.server, request.param, Limits(header_timeout_seconds=20))
    async with backend(says(answer(b"ok"))) as behind:
        mesh = mesh_of(route(), upstream(endpoint(behind.port)), listeners=(listener,))
        async with running(mesh, listener=listener) as gateway:
            yield Served(gateway)


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
async def test_who_is_refused_is_told_why(served: Served, pki: Pki, version: ssl.TLSVersion) -> None:
    strict = served.gateway.engine._listeners[0]._listener.mtls_mode is MtlsMode.STRICT
    assert await asyncio.to_thread(calls, pki, served.port, pki.caller, version) == "HTTP/1.1 200 OK"
    said = await asyncio.to_thread(calls, pki, served.port, None, version)
    assert said == (NOTHING_SHOWN[version] if strict else "HTTP/1.1 200 OK")
    for name, (alert, _) in REASONS.items():
        assert await asyncio.to_thread(calls, pki, served.port, pki.refused[name], version) == alert
    wanted = {fault: 1 for _, fault in REASONS.values()} | ({HandshakeFault.NO_CERTIFICATE: 1} if strict else {})
    await served.counts(wanted)


async def test_what_comes_with_the_refused_handshake_does_not_drown_the_alert(served: Served, pki: Pki) -> None:
    large = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n" + b"x" * 4_000_000
    said = await asyncio.to_thread(
        calls, pki, served.port, pki.refused["unknown"], ssl.TLSVersion.TLSv1_3, large[:60_000]
    )
    assert said == "TLSV1_ALERT_UNKNOWN_CA"
    await served.counts({HandshakeFault.UNKNOWN_AUTHORITY: 1})


async def test_who_stays_after_the_alert_is_cut_off(served: Served, pki: Pki) -> None:
    def stays() -> bytes:
        hello = ssl.create_default_context()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        hello.maximum_version = ssl.TLSVersion.TLSv1_2
        hello.set_ciphers("ECDHE-RSA-AES128-SHA256")  # none that the gateway takes
        client = hello.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            client.do_handshake()
        with socket.create_connection(("127.0.0.1", served.port), timeout=30) as sock:
            sock.sendall(outgoing.read())
            received = b""
            while piece := sock.recv(1000):  # and it never closes by itself
                received += piece
        return received

    assert await asyncio.to_thread(stays) == b"\x15\x03\x03\x00\x02\x02\x28"  # RFC 5246 §7.2: fatal, handshake_failure
    await served.counts({HandshakeFault.NO_COMMON_VERSION: 1})


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
async def test_openssl_hears_it_too(served: Served, pki: Pki) -> None:
    for name, alert in (
        ("unknown", "unknown ca"),
        ("expired", "certificate expired"),
        ("revoked", "certificate revoked"),
    ):
        shown = pki.refused[name]
        process = await asyncio.create_subprocess_exec(
            "openssl", "s_client", "-connect", f"127.0.0.1:{served.port}", "-servername", "localhost", "-ign_eof",
            "-cert", str(shown.certificate_file), "-key", str(shown.key_file),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate(REQUEST)
        assert re.findall(r"alert ([a-z ]+?):", said.decode("latin-1")) == [alert]


async def test_other_ends_of_a_handshake_are_told_apart(served: Served, pki: Pki) -> None:
    for sent in (b"\x16garbage" * 100, b"\x16\x03\x01\x02\x00"):
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(sent)
        await asyncio.sleep(0)
        writer.write_eof()
        await served.counts({HandshakeFault.MALFORMED: 1} if sent[1:2] == b"g" else {
            HandshakeFault.MALFORMED: 1, HandshakeFault.BROKEN_OFF: 1
        })  # fmt: skip
        writer.close()

    def distrusts() -> None:
        context = ssl.create_default_context()
        with socket.create_connection(("127.0.0.1", served.port)) as sock, pytest.raises(ssl.SSLError):
            context.wrap_socket(sock, server_hostname="localhost")

    await asyncio.to_thread(distrusts)
    await served.counts({HandshakeFault.MALFORMED: 1, HandshakeFault.BROKEN_OFF: 2})


def test_faults_by_what_openssl_says() -> None:
    assert fault_of(ConnectionAbortedError("SSL handshake is taking longer than 1 seconds")) is HandshakeFault.TIMEOUT
    assert fault_of(ConnectionResetError()) is HandshakeFault.BROKEN_OFF
    assert fault_of(ssl.SSLError(1, "what?")) is HandshakeFault.MALFORMED
