"""Who may do what, over real sockets: by token, key, address, path and time; what is counted, logged and told."""

from __future__ import annotations

import json
import time

import pytest

from api_gateway_service_mesh.model import (
    ApiKey,
    Authentication,
    Authorization,
    AuthorizationPolicy,
    AuthorizationRule,
    Enforcement,
    JwtAuthentication,
    RuleAction,
)
from api_gateway_service_mesh.proxy.authorization import AUDIT_FLAG
from api_gateway_service_mesh.security.api_key import new_key
from tests.support.asking import ask, deeds, one_route
from tests.support.backend import answer, backend, says
from tests.support.gateway import mesh_of, running
from tests.support.tokens import ISSUER, claims, key_server, signer

ONE = signer("RS256", "one")
KEY, HASH = new_key()


def stated(*rules: AuthorizationRule, enforcement: Enforcement = Enforcement.ENFORCE, **more: object) -> Authorization:
    return Authorization("urn:test:route", (AuthorizationPolicy("urn:p", rules, enforcement),), **more)  # type: ignore[arg-type]


def bearer(**more: object) -> str:
    return f"Authorization: Bearer {ONE.token(claims(time.time(), **more)).decode()}\r\n"


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_by_token_and_by_key(kind: str) -> None:
    rules = (
        AuthorizationRule("urn:admins", claims=("/realm/roles=admin",)),
        AuthorizationRule("urn:acme", key_owners=("acme",), methods=("GET",), scopes=("read",)),
        AuthorizationRule("urn:mallory", RuleAction.DENY, subjects=("mallory",)),
    )
    async with key_server(ONE) as server, backend(says(answer(b"ok"))) as behind:
        demand = Authentication(
            "urn:test:route",
            (JwtAuthentication("urn:jwt", ISSUER, ("shop",), server.url),),
            (ApiKey("urn:key", (HASH.removeprefix("sha256:"),), owner="acme", scopes=("read",)),),
        )
        mesh = one_route(behind, authentication=demand, authorization=stated(*rules))
        async with running(mesh, kind=kind) as gateway:
            admin = {"realm": {"roles": ["dev", "admin"]}}
            assert (await ask(gateway, fields=bearer(**admin))).line.split()[1] == "200"
            assert (await ask(gateway, fields=f"X-API-Key: {KEY}\r\n")).line.split()[1] == "200"
            put = await ask(gateway, method="PUT", fields=f"X-API-Key: {KEY}\r\n")
            denied = await ask(gateway, fields=bearer(sub="mallory", **admin))
            plain = await ask(gateway, fields=bearer())
            strange = await ask(gateway)
            assert deeds(gateway, "urn:p")[:3] == (2, 3, 0)
            assert [deeds(gateway, iri)[0] for iri in ("urn:admins", "urn:acme", "urn:mallory")] == [1, 1, 1]
    assert strange.line.split()[1] == "401"
    for refused, by in ((put, "urn:p"), (denied, "urn:mallory"), (plain, "urn:p")):
        problem = json.loads(refused.body)
        assert refused.line.split()[1] == "403"
        assert (problem["type"], problem["policy"]) == ("urn:agw:problem:access-denied", by)
    assert len(behind.requests) == 2
    assert "urn:mallory denies this" in gateway.log[3]
    assert "UAEX" in gateway.log[3]


async def test_by_address_behind_a_trusted_proxy_alone() -> None:
    office = stated(AuthorizationRule("urn:office", addresses=("203.0.113.0/24",)))
    async with backend(says(answer(b"ok"))) as behind:
        told = "X-Forwarded-For: 203.0.113.9\r\n"
        async with running(one_route(behind, authorization=office)) as gateway:
            assert (await ask(gateway, fields=told)).line.split()[1] == "403"
            mesh = mesh_of(
                one_route(behind, authorization=office).routes[0],
                *one_route(behind).upstreams,
                trusted_proxies=("127.0.0.0/8",),
            )
            gateway.install(mesh)
            assert (await ask(gateway, fields=told)).line.split()[1] == "200"
            assert (await ask(gateway)).line.split()[1] == "403"


async def test_a_path_that_is_denied_has_no_other_spelling() -> None:
    closed = stated(AuthorizationRule("urn:closed", RuleAction.DENY, paths=("/admin/*",)))
    async with backend(says(answer(b"ok"))) as behind, running(one_route(behind, authorization=closed)) as gateway:
        for path in ("/admin", "/admin/x?y=1", "/%61dmin/x", "//admin/x", "/admin;a=b/x", "/admin%2fx"):
            assert (await ask(gateway, path)).line.split()[1] in ("400", "403"), path
        assert (await ask(gateway, "/administration")).line.split()[1] == "200"
    assert len(behind.requests) == 1


async def test_what_is_only_audited_is_let_through_counted_and_marked() -> None:
    async with backend(says(answer(b"ok"))) as behind:
        mesh = one_route(behind, authorization=stated(enforcement=Enforcement.AUDIT))
        async with running(mesh) as gateway:
            assert (await ask(gateway)).line.split()[1] == "200"
            assert deeds(gateway, "urn:p")[:3] == (0, 0, 1)
    assert AUDIT_FLAG in gateway.log[0]
    assert "urn:p would refuse this" in gateway.log[0]


async def test_a_route_s_scopes_whatever_proves_them() -> None:
    async with backend(says(answer(b"ok"))) as behind:
        demand = Authentication(
            "urn:test:route", (), (ApiKey("urn:key", (HASH.removeprefix("sha256:"),), scopes=("a",)),)
        )
        mesh = one_route(behind, authentication=demand, authorization=Authorization("urn:test:route", (), ("a",)))
        more = one_route(behind, authentication=demand, authorization=Authorization("urn:test:route", (), ("a", "b")))
        async with running(mesh) as gateway:
            assert (await ask(gateway, fields=f"X-API-Key: {KEY}\r\n")).line.split()[1] == "200"
            gateway.install(more)
            refused = await ask(gateway, fields=f"X-API-Key: {KEY}\r\n")
    assert refused.line.split()[1] == "403"
    assert json.loads(refused.body)["type"] == "urn:agw:problem:insufficient-scope"
    assert 'scope="b"' in str(refused.fields)


async def test_the_gateway_s_default_denies_and_says_who_did() -> None:
    async with backend(says(answer(b"ok"))) as behind:
        nothing = Authorization("urn:test:route", default=RuleAction.DENY)
        async with running(one_route(behind, authorization=nothing)) as gateway:
            refused = await ask(gateway)
    assert json.loads(refused.body)["policy"] == "urn:test:gateway"


async def test_a_route_without_rules_has_no_gate() -> None:
    from api_gateway_service_mesh.proxy.authorization import authorization_gates

    async with backend(says(answer(b"ok"))) as behind, running(one_route(behind)) as gateway:
        assert (await ask(gateway)).line.split()[1] == "200"
        core = gateway.engine.core()
        assert core.generation is not None
        handler = core.generation.handlers[0]
        assert handler is not None and authorization_gates(handler, core.generation, core) == []
        assert handler.gates == ()
