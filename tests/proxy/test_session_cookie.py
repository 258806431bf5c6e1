"""What logins keep in browsers, shown by them to every path of a host: no backend is told of it, whoever's route it is."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from api_gateway_service_mesh.model import Authentication, Mesh, Mirror, OAuthClient, OpenIdLogin
from api_gateway_service_mesh.policies import layout_for
from api_gateway_service_mesh.proxy.engine import Stale
from api_gateway_service_mesh.routing import recompile_table
from tests.support import http2
from tests.support.backend import answer, backend, says
from tests.support.gateway import Running, endpoint, mesh_of, raw, route, running, upstream

ONE = OpenIdLogin("urn:one", "http://127.0.0.1:1", OAuthClient("c"), "https://shop.example", "env:AGW_T_KEY")
TWO = replace(ONE, iri="urn:two", external_url="http://127.0.0.1:2")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGW_T_KEY", "k" * 32)


def mesh_with(port: int, copies: int, *logins: OpenIdLogin) -> Mesh:
    mirrored = route("/open", "open", mirrors=(Mirror("urn:m", "urn:test:copies"),))
    guarded = [
        route(f"/{number}", f"login-{number}", authentication=Authentication(login.iri, logins=(login,)))
        for number, login in enumerate(logins)
    ]
    return mesh_of((mirrored, *guarded), upstream(endpoint(port)), upstream(endpoint(copies, "c"), name="copies"))


def names(gateway: Running) -> tuple[str, ...]:
    return gateway.engine.core().authenticators.session_cookies


async def test_no_backend_sees_a_session_of_whatever_login() -> None:
    async with backend(says(answer(b"ok"))) as behind, backend(says(answer(b"ok"))) as copies:
        async with running(mesh_with(behind.port, copies.port, ONE, TWO)) as gateway:
            one, two = names(gateway)
            assert one.startswith("__Host-agw-") and two.startswith("agw-")
            sessions = f"{one}=s1; {one}-1=s2; {two}=s3; {two}-login-0a1b2c3d=s4"
            ours = f"theme=dark; {sessions}; agw-mine=x; x={one}"
            for lines in (
                f"Cookie: {ours}\r\n",
                f"cookie:theme=dark; {one}=s1\r\nCOOKIE:\t {two}=s3;agw-mine=x; x={one}\r\n",
            ):
                sent = f"GET /open HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lines}\r\n".encode()
                assert (await raw(gateway.port, sent, seconds=30)).startswith(b"HTTP/1.1 200")
                kept = "; ".join(behind.requests[-1].all("cookie"))
                assert [each.strip() for each in kept.split(";")] == ["theme=dark", "agw-mine=x", f"x={one}"]
            alone = f"GET /open HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: {sessions}\r\n\r\n".encode()
            assert (await raw(gateway.port, alone, seconds=30)).startswith(b"HTTP/1.1 200")
            assert behind.requests[-1].all("cookie") == []
            connection = await http2.Client.connect(gateway.port)
            crumbs = [("cookie", crumb) for crumb in ours.split("; ")]
            assert (await connection.fetch([*http2.fields_for("/open"), *crumbs])).status == 200
            connection.close()
            kept = "; ".join(behind.requests[-1].all("cookie"))
            assert kept == f"theme=dark; agw-mine=x; x={one}"
            async with asyncio.timeout(20):
                while len(copies.requests) < 4:
                    await asyncio.sleep(0.005)
            told = "".join(str(request.fields) for request in (*behind.requests, *copies.requests))
            assert not [secret for secret in ("s1", "s2", "s3", "s4") if f"={secret}" in told]


async def test_a_login_that_is_new_counts_on_routes_that_did_not_change() -> None:
    async with backend(says(answer(b"ok"))) as behind, backend(says(answer(b"ok"))) as copies:
        plain = replace(mesh_with(behind.port, copies.port), routes=(route("/open", "open"),))
        async with running(plain) as gateway:
            sent = b"GET /open HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: agw-1=x\r\n\r\n"
            assert (await raw(gateway.port, sent, seconds=30)).startswith(b"HTTP/1.1 200")
            assert behind.requests[-1].all("cookie") == ["agw-1=x"], "nobody logs in here"
            core = gateway.engine.core()
            assert core.generation is not None
            before = core.generation.table
            login = route("/in", "in", authentication=Authentication("urn:two", logins=(TWO,)))
            mesh = replace(plain, routes=(*plain.routes, login))
            after = recompile_table(before, mesh)
            layout_for(mesh, gateway.layout, 1)
            gateway.engine.install(mesh, after, dict(gateway.layout.slots), "2", Stale.of(before, after, (), ()))
            (name,) = names(gateway)
            sent = sent.replace(b"agw-1=x", f"agw-1=x; {name}=secret".encode())
            assert (await raw(gateway.port, sent, seconds=30)).startswith(b"HTTP/1.1 200")
            assert behind.requests[-1].all("cookie") == ["agw-1=x"]
