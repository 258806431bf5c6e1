"""Who gets in, over real sockets: tokens and keys, rotation, an issuer that fails, and what the backend is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from hashlib import sha256

import pytest
from aiohttp import web

from api_gateway_service_mesh.model import (
    ApiKey,
    Authentication,
    JwtAlgorithm,
    JwtAuthentication,
    KeyKind,
    RateLimit,
    RequestKey,
)
from api_gateway_service_mesh.security.api_key import new_key
from tests.support.backend import Backend, answer, backend, says
from tests.support.gateway import Running, endpoint, mesh_of, raw, route, running, upstream
from tests.support.tokens import ISSUER, Issuer, KeyServer, claims, key_server, signer

ONE, TWO, STRANGER = signer("RS256", "one"), signer("ES256", "two"), signer("RS256", "stranger")
KEY, HASH = new_key()


def now_claims(**more: object) -> dict[str, object]:
    return claims(time.time(), **more)


def token(issuer: Issuer = ONE, **more: object) -> str:
    return issuer.token(now_claims(**more)).decode()


def jwt(server: KeyServer, name: str = "jwt", **more: object) -> JwtAuthentication:
    algorithms = (JwtAlgorithm.RS256, JwtAlgorithm.ES256)
    return JwtAuthentication(f"urn:{name}", ISSUER, ("shop",), server.url, algorithms, **more)  # type: ignore[arg-type]


def keyed(**more: object) -> ApiKey:
    return ApiKey("urn:acme", (HASH.removeprefix("sha256:"),), **more)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def guarded(
    demand: Authentication, kind: str = "engine", **more: object
) -> AsyncIterator[tuple[Running, Backend]]:
    async with backend(says(answer(b"ok"))) as behind:
        mesh = mesh_of(route(authentication=demand, **more), upstream(endpoint(behind.port)), access_log=True)
        async with running(mesh, kind=kind) as gateway:
            yield gateway, behind


async def ask(gateway: Running, *fields: str, path: str = "/") -> tuple[int, str]:
    """Status and the whole answer."""
    head = (
        f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        + "".join(f"{field}\r\n" for field in fields)
        + "\r\n"
    )
    text = (await raw(gateway.port, head.encode())).decode()
    return int(text.split(" ", 2)[1]), text


@pytest.mark.parametrize("kind", ["engine", "app"])
@pytest.mark.parametrize("issuer", [ONE, TWO], ids=["RS256", "ES256"])
async def test_a_sound_token_gets_in_and_the_backend_is_told(issuer: Issuer, kind: str) -> None:
    async with key_server(issuer) as server:
        demand = Authentication("urn:route", (jwt(server, forwarded_claims=("sub",)),))
        async with guarded(demand, kind) as (gateway, behind):
            shown = token(issuer)
            for _ in range(3):
                status, _ = await ask(
                    gateway,
                    f"Authorization: Bearer {shown}",
                    "X-Jwt-Claim-Sub: root",
                    "x_jwt_claim_sub: root",
                    "X-Jwt-Claim-Role: admin",
                )
                assert status == 200
            for request in behind.requests:
                assert request.get("x-jwt-claim-sub") == "alice"
                assert request.all("x_jwt_claim_sub") == request.all("x-jwt-claim-role") == []
                assert request.get("authorization") == f"Bearer {shown}"
            assert server.asked == 1


async def test_who_shows_nothing_or_the_wrong_thing_is_told_so_and_no_more() -> None:
    async with key_server(ONE) as server:
        async with guarded(Authentication("urn:route", (jwt(server, required_scopes=("read",)),))) as (gateway, behind):
            status, text = await ask(gateway)
            assert status == 401
            assert 'WWW-Authenticate: Bearer realm="agw"\r\n' in text
            for wrong in (token(STRANGER), token(aud="bank"), token(iss="x"), "a.b.c", "x" * 9000, token(exp=5)):
                status, text = await ask(gateway, f"Authorization: Bearer {wrong}")
                assert status == 401, wrong
                assert 'error="invalid_token"' in text
                assert "iss" not in text and "aud" not in text and "kid" not in text
                assert len(wrong) < 6 or wrong not in text
            assert "expired" not in text
            status, _ = await ask(gateway, "Authorization: Basic YTpi")
            assert status == 401
            status, _ = await ask(gateway, f"Authorization: Bearer {token()}", f"Authorization: Bearer {token()}")
            assert status == 401
            status, text = await ask(gateway, f"Authorization: Bearer {token()}")
            assert status == 403
            assert 'error="insufficient_scope", scope="read"' in text
            status, _ = await ask(gateway, f"Authorization: bearer  {token(scope='write read')}")
            assert status == 200
            assert len(behind.requests) == 1
        logged = [json.loads(line) for line in gateway.log]
        assert logged[1]["reason"] and logged[1]["refused_by"] in ("urn:jwt", None)
        assert logged[-1]["caller"] == "urn:jwt"


async def test_keys_are_known_by_their_hashes_and_not_passed_on() -> None:
    demand = Authentication("urn:route", (), (keyed(query_parameter="key", owner="acme"),))
    async with guarded(demand) as (gateway, behind):
        assert (await ask(gateway, f"X-API-Key: {KEY}", f"x_api_key: {KEY}", "X-Api-Key-Owner: root"))[0] == 200
        assert (await ask(gateway, path=f"/a?x=%31&k%65y={KEY}&y=+"))[0] == 200
        assert (await ask(gateway, path=f"/a?key={KEY}"))[0] == 200
        for request in behind.requests:
            assert request.all("x-api-key") == request.all("x_api_key") == []
            assert request.get("x-api-key-owner") == "acme"
        assert [request.line.split()[1] for request in behind.requests] == ["/", "/a?x=%31&y=+", "/a"]
        for wrong in (KEY[:-1], KEY + "x", KEY.upper(), "", HASH, HASH.removeprefix("sha256:"), "x" * 5000):
            status, text = await ask(gateway, f"X-API-Key: {wrong}")
            assert status == 401
            assert "WWW-Authenticate: ApiKey" in text
            assert not wrong or wrong not in text
        assert (await ask(gateway, f"Authorization: Bearer {KEY}"))[0] == 401
        assert (await ask(gateway, f"X-API-Key: {KEY}", f"X-API-Key: {KEY}"))[0] == 401
        assert (await ask(gateway))[0] == 401
        assert KEY not in "".join(gateway.log)
        assert sha256(KEY.encode()).hexdigest() not in "".join(gateway.log)


async def test_a_key_ends() -> None:
    demand = Authentication("urn:route", (), (keyed(expires=time.time() - 1),))
    async with guarded(demand) as (gateway, behind):
        status, text = await ask(gateway, f"X-API-Key: {KEY}")
        assert status == 401 and "over" in text
        assert not behind.requests


async def test_one_of_several_is_enough() -> None:
    async with key_server(ONE) as server:
        demand = Authentication("urn:route", (jwt(server),), (keyed(),))
        async with guarded(demand) as (gateway, _):
            assert (await ask(gateway, f"Authorization: Bearer {token()}"))[0] == 200
            assert (await ask(gateway, f"X-API-Key: {KEY}"))[0] == 200
            assert (await ask(gateway, "X-API-Key: no", f"Authorization: Bearer {token()}"))[0] == 200
            assert (await ask(gateway, f"X-API-Key: {KEY}", "Authorization: Bearer a.b.c"))[0] == 200
            status, text = await ask(gateway)
            assert status == 401 and text.count("WWW-Authenticate:") == 2


async def test_a_demand_that_nobody_can_meet_lets_nobody_in() -> None:
    async with guarded(Authentication("urn:route")) as (gateway, behind):
        assert (await ask(gateway, f"Authorization: Bearer {token()}", f"X-API-Key: {KEY}"))[0] == 401
        assert not behind.requests


async def test_keys_rotate_without_a_failed_request() -> None:
    async with key_server(ONE) as server:
        async with guarded(Authentication("urn:route", (jwt(server),))) as (gateway, _):
            statuses = [(await ask(gateway, f"Authorization: Bearer {token(ONE)}"))[0] for _ in range(5)]
            server.keys = [ONE.jwk(), TWO.jwk()]
            many = [ask(gateway, f"Authorization: Bearer {token(TWO)}") for _ in range(20)]
            statuses += [status for status, _ in await asyncio.gather(*many)]
            assert statuses == [200] * 25
            assert server.asked == 2, "one fetch for all who waited"


async def test_an_unknown_kid_asks_the_issuer_once_and_holds_up_nobody() -> None:
    async with key_server(ONE) as server:
        async with guarded(Authentication("urn:route", (jwt(server),))) as (gateway, _):
            assert (await ask(gateway, f"Authorization: Bearer {token()}"))[0] == 200
            for _ in range(10):
                assert (await ask(gateway, f"Authorization: Bearer {token(STRANGER)}"))[0] == 401
            assert server.asked == 2, "once for a kid that is not known, then not for 30 seconds"


async def test_the_first_request_waits_for_the_keys_and_others_do_not() -> None:
    release = asyncio.Event()
    async with key_server(ONE) as server:

        async def slow(_: web.Request) -> web.StreamResponse:
            await release.wait()
            return web.json_response({"keys": server.keys})

        server.answers = slow
        async with guarded(Authentication("urn:route", (jwt(server),), (keyed(),))) as (gateway, _):
            waiting = asyncio.create_task(ask(gateway, f"Authorization: Bearer {token()}"))
            left = asyncio.create_task(ask(gateway, f"Authorization: Bearer {token()}"))
            assert (await ask(gateway, f"X-API-Key: {KEY}"))[0] == 200
            left.cancel()
            assert not waiting.done()
            release.set()
            assert (await waiting)[0] == 200
            assert server.asked == 1


async def test_a_body_that_comes_while_keys_are_fetched_arrives_whole() -> None:
    release = asyncio.Event()

    async def echo(_: object) -> web.StreamResponse:
        await release.wait()
        return web.json_response({"keys": [ONE.jwk()]})

    async with key_server(ONE) as server:
        server.answers = echo
        async with guarded(Authentication("urn:route", (jwt(server),))) as (gateway, behind):
            reader, writer = await gateway.connect()
            body = b"x" * 200_000
            writer.write(
                f"POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token()}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            await asyncio.sleep(0.05)
            release.set()
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
            assert head.startswith(b"HTTP/1.1 200")
            assert behind.requests[0].body == body
            writer.close()


@pytest.mark.parametrize("fault", ["500", "redirect", "empty", "garbage", "10 MB", "no keys", "gzip", "closed"])
async def test_an_issuer_that_fails_lets_nobody_in(fault: str) -> None:
    async with key_server(ONE) as server:

        async def fail(request: web.Request) -> web.StreamResponse:
            if fault == "closed":
                assert request.transport
                request.transport.abort()
            answers = {
                "500": web.Response(status=500, text=json.dumps({"keys": server.keys})),
                "redirect": web.Response(status=302, headers={"Location": "/elsewhere"}),
                "empty": web.Response(),
                "garbage": web.Response(body=b"\xff\xfe{"),
                "10 MB": web.Response(body=b'{"keys": [' + b" " * 10_000_000 + b"]}"),
                "no keys": web.json_response({"keys": []}),
                "gzip": web.Response(body=b"{}", headers={"Content-Encoding": "gzip"}),
            }
            return answers.get(fault, web.Response())

        server.answers = fail
        async with guarded(Authentication("urn:route", (jwt(server),))) as (gateway, behind):
            status, text = await ask(gateway, f"Authorization: Bearer {token()}")
            assert status == 503
            assert "authentication-unavailable" in text and "Retry-After: 5" in text
            assert (await ask(gateway))[0] == 401
            assert not behind.requests
            assert server.asked == (2 if fault == "closed" else 1), "aiohttp asks again when it was hung up on"


async def test_limits_are_kept_by_key_and_by_claim_and_strangers_use_up_nothing() -> None:
    async with key_server(ONE) as server:
        for key in (RequestKey(KeyKind.CLAIM, "sub"), None):
            limit = RateLimit(f"urn:limit:{key}", 0.001, 1, (key,) if key is not None else ())
            demand = Authentication("urn:route", (jwt(server),))
            async with guarded(demand, rate_limits=(limit,)) as (gateway, _):
                for _ in range(3):
                    assert (await ask(gateway))[0] == 401
                assert (await ask(gateway, f"Authorization: Bearer {token(sub='a')}"))[0] == 200
                assert (await ask(gateway, f"Authorization: Bearer {token(sub='a', jti='2')}"))[0] == 429
                other = (await ask(gateway, f"Authorization: Bearer {token(sub='b')}"))[0]
                assert other == (200 if key else 429)
    other_key, other_hash = new_key()
    second = ApiKey("urn:other", (other_hash.removeprefix("sha256:"),))
    limit = RateLimit("urn:limit", 0.001, 1, (RequestKey(KeyKind.API_KEY),))
    async with guarded(Authentication("urn:route", (), (keyed(), second)), rate_limits=(limit,)) as (gateway, _):
        assert (await ask(gateway, f"X-API-Key: {KEY}"))[0] == 200
        assert (await ask(gateway, f"X-API-Key: {KEY}"))[0] == 429
        assert (await ask(gateway, f"X-API-Key: {other_key}"))[0] == 200


async def test_limits_by_address_come_before_tokens_are_looked_at() -> None:
    limit = RateLimit("urn:limit", 0.001, 1, (RequestKey(KeyKind.CLIENT_ADDRESS),))
    async with key_server(ONE) as server:
        async with guarded(Authentication("urn:route", (jwt(server),)), rate_limits=(limit,)) as (gateway, _):
            assert (await ask(gateway, "Authorization: Bearer a.b.c"))[0] == 401
            assert (await ask(gateway, "Authorization: Bearer a.b.c"))[0] == 429


async def test_a_reload_asks_the_issuer_for_nothing() -> None:
    async with key_server(ONE) as server:
        demand = Authentication("urn:route", (jwt(server),))
        async with guarded(demand) as (gateway, behind):
            shown = token()
            assert (await ask(gateway, f"Authorization: Bearer {shown}"))[0] == 200
            mesh = mesh_of(route(authentication=demand, name="other"), upstream(endpoint(behind.port)))
            gateway.install(mesh, "2")
            assert (await ask(gateway, f"Authorization: Bearer {shown}"))[0] == 200
            assert server.asked == 1
            open_again = mesh_of(route(), upstream(endpoint(behind.port)))
            gateway.install(open_again, "3")
            assert (await ask(gateway))[0] == 200
            gateway.install(mesh, "4")
            assert (await ask(gateway))[0] == 401
            assert (await ask(gateway, f"Authorization: Bearer {shown}"))[0] == 200
            assert server.asked == 2


async def test_a_claim_header_cannot_be_sent_where_nobody_is_asked() -> None:
    async with backend(says(answer(b"ok"))) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
            for name in ("X-Jwt-Claim-Sub", "x-jwt_claim-sub", "X_JWT_CLAIM_SUB", "X-Api-Key-Owner", "x_api-key_owner"):
                assert (await ask(gateway, f"{name}: root"))[0] == 200
            for request in behind.requests:
                assert not [name for name, _ in request.fields if "claim" in name.lower() or "owner" in name.lower()]
