"""People log in at a real provider, over real sockets, with a browser made of a cookie jar."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from yarl import URL

from api_gateway_service_mesh.model import Authentication, ClientAuthentication, Mesh, OAuthClient, OpenIdLogin
from tests.support.backend import Backend, answer, backend, says
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream
from tests.support.openid import CLIENT_ID, CLIENT_SECRET, NEEDS_PROVIDER, Provider, free_port, openid_provider

pytestmark = NEEDS_PROVIDER
KEY = "a session key of thirty-two bytes or more"
HTML = {"Accept": "text/html,*/*", "Sec-Fetch-Mode": "navigate"}


@dataclass
class House:
    gateway: Running
    behind: Backend
    provider: Provider
    login: OpenIdLogin
    mesh: Mesh
    url: str

    def again(self, login: OpenIdLogin) -> None:
        """The configuration is changed."""
        self.gateway.install(served(login, self.behind), "next")


class Browser:
    """Keeps cookies, follows redirects, and says everything it was sent to."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url
        self.been: list[str] = []

    async def go(self, path: str, who: str = "alice", *, until: str = "") -> tuple[int, str]:
        """Status and text of where that leads; stops before going to what begins with `until`."""
        place, data = path if "://" in path else self.url + path, None
        for _ in range(20):
            self.been.append(place)
            method = "POST" if data else "GET"
            async with self.session.request(
                method, URL(place, encoded=True), data=data, headers=HTML, allow_redirects=False
            ) as said:
                text, data = await said.text(), None
                if said.status in (302, 303):
                    place = str(URL(place).join(URL(said.headers["Location"], encoded=True)))
                    if until and place.startswith(until):
                        return said.status, place
                elif 'name="login"' in text:
                    place, data = str(URL(place).join(URL(re.findall('action="([^"]+)"', text)[0]))), {"login": who}
                else:
                    return said.status, text
        raise AssertionError("redirects without end")


def served(login: OpenIdLogin, behind: Backend) -> Mesh:
    demand = Authentication("urn:route", logins=(login,))
    return mesh_of(route(authentication=demand), upstream(endpoint(behind.port)), access_log=True)


@contextlib.asynccontextmanager
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **more: object) -> AsyncIterator[House]:
    for name, value in (("AGW_T_SECRET", CLIENT_SECRET), ("AGW_T_KEY", KEY), ("AGW_T_NEW", "new" + KEY)):
        monkeypatch.setenv(name, value)
    seconds = {"access": more.pop("access", 600)}
    async with backend(says(answer(b"ok"))) as behind:
        client = OAuthClient(CLIENT_ID, "env:AGW_T_SECRET", ClientAuthentication.POST)
        first = OpenIdLogin("urn:login", "http://127.0.0.1:1", client, "http://127.0.0.1:1", "env:AGW_T_KEY")
        async with running(served(first, behind)) as gateway:
            url = f"http://127.0.0.1:{gateway.port}"
            async with openid_provider(
                tmp_path, f"{url}/oauth2/callback", logouts=(f"{url}/",), seconds=seconds,
                accounts={"alice": {"email": "a@example.com"}, "bob": {}},
            ) as provider:  # fmt: skip
                login = replace(first, issuer=provider.issuer, external_url=url, forwarded_claims=("sub",), **more)
                made = House(gateway, behind, provider, login, served(login, behind), url)
                made.again(login)
                yield made


@contextlib.asynccontextmanager
async def browser(here: House) -> AsyncIterator[Browser]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield Browser(session, here.url)


async def test_logging_in_staying_and_logging_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(tmp_path, monkeypatch) as here, browser(here) as alice:
        assert await alice.go("/orders?x=1&y=%2F") == (200, "ok")
        assert alice.been[-1] == f"{here.url}/orders?x=1&y=%2F", "back to where she wanted to go"
        asked = parse_qs(urlsplit(alice.been[1]).query)
        assert asked["code_challenge_method"] == ["S256"] and asked["state"] and asked["nonce"]
        assert here.behind.requests[0].get("x-jwt-claim-sub") == "alice"
        assert "agw-" not in "".join(here.behind.requests[0].all("cookie"))  # others are on 127.0.0.1, too
        assert here.behind.requests[0].all("authorization") == []
        alice.session.cookie_jar.update_cookies({"theme": "dark"}, URL(here.url))
        been = len(alice.been)
        assert await alice.go("/again") == (200, "ok") and len(alice.been) == been + 1
        kept = str(here.behind.requests[-1].get("cookie"))
        assert "theme=dark" in kept and "agw-" not in kept

        told = "".join(here.gateway.log)
        for cookie in alice.session.cookie_jar:
            if cookie.key.startswith("agw-"):
                assert cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == "/"
                assert cookie.value not in told
        assert CLIENT_SECRET not in told and "code=" not in told

        status, place = await alice.go("/oauth2/logout", until=here.provider.issuer)
        assert status == 303 and "id_token_hint=" in place and "post_logout_redirect_uri=" in place
        status, place = await alice.go("/", until=here.provider.issuer)
        assert status == 303 and place.startswith(f"{here.provider.issuer}/auth?")


async def test_who_is_no_browser_is_told_and_not_sent_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(tmp_path, monkeypatch) as here, browser(here) as someone:
        for headers in (
            {},
            {"Accept": "application/json"},
            {**HTML, "X-Requested-With": "XMLHttpRequest"},
            {**HTML, "Sec-Fetch-Mode": "cors"},
        ):
            async with someone.session.get(f"{here.url}/a", headers=headers, allow_redirects=False) as said:
                assert said.status == 401 and "Location" not in said.headers
        async with someone.session.post(f"{here.url}/a", headers=HTML, allow_redirects=False) as said:
            assert said.status == 401
        assert not here.behind.requests


async def test_a_login_ends_only_where_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(tmp_path, monkeypatch) as here, browser(here) as alice, browser(here) as mallory:
        back = f"{here.url}/oauth2/callback"
        _, stolen = await mallory.go("/", "bob", until=back)
        status, text = await alice.go(stolen)  # a link that would have alice work in bob's name (login CSRF)
        assert status == 403 and "urn:agw:problem:login-failed" in text
        _, place = await alice.go("/", until=back)
        state = parse_qs(urlsplit(place).query)["state"][0]
        for wrong in (
            place.replace(state, state[:-1] + ("A" if state[-1] != "A" else "B")),
            place.replace("iss=", "iss=x"),
            re.sub("&iss=[^&]*", "", place),
            place + "&state=" + state,
            f"{back}?state={state}&error=access_denied&iss={here.provider.issuer}",
            back,
        ):
            async with alice.session.get(URL(wrong, encoded=True), headers=HTML, allow_redirects=False) as said:
                assert said.status == 403, wrong
                assert state not in await said.text()
            _, place = await alice.go("/", until=back)
            state = parse_qs(urlsplit(place).query)["state"][0]
        assert (await alice.go(place))[0] == 200
        assert (await alice.go(place))[0] == 403, "a code counts once"
        assert not [line for line in here.gateway.log if state in line]


async def test_a_session_is_refreshed_by_one_and_survives_a_new_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path, monkeypatch, access=31, forward_access_token=True) as here, browser(here) as alice:
        assert await alice.go("/") == (200, "ok")
        first = here.behind.requests[-1].get("authorization")
        here.again(replace(here.login, session_key_ref="env:AGW_T_NEW", former_session_key_refs=("env:AGW_T_KEY",)))
        await asyncio.sleep(1.2)  # from then on the access token has less than thirty seconds
        been = len(alice.been)
        said = await asyncio.gather(*(alice.go(f"/{number}") for number in range(8)))
        assert said == [(200, "ok")] * 8 and len(alice.been) == been + 8, "nobody was sent to log in"
        shown = {request.get("authorization") for request in here.behind.requests[-8:]}
        assert len(shown) == 1 and first not in shown and all(text.startswith("Bearer ") for text in shown if text)
        here.again(replace(here.login, session_key_ref="env:AGW_T_NEW"))
        assert await alice.go("/new-key-alone") == (200, "ok")


async def test_nobody_logs_in_where_the_provider_is_gone_or_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path, monkeypatch) as here, browser(here) as alice:
        for issuer in (f"http://127.0.0.1:{free_port()}", here.provider.issuer + "/"):
            here.again(replace(here.login, issuer=issuer))
            status, text = await alice.go("/")
            assert status == 503 and "urn:agw:problem:authentication-unavailable" in text and issuer not in text
        assert not here.behind.requests
