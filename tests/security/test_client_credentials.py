"""Tokens of the gateway's own: what is believed of a server, when it is asked, what is kept while it is away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.model import ClientCredentials, OAuthClient
from api_gateway_service_mesh.security import client_credentials
from api_gateway_service_mesh.security.authorization_server import ServerError
from api_gateway_service_mesh.security.client_credentials import (
    HeldToken,
    TokenKeepers,
    TokenStanding,
    read_token_answer,
    renewal_seconds,
    retry_seconds,
)
from tests.support.backend import Conversation, Received, answer, backend
from tests.support.openid import CLIENT_ID, CLIENT_SECRET, NEEDS_PROVIDER, openid_provider

GOOD: dict[str, Any] = {"access_token": "abc", "token_type": "Bearer", "expires_in": 600}


def test_what_is_taken_for_a_token() -> None:
    assert read_token_answer(GOOD, 1000.0) == ("abc", 1600.0)
    assert read_token_answer({**GOOD, "token_type": "bearer", "expires_in": 1e8}, 0.0) == ("abc", 86400.0)
    assert read_token_answer({"access_token": "abc", "token_type": "Bearer"}, 0.0) == ("abc", 300.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"token_type": "mac"}, {"token_type": None}, {"access_token": ""}, {"access_token": 5},
        {"access_token": "a\r\nX-Admin: yes"}, {"access_token": "a b"}, {"access_token": "ü"},
        {"access_token": "x" * 100_000}, {"expires_in": 0}, {"expires_in": -5}, {"expires_in": True},
        {"expires_in": "600"}, {"expires_in": float("inf")}, {"expires_in": float("nan")},
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_not(wrong: dict[str, Any]) -> None:
    with pytest.raises(ServerError) as caught:
        read_token_answer({**GOOD, **wrong}, 0.0)
    assert "X-Admin" not in str(caught.value)


@given(st.floats(0.5, 86400), st.floats(0, 0.999), st.integers(1, 50))
def test_it_is_renewed_in_time_and_asked_for_with_patience(lives: float, random: float, failures: int) -> None:
    assert lives * 0.6 <= renewal_seconds(lives, random) <= lives * 0.81
    assert 0.5 <= retry_seconds(failures, random) <= 45.0


def test_how_it_stands() -> None:
    assert TokenStanding().state(0.0) == "WAITING"
    assert TokenStanding(fault="gone").state(0.0) == "LOST"
    assert TokenStanding(until=5.0).state(4.0) == "HELD"
    assert TokenStanding(until=5.0, fault="gone").state(4.0) == "FAILING"
    assert TokenStanding(until=5.0, fault="gone").state(5.0) == "LOST"


def as_gateway(endpoint: str, secret: str = "env:AGW_TEST_SECRET", **more: Any) -> ClientCredentials:
    return ClientCredentials("urn:as", endpoint, OAuthClient(CLIENT_ID, secret), **more)


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


@NEEDS_PROVIDER
async def test_a_real_provider_gives_tokens_that_are_renewed(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AGW_TEST_SECRET", CLIENT_SECRET)
    monkeypatch.setenv("AGW_TEST_WRONG", "wrong")
    told: list[dict[str, HeldToken | None]] = []
    keepers = TokenKeepers(told.append)
    async with openid_provider(tmp_path, way="client_secret_basic", seconds={"client": 2}) as provider:
        config = as_gateway(f"{provider.issuer}/token", scopes=("orders:read",))
        keepers.update([config])
        await until(lambda: keepers.standings["urn:as"].fetched >= 3)
        tokens = {held[0] for each in told if (held := each.get("urn:as"))}
        assert len(tokens) >= 3
        assert keepers.standings["urn:as"].failed == 0
        seen = len(told)
        keepers.update([config])  # the same: nothing begins anew
        assert len(told) == seen
        keepers.update([as_gateway(f"{provider.issuer}/token", "env:AGW_TEST_WRONG")])
        await until(lambda: keepers.standings["urn:as"].failed >= 1)
        assert keepers.standings["urn:as"].fault == "it answered 401 (invalid_client)"
        assert told[-1] == {"urn:as": None}
        keepers.update([config])
        await until(lambda: keepers.standings["urn:as"].state(0.0) == "HELD")
    await until(lambda: keepers.standings["urn:as"].fault is not None)  # the provider is gone
    last = told[-1]["urn:as"]
    assert last is not None, "the last good one is kept"
    await until(lambda: keepers.standings["urn:as"].state(keepers.clock()) == "LOST")
    keepers.update([])
    assert told[-1] == {}
    await keepers.stop()
    assert not any(token in caplog.text or CLIENT_SECRET in caplog.text for token in tokens)


async def test_what_a_backend_refuses_is_fetched_anew_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGW_TEST_SECRET", "s")
    asked = 0

    async def gives(_: Received, conversation: Conversation) -> None:
        nonlocal asked
        asked += 1
        body = f'{{"access_token":"t{asked}","token_type":"Bearer","expires_in":{3600 + asked}}}'.encode()
        await conversation.send(answer(body, fields="Content-Type: application/json\r\n"))

    told: list[dict[str, HeldToken | None]] = []
    keepers = TokenKeepers(told.append)

    def held() -> HeldToken:
        token = told[-1]["urn:as"]
        assert token is not None
        return token

    async with backend(gives) as server:
        keepers.update([as_gateway(f"http://127.0.0.1:{server.port}/token")])
        await until(lambda: asked and told and told[-1].get("urn:as"))
        first = held()
        keepers.refused("urn:other", first[1])
        keepers.refused("urn:as", first[1] - 1)  # another's, or one before
        for _ in range(100):
            keepers.refused("urn:as", first[1])
        await until(lambda: held()[0] == "t2")
        for _ in range(100):
            keepers.refused("urn:as", first[1])
            keepers.refused("urn:as", held()[1])  # it refuses everybody
        await asyncio.sleep(0.2)
        assert asked == 2
        monkeypatch.setattr(client_credentials, "REFUSED_SECONDS", 0.0)
        keepers.refused("urn:as", held()[1])
        await until(lambda: held()[0] == "t3")
        assert (keepers.standings["urn:as"].refused, keepers.standings["urn:as"].fetched) == (2, 3)
    await keepers.stop()
