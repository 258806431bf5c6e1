"""A served gateway whose identity comes from a real SPIRE agent: no identity, one, its rotations, and no agent."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from tests.support.serving import Serving, serve_process, turtle
from tests.support.spire import TRUST_DOMAIN, Spire, spire

from .test_issuing import runtime, until

pytest.importorskip("grpc")
pytestmark = pytest.mark.timeout(300)
LASTS = 24
CONFIGURATION = f"""
ex:gateway a agw:ApiGateway ; agw:hasListener ex:web ; agw:hasRoute ex:pilots , ex:all .
ex:all a agw:Route ; agw:routePath "/*" ; agw:hasDirectResponse [ a agw:DirectResponse ; agw:responseBody "here" ] .
ex:pilots a agw:Route ; agw:routePath "/pilots/*" ;
    agw:hasClientCertificatePolicy [ a agw:ClientCertificatePolicy ; agw:peerSpiffeId "spiffe://{TRUST_DOMAIN}/pilots/*" ] ;
    agw:hasDirectResponse [ a agw:DirectResponse ; agw:responseBody "here" ] .
ex:web a agw:Listener ; agw:port 8443 ; agw:hasCertificate ex:site ; agw:hasMutualTLS ex:strict .
ex:strict a agw:MutualTLS ; agw:mtlsMode "STRICT" .
ex:site a agw:Certificate ; agw:issuedBy ex:agent ; agw:certificateName "spiffe://{TRUST_DOMAIN}/gateway" .
ex:agent a agw:CertificateAuthority ; agw:issuerKind "SPIFFE" .
"""


class Client:
    """A workload with certificates of its own, which the agent's command writes for it."""

    def __init__(self, one: Spire, folder: Path) -> None:
        folder.mkdir()
        command = ["spire-agent", "api", "fetch", "x509", "-socketPath", str(one.agent_socket), "-write", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        self._folder = folder
        self._bundle = folder / "bundle.0.pem"
        self.names = {
            identity_of(x509.load_pem_x509_certificate(file.read_bytes())): file for file in folder.glob("svid.*.pem")
        }

    def context(self, identity: str) -> ssl.SSLContext:
        """What to connect with, as `identity`."""
        file = self.names[identity]
        context = ssl.create_default_context(cafile=str(self._bundle))
        context.check_hostname = False  # a SPIFFE ID is no host's name: `shown` looks at it
        context.load_cert_chain(file, file.with_suffix(".key"))
        return context


def identity_of(certificate: x509.Certificate) -> str:
    (held,) = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return str(held.value)


async def connected(
    gateway: Serving, context: ssl.SSLContext
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, x509.Certificate]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, ssl=context)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return reader, writer, x509.load_der_x509_certificate(der)


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str = "/") -> int:
    """The status of an answer."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    async with asyncio.timeout(30):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        )
        await reader.readexactly(length)
    return int(head.split()[1])


async def rotations(gateway: Serving, context: ssl.SSLContext, count: int) -> tuple[list[int], int]:
    """Ask over one connection until so many certificates were shown to new ones; their serial numbers, and how many
    requests the first connection has had answered."""
    reader, writer, first = await connected(gateway, context)
    serials, answered, end = [first.serial_number], 0, time.monotonic() + 60 + 2 * count * LASTS
    while len(serials) < count + 1:
        assert time.monotonic() < end, "no rotation"
        assert await asked(reader, writer) == 200  # the connection that is open lives on
        answered += 1
        fresh, closing, now = await connected(gateway, context)  # none is ever refused, and none sees an old one
        assert now.not_valid_before_utc <= datetime.now(UTC) < now.not_valid_after_utc
        assert identity_of(now) == f"spiffe://{TRUST_DOMAIN}/gateway"
        assert await asked(fresh, closing) == 200
        closing.close()
        if now.serial_number not in serials:
            serials.append(now.serial_number)
        await asyncio.sleep(0.1)
    assert await asked(reader, writer) == 200
    writer.close()
    return serials, answered


def test_an_identity_of_a_spire_agent_is_served_rotated_and_outlives_the_agent(tmp_path: Path) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(turtle(CONFIGURATION))
    with (
        spire() as one,
        serve_process(file, environment={"SPIFFE_ENDPOINT_SOCKET": f"unix://{one.agent_socket}"}) as gateway,
    ):
        told = until(
            lambda: (found := runtime(gateway)).get("renewalState") == ["FAILING"] and found, "no identity yet"
        )
        assert "PERMISSION_DENIED" in told["renewalError"][0]
        mine = one.register("/gateway", LASTS)
        pilot, other = one.register("/pilots/ada", 1800), one.register("/other", 1800)
        until(lambda: runtime(gateway).get("renewalState") == ["CURRENT"], "an identity", 120)
        (kept,) = (tmp_path / "certs").glob("*-bundle.pem")
        assert x509.load_pem_x509_certificates(kept.read_bytes()) == x509.load_pem_x509_certificates(
            one.server("bundle", "show").encode()
        )
        client = until(
            lambda: (
                (found := Client(one, tmp_path / f"client{time.monotonic_ns()}")).names.keys() >= {mine, pilot, other}
                and found
            ),
            "registered",
        )

        async def story() -> None:
            for identity, wanted in ((pilot, 200), (other, 403), (mine, 403)):
                reader, writer, _ = await connected(gateway, client.context(identity))
                assert await asked(reader, writer, "/pilots/tide") == wanted, identity
                writer.close()
            serials, answered = await rotations(gateway, client.context(pilot), 2)
            assert len(set(serials)) == 3 and answered > 10

        asyncio.run(story())
        told = runtime(gateway)
        assert told["certificateAltName"] == [mine]
        assert int(told["renewedTotal"][0]) >= 3
        assert told["certificateUser"] == ["http://example.org/web"]
        one.stop_agent()
        told = until(lambda: (found := runtime(gateway)).get("renewalState") == ["FAILING"] and found, "no agent")
        assert "the agent" in told["renewalError"][0]

        async def afterwards() -> None:
            reader, writer, shown = await connected(gateway, client.context(pilot))
            assert identity_of(shown) == mine, "what there is stays in use"
            assert await asked(reader, writer) == 200
            writer.close()

        asyncio.run(afterwards())
        for place in (tmp_path / "certs").iterdir():
            assert place.name.endswith("-bundle.pem") or not place.stat().st_mode & 0o077
        assert "PRIVATE" not in "\n".join(gateway.lines)
