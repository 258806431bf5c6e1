"""Intentions over real TLS, of one who answers as Consul's agent does, well or not."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from api_gateway_service_mesh.model import (
    ClientCertificate,
    IntentionFailureMode,
    Intentions,
    Listener,
    MtlsMode,
    Registry,
    RegistryType,
)
from api_gateway_service_mesh.policies import read_events
from api_gateway_service_mesh.security import intentions
from tests.support.backend import answer, backend, says
from tests.support.certs import Authority, new_authority
from tests.support.gateway import Running, endpoint, mesh_of, raw, route, running, upstream

SHOP = "spiffe://11111111-2222-3333-4444-555555555555.consul/ns/default/dc/dc1/svc/shop"


class Consul:
    """Says what it is told to say, and counts who asks."""

    def __init__(self) -> None:
        self.says: tuple[int, object] = (200, {"Authorized": True, "Reason": "Matched intention"})
        self.asked: list[dict[str, str]] = []
        self.tokens: set[str | None] = set()
        self.index = 7
        self.slow = 0.0
        self.changed = asyncio.Event()
        self.port = 0

    def change(self) -> None:
        """Tell those who wait that intentions are others."""
        self.index += 1
        self.changed.set()
        self.changed = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """As the agent."""
        self.tokens.add(request.headers.get("X-Consul-Token"))
        if request.path == "/v1/connect/intentions/match":
            if request.query.get("index") == str(self.index):
                await self.changed.wait()
            found = {"edge": [{"SourceName": "shop", "ModifyIndex": self.index}]}
            return web.json_response(found, headers={"X-Consul-Index": str(self.index)})
        assert (request.method, request.path) == ("POST", "/v1/agent/connect/authorize")
        self.asked.append(await request.json())
        await asyncio.sleep(self.slow)
        status, said = self.says
        return web.Response(status=status, text=said if isinstance(said, str) else json.dumps(said))


@asynccontextmanager
async def consul() -> AsyncIterator[Consul]:
    """One on a free port of loopback."""
    made = Consul()
    runner = web.ServerRunner(web.Server(made.answer), shutdown_timeout=0.1)  # type: ignore[arg-type]
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        made.change()
        await runner.cleanup()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("certs"))


@asynccontextmanager
async def serving(
    authority: Authority,
    said: Consul,
    mode: IntentionFailureMode = IntentionFailureMode.CLOSED,
    mtls: MtlsMode = MtlsMode.STRICT,
    token: str | None = None,
) -> AsyncIterator[Running]:
    listener = Listener(
        "urn:l", 0, "127.0.0.1", authority.issue("gateway").model(), MtlsMode.PERMISSIVE, asks_clients=True
    )
    registry = Registry("urn:consul", RegistryType.CONSUL, f"http://127.0.0.1:{said.port}", token)
    policy = ClientCertificate("urn:p", "urn:r", mtls, intentions=Intentions(registry, "edge", mode))
    async with backend(says(answer(b"ok"))) as behind:
        made = mesh_of(route(client_certificate=policy), upstream(endpoint(behind.port)))
        async with running(made, listener=listener) as gateway:
            yield gateway


async def ask(gateway: Running, authority: Authority, uri: str = SHOP, *, shows: bool = True) -> int:
    """The status that a caller of this name gets."""
    context = ssl.create_default_context(cafile=str(authority.bundle))
    context.check_hostname = False
    if shows:
        issued = authority.issue("caller", uris=(uri,) if uri else ())
        context.load_cert_chain(issued.certificate_file, issued.key_file)
    got = await raw(gateway.port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", tls=context, seconds=30)
    return int(got.split(b" ", 2)[1])


def counted(gateway: Running) -> tuple[int, ...]:
    """Denied by intentions, and nothing known."""
    base = gateway.layout.slots["event", "urn:p"]
    return read_events(gateway.store.view, base, 1)[2:4]


async def test_a_caller_is_asked_about_once_until_something_is_changed(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intentions, "REFRESH_SECONDS", 1000.0)
    monkeypatch.setattr(intentions, "SETTLED_SECONDS", 0.0)
    async with consul() as said, serving(authority, said) as gateway:
        assert await ask(gateway, authority) == 200
        before = len(said.asked)
        assert said.asked[0] == {"Target": "edge", "ClientCertURI": SHOP, "ClientCertSerial": ""}
        assert [await ask(gateway, authority) for _ in range(3)] == [200, 200, 200]
        assert len(said.asked) <= before + 1, "its first answer may have been overtaken by the first list of intentions"
        said.says = (200, {"Authorized": False, "Reason": "Matched intention"})
        said.change()
        async with asyncio.timeout(60):
            while await ask(gateway, authority) != 403:
                await asyncio.sleep(0.05)
        assert counted(gateway) == (1, 0)


async def test_what_changes_unannounced_is_found_out_too(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intentions, "REFRESH_SECONDS", 0.1)
    async with consul() as said, serving(authority, said) as gateway:
        assert await ask(gateway, authority) == 200
        said.says = (200, {"Authorized": False, "Reason": "Matched intention"})
        async with asyncio.timeout(60):
            while await ask(gateway, authority) != 403:
                await asyncio.sleep(0.05)


async def test_who_is_no_service_of_the_mesh_may_not(authority: Authority) -> None:
    async with consul() as said, serving(authority, said) as gateway:
        assert await ask(gateway, authority, uri="") == 403
        assert said.asked == [], "there is no name to ask about"
        said.says = (400, "ClientCertURI not a valid Connect identifier")
        assert await ask(gateway, authority, uri="spiffe://example.org/shop") == 403
        assert counted(gateway) == (2, 0)


async def test_a_policy_that_takes_callers_without_a_certificate_still_does(authority: Authority) -> None:
    async with consul() as said:
        said.says = (200, {"Authorized": False, "Reason": ""})
        async with serving(authority, said, mtls=MtlsMode.PERMISSIVE) as gateway:
            assert await ask(gateway, authority, shows=False) == 200
            assert await ask(gateway, authority) == 403


@pytest.mark.parametrize(
    "answered",
    [
        (403, "Permission denied"),
        (500, "no leader"),
        (200, "nonsense"),
        (200, '{"Authorized": "yes"}'),
        (200, "[" * 99999),
    ],
    ids=["forbidden", "leaderless", "nonsense", "a word", "deep"],
)
async def test_what_is_no_answer_lets_nobody_in_unless_the_policy_says_so(
    answered: tuple[int, object], authority: Authority
) -> None:
    async with consul() as said:
        said.says = answered
        async with serving(authority, said) as gateway:
            assert await ask(gateway, authority) == 503
            assert counted(gateway) == (0, 1)
        async with serving(authority, said, IntentionFailureMode.OPEN) as gateway:
            assert await ask(gateway, authority) == 200
            assert counted(gateway) == (0, 1)


async def test_a_slow_one_is_waited_for_and_not_for_ever(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intentions, "ASK_SECONDS", 2.0)
    async with consul() as said, serving(authority, said) as gateway:
        said.slow = 0.3
        assert await ask(gateway, authority) == 200
        said.slow = 30.0
        said.change()
        async with asyncio.timeout(60):
            while await ask(gateway, authority) != 503:
                await asyncio.sleep(0.05)


async def test_the_token_is_sent_and_one_that_is_missing_is_told(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "token").write_text("hush")
    async with consul() as said, serving(authority, said, token=f"file:{tmp_path / 'token'}") as gateway:
        assert await ask(gateway, authority) == 200
        assert said.tokens == {"hush"}
    async with consul() as said, serving(authority, said, token="env:NO_SUCH_TOKEN") as gateway:
        assert await ask(gateway, authority) == 503
        assert said.tokens == set()
        assert "NO_SUCH_TOKEN" in caplog.text
        assert "hush" not in caplog.text
