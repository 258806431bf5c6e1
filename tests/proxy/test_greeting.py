"""One port, some of whose hosts look at client certificates: who is asked for one, and nobody gets round it by asking
for another host. Over real TLS, with HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from api_gateway_service_mesh.model import (
    Authorization,
    AuthorizationPolicy,
    AuthorizationRule,
    ClientCertificate,
    Listener,
    MtlsMode,
    PathKind,
    PathMatch,
    Route,
    RouteMatch,
    RuleAction,
    UnknownServerName,
)
from api_gateway_service_mesh.policies.listener import HandshakeFault, read_listener
from tests.support import http2
from tests.support.backend import Backend, answer, backend, says
from tests.support.certs import Authority, Issued, new_authority
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream

WEB = "urn:test:web"
OPEN, GUARDED, BELOW = "open.example", "guarded.example", "a.b.tenants.example"
POLICY = ClientCertificate("urn:policy", "urn:test:guarded")
NAMES = (OPEN, GUARDED, "*.tenants.example", "*.b.tenants.example")


@dataclass
class Pki:
    authority: Authority
    server: Issued
    other: Issued
    caller: Issued


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    authority = new_authority(tmp_path_factory.mktemp("certs"))
    server = authority.issue("server", names=NAMES)
    return Pki(authority, server, authority.issue("other", names=("other.example",)), authority.issue("caller"))


def at(*hosts: str, name: str, **policies: object) -> Route:
    match = RouteMatch(PathMatch(PathKind.PREFIX, ""), hosts)
    return replace(route(**policies), iri=f"urn:test:{name}", name=name, match=match)


GUARDED_ROUTE = at(GUARDED, "*.tenants.example", name="guarded", client_certificate=POLICY)


@asynccontextmanager
async def served(
    pki: Pki, *guarded: Route, hosts: tuple[str, ...] = (GUARDED, "*.tenants.example"), **more: object
) -> AsyncIterator[tuple[Running, Backend]]:
    listener = Listener(WEB, 0, "127.0.0.1", pki.server.model(), asks_clients=True, asked_hosts=hosts, **more)  # type: ignore[arg-type]
    async with backend(says(answer(b"ok"))) as behind:
        routes = (at(OPEN, name="open"), *(guarded or (GUARDED_ROUTE,)))
        mesh = mesh_of(routes, upstream(endpoint(behind.port)), listeners=(listener,), access_log=True)
        async with running(mesh, listener=listener) as gateway:
            yield gateway, behind


def client(pki: Pki, shown: Issued | None, *protocols: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(pki.authority.bundle))
    context.check_hostname = False  # who asks for no name, or one that is not there, has to get through
    if shown is not None:
        context.load_cert_chain(shown.certificate_file, shown.key_file)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


async def asks(gateway: Running, context: ssl.SSLContext, name: str | None, *hosts: str) -> list[tuple[int, str]]:
    """Status and kind of refusal for a request to each of `hosts`, over one connection that was opened for `name`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, ssl=context, server_hostname=name or "")
    found = []
    async with asyncio.timeout(30):
        for host in hosts:
            writer.write(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host.encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.lower().partition("content-length:")[2].split("\r\n")[0])
            found.append((int(head.split(" ")[1]), kind(await reader.readexactly(length))))
    writer.close()
    return found


def kind(body: bytes) -> str:
    return "" if body == b"ok" else json.loads(body)["type"].removeprefix("urn:agw:problem:")


MISDIRECTED, REQUIRED = (421, "misdirected-request"), (403, "client-certificate-required")


@pytest.mark.parametrize("shows", [True, False])
async def test_a_connection_for_an_open_host_leads_to_no_guarded_one(pki: Pki, shows: bool) -> None:
    context = client(pki, pki.caller if shows else None)
    async with served(pki) as (gateway, behind):
        hosts = (OPEN, GUARDED, f"{GUARDED}.", GUARDED.upper(), f"{GUARDED}:443", BELOW, OPEN)
        found = await asks(gateway, context, OPEN, *hosts)
        assert found == [(200, ""), *[MISDIRECTED] * 5, (200, "")]
        assert len(behind.requests) == 2
        line = next(each for each in map(json.loads, gateway.log) if each["status"] == 421)
        assert (line["flags"], line["refused_by"]) == (["UAEX"], POLICY.iri)


@pytest.mark.parametrize("name", [GUARDED, GUARDED.upper(), BELOW, "x.tenants.example", "", "192.0.2.1"])
async def test_who_asks_for_a_guarded_host_or_nobody_is_asked_back(pki: Pki, name: str) -> None:
    async with served(pki) as (gateway, _):
        assert await asks(gateway, client(pki, pki.caller), name, GUARDED, BELOW, OPEN) == [(200, "")] * 3
        assert await asks(gateway, client(pki, None), name, GUARDED, BELOW, OPEN) == [REQUIRED, REQUIRED, (200, "")]


async def test_nobody_else_is(pki: Pki, tmp_path: Path) -> None:
    """A browser would have asked its user: who shows a certificate that nobody vouches for is let in."""
    stranger = new_authority(tmp_path, "stranger").issue("stranger")
    async with served(pki) as (gateway, _):
        for name in (OPEN, "tenants.example", "elsewhere.example", "x" + GUARDED):
            assert await asks(gateway, client(pki, stranger), name, OPEN) == [(200, "")]
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await asks(gateway, client(pki, stranger), GUARDED, OPEN)


async def test_streams_of_one_connection_are_told_apart(pki: Pki) -> None:
    async with served(pki) as (gateway, behind):
        connection = await http2.Client.connect(gateway.port, client(pki, pki.caller, "h2"), name=OPEN)
        fetch = lambda host: connection.fetch(http2.fields_for(authority=host, scheme="https"))  # noqa: E731
        assert (await fetch(OPEN)).status == 200
        for host in (GUARDED, GUARDED.upper(), BELOW):
            refused = await fetch(host)
            assert (refused.status, kind(refused.body)) == MISDIRECTED
        assert (await fetch(OPEN)).status == 200, "the connection lives on"
        connection.close()
        again = await http2.Client.connect(gateway.port, client(pki, pki.caller, "h2"), name=GUARDED)
        assert (await again.fetch(http2.fields_for(authority=GUARDED, scheme="https"))).status == 200
        again.close()
        assert len(behind.requests) == 3


async def test_rules_that_speak_of_certificates_count_too(pki: Pki) -> None:
    """Else who is denied by name would come by a connection where he is not asked for it."""
    denied = AuthorizationRule("urn:deny", RuleAction.DENY, names=("dns:localhost",))
    rules = Authorization(
        "urn:test:guarded", (AuthorizationPolicy("urn:policy", (AuthorizationRule("urn:allow"), denied)),)
    )
    async with served(pki, at(GUARDED, name="guarded", authorization=rules), hosts=(GUARDED,)) as (gateway, _):
        assert await asks(gateway, client(pki, pki.caller), OPEN, GUARDED) == [MISDIRECTED]
        assert await asks(gateway, client(pki, pki.caller), GUARDED, GUARDED) == [(403, "access-denied")]
        assert await asks(gateway, client(pki, pki.other), GUARDED, GUARDED) == [(200, "")]


async def test_where_a_guarded_route_has_no_host_everybody_is_asked(pki: Pki) -> None:
    async with served(pki, at(name="guarded", client_certificate=POLICY), hosts=()) as (gateway, _):
        assert await asks(gateway, client(pki, pki.caller), "elsewhere.example", GUARDED) == [(200, "")]
        assert await asks(gateway, client(pki, None), "elsewhere.example", GUARDED) == [REQUIRED]


@pytest.mark.parametrize("mode", [MtlsMode.PERMISSIVE, MtlsMode.STRICT])
async def test_a_listener_s_own_mode_asks_everybody(pki: Pki, mode: MtlsMode) -> None:
    async with served(pki, mtls_mode=mode) as (gateway, _):
        assert await asks(gateway, client(pki, pki.caller), OPEN, GUARDED) == [(200, "")]


async def test_a_listener_that_asks_nobody_says_what_is_missing(pki: Pki) -> None:
    """421 would have clients come again and again."""
    async with served(pki, mtls_mode=MtlsMode.DISABLE) as (gateway, _):
        assert await asks(gateway, client(pki, pki.caller), OPEN, GUARDED) == [REQUIRED]


async def test_a_reload_decides_for_new_connections(pki: Pki) -> None:
    async with served(pki) as (gateway, _):
        (opened,) = gateway.engine._listeners
        opened.replace(replace(opened._listener, asked_hosts=(OPEN,)))
        assert await asks(gateway, client(pki, pki.caller), GUARDED, GUARDED) == [MISDIRECTED]
        opened.replace(replace(opened._listener, asked_hosts=(OPEN, "*")))
        assert await asks(gateway, client(pki, pki.caller), GUARDED, GUARDED) == [(200, "")]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("several", [True, False])
async def test_a_name_that_no_certificate_has_is_refused(pki: Pki, version: ssl.TLSVersion, several: bool) -> None:
    more = {"more_certificates": (pki.other.model(),)} if several else {}
    context = client(pki, None)
    context.maximum_version = version
    async with served(pki, unknown_name=UnknownServerName.REFUSE, **more) as (gateway, _):
        known = [OPEN, OPEN.upper(), "x.tenants.example", BELOW, *(("other.example",) if several else ())]
        for name in known:
            assert await asks(gateway, context, name, OPEN) == [(200, "")]
        unknown = ["elsewhere.example", "example", "x.y.tenants.example", "", "127.0.0.1"]
        for name in unknown:
            with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
                await asks(gateway, context, name, OPEN)
        async with asyncio.timeout(20):
            while True:
                totals = read_listener(gateway.store.view, gateway.layout.slots["listener", WEB], 1)
                if totals.faults[HandshakeFault.UNKNOWN_NAME] == totals.failed == len(unknown):
                    break
                await asyncio.sleep(0.01)


async def test_by_default_the_default_certificate_is_shown(pki: Pki) -> None:
    async with served(pki) as (gateway, _):
        for name in ("elsewhere.example", ""):
            assert await asks(gateway, client(pki, None), name, OPEN) == [(200, "")]
