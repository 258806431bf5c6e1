"""Sessions by a clock moved by hand, and where logins may lead. What goes over sockets is in tests/proxy/test_login.py."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.model import OAuthClient, OpenIdLogin
from api_gateway_service_mesh.security.authorization_server import AuthorizationServer
from api_gateway_service_mesh.security.login import REFRESH_AHEAD_SECONDS, Login, Session, own_path
from api_gateway_service_mesh.security.session import Sealer
from tests.support.tokens import b64

KEY = "k" * 32
CONFIG = OpenIdLogin("urn:l", "http://127.0.0.1:1", OAuthClient("c"), "https://shop.example", "env:AGW_T_KEY")
TOKEN = "h." + b64(json.dumps({"sub": "alice", "groups": ["staff"]}).encode()).decode() + ".s"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def made(clock: Clock, **more: Any) -> Login:
    loop = asyncio.get_running_loop()
    return Login(replace(CONFIG, **more), AuthorizationServer(loop), loop, clock)


def shown(login: Login, session: Session, iri: str = "urn:l") -> dict[str, str]:
    return {login.cookie: Sealer([KEY.encode()]).seal(f"session {iri}", session.packed())}


@given(st.text(max_size=40) | st.from_regex(r"[/\\]{0,3}[a-z.:@/\\?#\t\r\n]{0,20}"))
def test_a_login_leads_to_a_path_of_the_gateway_s_own(target: str) -> None:
    path = own_path(target)
    assert path == "/" or path == target
    place = urlsplit("https://shop.example" + path)
    assert path.startswith("/") and place.netloc == "shop.example" and path[:2] not in ("//", "/\\")
    assert not set(path) & set("\r\n\t\\")


@pytest.mark.parametrize("refresh", ["", "r"])
@pytest.mark.parametrize("forward", [False, True])
async def test_a_session_ends_and_nothing_of_it_is_used_later(
    monkeypatch: pytest.MonkeyPatch, refresh: str, forward: bool
) -> None:
    monkeypatch.setenv("AGW_T_KEY", KEY)
    clock = Clock()
    login = made(clock, forward_access_token=forward, forwarded_claims=("sub",))
    session = Session(TOKEN, "access", clock.now + 600, refresh, clock.now + 3600, "openid orders")
    cookies = shown(login, session)
    good = clock.now + (600 - REFRESH_AHEAD_SECONDS if refresh else 600 if forward else 3600)
    for moment in (0.0, good - clock.now - 1, good - clock.now, 3599.0, 3600.0, 0.0):
        clock.now = 1000.0 + moment
        caller = login.caller(cookies)
        assert (caller is not None) == (clock.now < good), moment
        if caller is not None:
            assert caller.claims["sub"] == "alice" and caller.scopes == {"openid", "orders"}
            assert b"X-Jwt-Claim-Sub: alice\r\n" in caller.fields
            assert (b"Bearer access" in caller.fields) is forward
        assert (login.session(cookies) is not None) == (clock.now < 4600.0)
    assert login.cookie.startswith("__Host-agw-")


async def test_another_login_s_session_and_what_misses_a_claim_are_nobody_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGW_T_KEY", KEY)
    login = made(Clock())
    session = Session(TOKEN, "a", 2000.0, "", 2000.0, "")
    assert login.caller(shown(login, session)) is not None
    assert login.caller(shown(login, session, "urn:other")) is None
    assert login.caller({login.cookie: "A" * 60}) is None and login.caller({login.cookie: "A" * 61}) is None
    assert made(Clock(), required_claims=("groups=staff",)).caller(shown(login, session)) is not None
    assert made(Clock(), required_claims=("groups=root",)).caller(shown(login, session)) is None


async def test_without_a_good_key_nobody_is_logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGW_T_KEY", "short")
    login = made(Clock())
    assert login.caller(shown(login, Session(TOKEN, "a", 2000.0, "", 2000.0, ""))) is None
