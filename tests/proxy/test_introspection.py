"""Tokens that their server is asked about, over real sockets: what the caller, the backend and the log are told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from api_gateway_service_mesh.model import (
    Authentication,
    ClientAuthentication,
    KeyKind,
    OAuthClient,
    RateLimit,
    RequestKey,
    TokenIntrospection,
)
from tests.proxy.test_authentication import ONE, ask, guarded, jwt, token
from tests.support.openid import CLIENT_ID, CLIENT_SECRET, NEEDS_PROVIDER, openid_provider
from tests.support.tokens import key_server

ENV = "AGW_TEST_CLIENT_SECRET"


def asked(endpoint: str, **more: object) -> TokenIntrospection:
    client = OAuthClient(CLIENT_ID, f"env:{ENV}", ClientAuthentication.POST)
    return TokenIntrospection("urn:tokens", endpoint, client, **more)  # type: ignore[arg-type]


@NEEDS_PROVIDER
@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_a_real_provider_s_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv(ENV, CLIENT_SECRET)
    async with openid_provider(tmp_path) as provider:
        config = asked(
            f"{provider.issuer}/token/introspection",
            issuer=provider.issuer,
            required_scopes=("orders:read",),
            forwarded_claims=("client_id",),
            remember_seconds=0.4,
        )
        async with guarded(Authentication("urn:route", introspections=(config,)), kind) as (gateway, behind):
            good, other = await provider.token(), await provider.token("orders:write")
            for _ in range(3):
                status, _ = await ask(gateway, f"Authorization: Bearer {good}", "X-Jwt-Claim-Client-Id: root")
                assert status == 200
            assert behind.requests[0].all("x-jwt-claim-client-id") == [CLIENT_ID]
            status, text = await ask(gateway, f"Authorization: Bearer {other}")
            assert status == 403 and 'error="insufficient_scope", scope="orders:read"' in text
            assert (await ask(gateway, "Authorization: Bearer nobody-knows-this"))[0] == 401
            assert (await ask(gateway))[0] == 401
            await provider.revoke(good)
            async with asyncio.timeout(20):
                while (await ask(gateway, f"Authorization: Bearer {good}"))[0] != 401:
                    await asyncio.sleep(0.05)
            if kind == "engine":
                logged = "".join(gateway.log)
                assert good not in logged and other not in logged and CLIENT_SECRET not in logged
                assert json.loads(gateway.log[0])["caller"] == "urn:tokens"


async def test_a_server_that_cannot_be_asked_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV, CLIENT_SECRET)
    config = asked("http://127.0.0.1:1/introspect")
    async with guarded(Authentication("urn:route", introspections=(config,))) as (gateway, behind):
        for _ in range(2):
            status, text = await ask(gateway, "Authorization: Bearer opaque")
            assert status == 503 and "urn:agw:problem:authentication-unavailable" in text
            assert "127.0.0.1:1" not in text and "opaque" not in text
        assert not behind.requests
        assert json.loads(gateway.log[0])["refused_by"] == "urn:tokens"


async def test_signed_tokens_go_to_those_who_check_signatures_and_claims_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV, CLIENT_SECRET)
    async with key_server(ONE) as server:
        config = asked("http://127.0.0.1:1/introspect")
        demand = Authentication("urn:route", (jwt(server),), introspections=(config,))
        limit = RateLimit("urn:limit", 1.0, 2, keys=(RequestKey(KeyKind.CLAIM, "sub"),))
        async with guarded(demand, rate_limits=(limit,)) as (gateway, _):
            said = [(await ask(gateway, f"Authorization: Bearer {token(sub='bob')}"))[0] for _ in range(4)]
            assert said.count(200) >= 2 and 429 in said
            assert (await ask(gateway, f"Authorization: Bearer {token()}"))[0] == 200
            assert (await ask(gateway, "Authorization: Bearer opaque"))[0] == 503
