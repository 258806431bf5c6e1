"""Sessions of people who are logged in, over workers: a refresh token that is rotated is used once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
from yarl import URL

from tests.proxy.test_login import HTML, KEY, Browser
from tests.support.backend import answer, backend, says
from tests.support.openid import CLIENT_ID, CLIENT_SECRET, NEEDS_PROVIDER, free_port, openid_provider
from tests.support.serving import Serving, turtle

ACCESS_SECONDS = 32
"""A session is refreshed 30 seconds before its access token ends: so two seconds after the login."""


@NEEDS_PROVIDER
async def test_of_requests_to_all_workers_one_refreshes_the_session(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with backend(says(answer(b"ok"))) as behind:
        async with openid_provider(tmp_path, f"{url}/oauth2/callback", seconds={"access": ACCESS_SECONDS}) as provider:
            file = tmp_path / "gateway.ttl"
            file.write_text(
                turtle(
                    f"""ex:r a agw:Route ; agw:routePath "/*" ; agw:hasAuthentication ex:people ; agw:hasBackendService ex:s .
                    ex:s a agw:BackendService ; agw:address "127.0.0.1:{behind.port}" .
                    ex:people a agw:OpenIdLogin ; agw:issuer "{provider.issuer}" ; agw:clientId "{CLIENT_ID}" ;
                        agw:clientSecretRef "env:AGW_T_SECRET" ; agw:clientAuthentication "client_secret_post" ;
                        agw:externalUrl "{url}" ; agw:sessionKeyRef "env:AGW_T_KEY" ."""
                )
            )
            gateway = Serving(
                str(file), "--host", "127.0.0.1", "--port", str(port), "--admin-port", "0", "--workers", "2",
                environment={"AGW_T_SECRET": CLIENT_SECRET, "AGW_T_KEY": KEY},
            )  # fmt: skip
            try:
                await asyncio.to_thread(gateway.ready)
                await uses(gateway, url)
            finally:
                await asyncio.to_thread(gateway.end)


async def uses(gateway: Serving, url: str) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        alice = Browser(session, url)
        assert await alice.go("/") == (200, "ok")
        for times in (1, 2):
            cookies = {cookie.key: cookie.value for cookie in jar.filter_cookies(URL(url)).values()}
            async with asyncio.timeout(40):
                while await refreshed(gateway) < times:  # all of them with the cookies of one moment, as a page's are
                    said = await asyncio.gather(*(asks(url, cookies) for _ in range(12)))
                    assert {status for status, _ in said} == {200}
                    for _, fresh in said:
                        if fresh:
                            jar.update_cookies(fresh, URL(url))
                            break
                    await asyncio.sleep(0.1)
            assert await refreshed(gateway) == times
        assert await alice.go("/") == (200, "ok"), "the provider takes nothing for a theft"
        assert "login-failed" not in "".join(gateway.output)


async def asks(url: str, cookies: dict[str, str]) -> tuple[int, dict[str, str]]:
    """On a connection of its own, which any worker may take; what cookies come back."""
    async with aiohttp.ClientSession(cookies=cookies, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.get(url + "/", headers=HTML, cookies=cookies, allow_redirects=False) as said:
            await said.read()
            return said.status, {name: cookie.value for name, cookie in said.cookies.items() if cookie.value}


async def refreshed(gateway: Serving) -> int:
    query = "SELECT ?n WHERE { <http://example.org/people> <https://ggen.ai/ontology/api-gateway#sessionRefreshedTotal> ?n }"
    accept = {"Accept": "application/sparql-results+json"}
    async with aiohttp.ClientSession(headers=accept) as session, asyncio.timeout(30):
        while True:
            async with session.get(gateway.admin + "/sparql", params={"query": query}) as said:
                if said.status == 200:
                    (row,) = (await said.json(content_type=None))["results"]["bindings"]
                    return int(row["n"]["value"])
            await asyncio.sleep(0.2)  # its query processes are busy: the machine is
