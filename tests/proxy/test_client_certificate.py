"""Client certificates over real TLS: who gets through, what backends are told, and which backends are spoken to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes

from api_gateway_service_mesh.model import (
    CertificateDetail,
    CertificateForwarding,
    ClientCertificate,
    Listener,
    MtlsMode,
    PeerNames,
    UpstreamTls,
)
from api_gateway_service_mesh.policies import read_events
from tests.support.backend import Backend, answer, backend, says
from tests.support.certs import Authority, Issued, new_authority
from tests.support.gateway import Running, endpoint, mesh_of, raw, route, running, upstream

SHOP = "spiffe://example.org/shop"
POLICY = ClientCertificate("urn:test:policy", "urn:test:route")
TELLS = replace(POLICY, forwarding=CertificateForwarding.SANITIZE_SET, details=(CertificateDetail.URI,))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("certs"))


@pytest.fixture(scope="module")
def shop(authority: Authority) -> Issued:
    return authority.issue("shop", names=("shop.internal",), uris=(SHOP,))


@asynccontextmanager
async def serving(
    authority: Authority, policy: ClientCertificate, mode: MtlsMode | None = MtlsMode.PERMISSIVE, **mesh: object
) -> AsyncIterator[tuple[Running, Backend]]:
    listener = Listener(
        "urn:test:listener",
        0,
        "127.0.0.1",
        authority.issue("gateway").model(),
        mode,
        asks_clients=True,
    )
    async with backend(says(answer(b"ok"))) as behind:
        made = mesh_of(route(client_certificate=policy), upstream(endpoint(behind.port)), **mesh)
        async with running(made, listener=listener) as gateway:
            yield gateway, behind


async def asked(gateway: Running, authority: Authority, issued: Issued | None, fields: str = "") -> bytes:
    context = ssl.create_default_context(cafile=str(authority.bundle))
    if issued is not None:
        context.load_cert_chain(issued.certificate_file, issued.key_file)
    request = f"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n".encode()
    return await raw(gateway.port, request, tls=context, seconds=20)


def told(behind: Backend) -> list[str]:
    """The X-Forwarded-Client-Cert fields of the last request at the backend."""
    return behind.requests[-1].all("X-Forwarded-Client-Cert")


async def test_strict_takes_those_who_show_a_certificate(authority: Authority, shop: Issued) -> None:
    async with serving(authority, TELLS) as (gateway, behind):
        assert (await asked(gateway, authority, shop)).startswith(b"HTTP/1.1 200")
        (line,) = told(behind)
        assert line.endswith(f";URI={SHOP}")
        nobody = await asked(gateway, authority, None)
        assert nobody.startswith(b"HTTP/1.1 403")
        assert b"urn:agw:problem:client-certificate-required" in nobody
        plain = await raw(gateway.port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert plain.startswith(b"HTTP/1.1 403")
        assert len(behind.requests) == 1
        counts = read_events(gateway.store.view, gateway.layout.slots["event", POLICY.iri], 1)
        assert counts[:2] == (1, 2)


async def test_the_certificate_must_be_of_who_may_call(authority: Authority, shop: Issued) -> None:
    policy = replace(POLICY, peers=PeerNames(("spiffe://example.org/shop/*",), ("example.com",), ("*.internal",)))
    other = authority.issue("other", names=("other.external",), uris=("spiffe://example.org/other",))
    async with serving(authority, policy, None) as (gateway, behind):
        assert (await asked(gateway, authority, shop)).startswith(b"HTTP/1.1 200")
        refused = await asked(gateway, authority, other)
        assert refused.startswith(b"HTTP/1.1 403")
        assert b"urn:agw:problem:client-certificate-refused" in refused
        assert b"external" not in refused, "what the gateway knows of the caller is for the operator"
        assert told(behind) == []


async def test_permissive_and_disable(authority: Authority, shop: Issued) -> None:
    permissive = replace(TELLS, mode=MtlsMode.PERMISSIVE)
    async with serving(authority, permissive) as (gateway, behind):
        assert (await asked(gateway, authority, None)).startswith(b"HTTP/1.1 200")
        assert told(behind) == []
        assert (await asked(gateway, authority, shop)).startswith(b"HTTP/1.1 200")
        assert len(told(behind)) == 1
    async with serving(authority, replace(TELLS, mode=MtlsMode.DISABLE)) as (gateway, behind):
        assert (await asked(gateway, authority, shop)).startswith(b"HTTP/1.1 200")
        assert told(behind) == []


FORGED = "X-Forwarded-Client-Cert: Hash=beef;URI=spiffe://example.org/admin\r\n"


@pytest.mark.parametrize("forwarding", list(CertificateForwarding))
@pytest.mark.parametrize("name", ["X-Forwarded-Client-Cert", "x_forwarded_client_cert"])
async def test_what_clients_say_of_themselves_goes_nowhere(
    authority: Authority, shop: Issued, forwarding: CertificateForwarding, name: str
) -> None:
    async with serving(authority, replace(TELLS, forwarding=forwarding)) as (gateway, behind):
        fields = FORGED.replace("X-Forwarded-Client-Cert", name)
        assert (await asked(gateway, authority, shop, fields)).startswith(b"HTTP/1.1 200")
        assert "admin" not in repr(behind.requests[-1].fields)


@pytest.mark.parametrize(
    ("forwarding", "wanted"),
    [
        (CertificateForwarding.SANITIZE, []),
        (CertificateForwarding.SANITIZE_SET, ["Hash=…;URI=spiffe://example.org/shop"]),
        (CertificateForwarding.FORWARD_ONLY, ["Hash=beef;URI=spiffe://example.org/admin"]),
        (
            CertificateForwarding.APPEND_FORWARD,
            ["Hash=beef;URI=spiffe://example.org/admin,Hash=…;URI=spiffe://example.org/shop"],
        ),
    ],
)
async def test_trusted_proxies_are_believed_by_rule(
    authority: Authority, shop: Issued, forwarding: CertificateForwarding, wanted: list[str]
) -> None:
    print_ = shop.certificate.fingerprint(hashes.SHA256()).hex()
    policy = replace(TELLS, forwarding=forwarding)
    async with serving(authority, policy, trusted_proxies=("127.0.0.0/8",)) as (gateway, behind):
        assert (await asked(gateway, authority, shop, FORGED)).startswith(b"HTTP/1.1 200")
        values = [line.replace(print_, "…") for line in told(behind)]
        assert values == wanted


@pytest.mark.parametrize(
    ("peers", "status"),
    [
        (PeerNames((SHOP,)), b"200"),
        (PeerNames(("spiffe://example.org/ledger",)), b"502"),
        (PeerNames((), ("example.org",)), b"200"),
        (PeerNames((), (), ("shop.internal",)), b"200"),
        (PeerNames((), (), ("ledger.internal",)), b"502"),
        (PeerNames(), b"502"),  # then the host name, 127.0.0.1, is looked for, and is not there
    ],
)
async def test_backends_must_be_who_the_configuration_says(
    authority: Authority, shop: Issued, peers: PeerNames, status: bytes
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shop.certificate_file, shop.key_file)
    asked_for = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(4096):
            asked_for.append(1)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        behind = replace(endpoint(server.sockets[0].getsockname()[1]), tls=True)
        tls = UpstreamTls(authority.trust_model(), peers=peers)
        async with running(mesh_of(route(), upstream(behind, tls=tls))) as gateway:
            got = await raw(gateway.port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert got.split(b" ")[1] == status
            assert len(asked_for) == (status == b"200"), "not a byte of a request goes to a stranger"
            assert gateway.engine  # the gateway lives on
