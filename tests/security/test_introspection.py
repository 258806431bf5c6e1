"""What an authorization server says of a token (RFC 7662), and what is made of it. The servers are real ones."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from api_gateway_service_mesh.model import Authentication, ClientAuthentication, OAuthClient, TokenIntrospection
from api_gateway_service_mesh.security.authentication import Authenticator, Authenticators
from api_gateway_service_mesh.security.identity import Denial, Denied, Identity
from tests.support.gateway import route
from tests.support.tokens import KeyServer, key_server

NOW = 1_800_000_000.0
GOOD: dict[str, Any] = {"active": True, "sub": "alice", "scope": "read write", "exp": NOW + 300}
CLIENT = OAuthClient("gate:way", "env:AGW_TEST_CLIENT_SECRET")


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


class Asking:
    """A server that says `answer`, and one authenticator that asks it."""

    def __init__(self, server: KeyServer, config: TokenIntrospection) -> None:
        self.server, self.config, self.clock = server, config, Clock()
        self.answer: Any = GOOD
        self.status = 200
        self.forms: list[dict[str, list[str]]] = []
        self.fields: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        server.answers = self._serve
        self.all = Authenticators(asyncio.get_running_loop(), self.clock)
        demand = Authentication("urn:route", introspections=(config,))
        self.all.adopt([route(authentication=demand)])
        self.one: Authenticator = self.all.of(demand)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.forms.append(parse_qs(await request.text()))
        self.fields.append(request.headers.get("Authorization", ""))
        await self.gate.wait()
        if isinstance(self.answer, bytes):
            return web.Response(body=self.answer, status=self.status)
        return web.json_response(self.answer, status=self.status)

    async def verdict(self, token: bytes = b"opaque") -> Identity | Denied:
        """As the gate does it: judge, ask where that may help, judge again."""
        said = self.one.judge(token, {})
        if isinstance(said, Denied) and said.denial is Denial.PENDING:
            done: asyncio.Future[Identity | Denied] = asyncio.get_running_loop().create_future()
            if self.one.answer_wanted(token, lambda: done.set_result(self.one.judge(token, {}))):
                return await asyncio.wait_for(done, 20)
        return said


@contextlib.asynccontextmanager
async def asking(monkeypatch: pytest.MonkeyPatch, **more: object) -> AsyncIterator[Asking]:
    monkeypatch.setenv("AGW_TEST_CLIENT_SECRET", "s+ec:ret")
    async with key_server() as server:
        config = TokenIntrospection("urn:tokens", server.url, CLIENT)
        made = Asking(server, replace(config, **more))  # type: ignore[arg-type]
        try:
            yield made
        finally:
            made.gate.set()
            made.all.close()
            await asyncio.sleep(0)
            await asyncio.sleep(0)


@pytest.mark.parametrize("way", ClientAuthentication)
async def test_an_active_token_is_its_bearer_s_and_is_asked_about_once(
    monkeypatch: pytest.MonkeyPatch, way: ClientAuthentication
) -> None:
    client = replace(CLIENT, authentication=way)
    async with asking(monkeypatch, client=client, forwarded_claims=("sub",), required_scopes=("read",)) as here:
        for _ in range(3):
            who = await here.verdict()
            assert isinstance(who, Identity)
            assert who.claims["sub"] == "alice" and who.scopes == {"read", "write"} and "active" not in who.claims
            assert who.fields == b"X-Jwt-Claim-Sub: alice\r\n"
        assert len(here.forms) == 1 and here.forms[0]["token"] == ["opaque"]
        if way is ClientAuthentication.BASIC:  # id and secret are form-encoded first (RFC 6749 section 2.3.1)
            assert here.fields == ["Basic Z2F0ZSUzQXdheTpzJTJCZWMlM0FyZXQ="]
        else:
            assert here.forms[0]["client_id"] == ["gate:way"] and here.forms[0]["client_secret"] == ["s+ec:ret"]


@pytest.mark.parametrize(
    ("answer", "denial"),
    [
        ({"active": False, "sub": "alice"}, Denial.INVALID),
        ({**GOOD, "exp": NOW - 1}, Denial.EXPIRED),
        ({**GOOD, "exp": NOW}, Denial.EXPIRED),
        ({**GOOD, "exp": "tomorrow"}, Denial.INVALID),
        ({**GOOD, "exp": True}, Denial.INVALID),
        ({**GOOD, "nbf": NOW + 60}, Denial.INVALID),
        ({**GOOD, "iss": "https://evil.example"}, Denial.INVALID),
        ({**GOOD, "iss": ["https://id.example"]}, Denial.INVALID),
        ({**GOOD, "aud": "bank"}, Denial.INVALID),
        ({**GOOD, "aud": ["shop", 5]}, Denial.INVALID),
        ({name: value for name, value in GOOD.items() if name != "aud"} | {"aud": None}, Denial.INVALID),
        ({**GOOD, "token_type": "DPoP"}, Denial.INVALID),
        ({**GOOD, "cnf": {"jkt": "x"}}, Denial.INVALID),
        ({**GOOD, "sub": 5}, Denial.INVALID),
        ({**GOOD, "scope": "readwrite"}, Denial.SCOPE),
        ({**GOOD, "tenant": "other"}, Denial.CLAIM),
    ],
)
async def test_what_is_said_must_fit(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], denial: Denial) -> None:
    config = {
        "issuer": "https://id.example",
        "audiences": ("shop",),
        "required_scopes": ("read",),
        "required_claims": ("tenant=acme",),
    }
    async with asking(monkeypatch, **config) as here:
        good = {"iss": "https://id.example", "aud": ["x", "shop"], "tenant": "acme"}
        here.answer = {**good, **answer}
        said = await here.verdict(b"one")
        assert isinstance(said, Denied) and said.denial is denial and said.by == "urn:tokens"
        here.answer = {**GOOD, **good}
        assert isinstance(await here.verdict(b"two"), Identity)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, {"active": "true"}),
        (200, {"active": 1}),
        (200, {}),
        (200, b"[]"),
        (200, b'{"active": false, "active": true}'),
        (200, b"x" * 70_000),
        (200, b""),
        (401, {"active": True}),
        (500, {"active": True}),
        (302, {"active": True}),
    ],
)
async def test_without_a_usable_answer_nobody_gets_in_and_nothing_is_repeated(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, status: int, answer: object
) -> None:
    caplog.set_level(logging.DEBUG)
    async with asking(monkeypatch) as here:
        here.status, here.answer = status, answer
        said = await here.verdict(b"the-token")
        assert isinstance(said, Denied) and said.denial is Denial.PENDING and said.reason
        assert isinstance(await here.verdict(b"another"), Denied)
        assert len(here.forms) == 1, "a server that fails is left alone for a moment"
        told = caplog.text + repr(said)
        assert "the-token" not in told and "s+ec:ret" not in told and "cmV0" not in told


async def test_one_question_at_a_time_for_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    async with asking(monkeypatch, remember_seconds=0.0) as here:
        here.gate.clear()
        waiting = [asyncio.create_task(here.verdict()) for _ in range(20)]
        other = asyncio.create_task(here.verdict(b"other"))
        async with asyncio.timeout(20):
            while len(here.forms) < 2:
                await asyncio.sleep(0.005)
        here.gate.set()
        assert all([isinstance(await each, Identity) for each in (*waiting, other)])
        assert sorted(form["token"][0] for form in here.forms) == ["opaque", "other"]
        assert isinstance(await here.verdict(), Identity)
        assert len(here.forms) == 3, "nothing is remembered with a lifetime of zero"


async def test_a_verdict_ends_with_the_token_or_its_lifetime(monkeypatch: pytest.MonkeyPatch) -> None:
    async with asking(monkeypatch, remember_seconds=60.0) as here:
        here.answer = {**GOOD, "exp": NOW + 90}
        assert isinstance(await here.verdict(), Identity)
        here.answer = {"active": False}  # taken back
        here.clock.now += 59
        assert isinstance(await here.verdict(), Identity)
        here.clock.now += 2
        assert isinstance(await here.verdict(), Denied)
        here.answer = GOOD
        here.clock.now += 9
        assert isinstance(await here.verdict(), Denied), "that it is not active is remembered for ten seconds"
        here.clock.now += 2
        assert isinstance(await here.verdict(), Identity)
        assert len(here.forms) == 3


@pytest.mark.parametrize("token", [b"", b"a b", b"a\nb", b"\xff", b"x" * 9000, b"a=b"])
async def test_what_is_no_token_is_not_asked_about(monkeypatch: pytest.MonkeyPatch, token: bytes) -> None:
    async with asking(monkeypatch) as here:
        said = await here.verdict(token)
        assert isinstance(said, Denied) and said.denial is Denial.INVALID
        assert not here.forms


async def test_a_secret_that_is_not_there_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    async with asking(monkeypatch) as here:
        monkeypatch.delenv("AGW_TEST_CLIENT_SECRET")
        said = await here.verdict()
        assert isinstance(said, Denied) and said.denial is Denial.PENDING
        assert "AGW_TEST_CLIENT_SECRET" in said.reason and not here.forms
