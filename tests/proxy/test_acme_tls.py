"""ACME's questions by TLS on a real port, on asyncio and on uvloop; everybody else there notices nothing."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from api_gateway_service_mesh.model import CertificateAuthority, ChallengeType, IssuerKind, Listener, MtlsMode
from api_gateway_service_mesh.proxy.listener import OpenListener, open_listener
from api_gateway_service_mesh.security.acme_tls import PROTOCOL, answer_name, answer_pem
from tests.support.certs import Authority, new_authority

from .test_listener import Echo


@pytest.fixture(params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    return request.param()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return new_authority(tmp_path)


@pytest.fixture
async def port(tmp_path: Path, authority: Authority) -> AsyncIterator[OpenListener]:
    issuer = CertificateAuthority(
        "urn:ca", str(tmp_path / "acme"), IssuerKind.ACME, "https://a/dir", ChallengeType.TLS_ALPN_01
    )
    (tmp_path / "acme" / ".challenges").mkdir(parents=True)
    certificate = replace(authority.issue("server").model(), authority=issuer)
    one = await open_listener(
        Listener("urn:l", 0, certificate=certificate, mtls_mode=MtlsMode.PERMISSIVE), Echo, host="127.0.0.1", port=0
    )
    yield one
    one.abort()
    await one.wait_closed()


class Client:
    """A TLS client that sends its first message in pieces."""

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        self.sent, self.heard = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.secured = context.wrap_bio(self.heard, self.sent, server_hostname=name)

    async def meet(self, port: int, *cuts: int) -> bytes:
        """Handshake and read until there is a word, or the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        first = True
        try:
            async with asyncio.timeout(20):
                while True:
                    try:
                        return self.secured.read(100)
                    except ssl.SSLWantReadError:
                        ready = self.sent.read()
                        for start, end in zip((0, *cuts), (*cuts, len(ready)), strict=True) if first else ():
                            writer.write(ready[start:end])
                            await asyncio.sleep(0.05)
                        if not first:
                            writer.write(ready)
                        first = False
                    except ssl.SSLZeroReturnError:
                        return b""
                    heard = await reader.read(65536)
                    if not heard:
                        return b""
                    self.heard.write(heard)
        finally:
            writer.close()


def context(*protocols: str) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.set_alpn_protocols(list(protocols))
    return made


@pytest.mark.parametrize("cuts", [(), (1,), (3, 40), (5, 6, 200)])
async def test_a_question_is_answered_however_it_comes(
    port: OpenListener, tmp_path: Path, cuts: tuple[int, ...]
) -> None:
    answer = tmp_path / "acme" / ".challenges" / answer_name("a.example")
    answer.write_bytes(answer_pem("a.example", "token.thumbprint"))
    asking = Client(context(PROTOCOL), "a.example")
    assert await asking.meet(port.port, *cuts) == b"", "the handshake is all"
    assert asking.secured.selected_alpn_protocol() == PROTOCOL
    assert (await Client(context("http/1.1"), "a.example").meet(port.port, *cuts)).startswith(b"tls")
    other = Client(context(PROTOCOL), "b.example")
    assert (await other.meet(port.port, *cuts)).startswith(b"tls"), "no question about this name is open"
    assert other.secured.selected_alpn_protocol() is None
    answer.unlink()
    assert (await Client(context(PROTOCOL), "a.example").meet(port.port, *cuts)).startswith(b"tls")


async def test_who_ends_in_the_middle_is_dropped_and_plain_text_goes_on(port: OpenListener) -> None:
    for begun in (b"\x16", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00" + bytes(100), b"\x16\x03\x01\xff\xff" + bytes(100)):
        reader, writer = await asyncio.open_connection("127.0.0.1", port.port)
        writer.write(begun)
        await asyncio.sleep(0.05)
        writer.write_eof()
        async with asyncio.timeout(20):
            await reader.read()
        writer.close()
    async with asyncio.timeout(20):
        while port.connections:
            await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", port.port)
    writer.write(b"G")
    assert await asyncio.wait_for(reader.readline(), 20) == b"plain\n"
    writer.close()
