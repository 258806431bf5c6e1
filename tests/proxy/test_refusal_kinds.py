"""Every kind of refusal, provoked over real sockets: its status, type and policy, its flag in the access log, its count."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from api_gateway_service_mesh.model import (
    AdaptiveConcurrency,
    ApiKey,
    ApiVersion,
    Authentication,
    Authorization,
    AuthorizationFailureMode,
    AuthorizationPolicy,
    Breaker,
    Cache,
    ClientCertificate,
    ConnectionPool,
    Cors,
    Deprecation,
    ExternalAuthorization,
    FailureMode,
    Fault,
    Hedging,
    Intentions,
    JwtAlgorithm,
    JwtAuthentication,
    Limits,
    Listener,
    Maintenance,
    Mirror,
    MtlsMode,
    OverloadGuard,
    PathKind,
    PathMatch,
    PeerNames,
    RateLimit,
    RedisStore,
    Registry,
    RegistryType,
    RequestValidation,
    ResponseTransformation,
    RouteMatch,
    Timeout,
    VersionedBy,
    WebSocketBounds,
)
from api_gateway_service_mesh.policies import CellStore, read_bulkhead
from api_gateway_service_mesh.policies.refusal import read_refusals
from api_gateway_service_mesh.proxy import Engine
from api_gateway_service_mesh.proxy.refusals import KINDS, NUMBERS
from api_gateway_service_mesh.security.api_key import new_key
from tests.support.backend import Backend, Conversation, Received, Script, answer, backend, says
from tests.support.certs import new_authority
from tests.support.gateway import Running, endpoint, mesh_of, raw, route, running, upstream
from tests.support.tokens import ISSUER, claims, key_server, signer

PLAIN = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
POLICY = "urn:policy"
ISSUES = signer("RS256", "one")
OTHERS_KEY, HASH = new_key()
KEYS = Authentication("urn:test:route", api_keys=(ApiKey(POLICY, (HASH.removeprefix("sha256:"),)),))


async def silent(_: Received, __: Conversation) -> None:
    await asyncio.sleep(30)


async def cut(_: Received, conversation: Conversation) -> None:
    conversation.reset()


async def garbage(_: Received, conversation: Conversation) -> None:
    await conversation.send(b"no such protocol\r\n\r\n")


async def no_json(_: Received, conversation: Conversation) -> None:
    await conversation.send(answer(b"{", fields="Content-Type: application/json\r\n"))


async def then_cut(_: Received, conversation: Conversation) -> None:
    """Fails with a body that is still to come, and then breaks off what is asked meanwhile."""
    await asyncio.sleep(0.1)
    if conversation.number == 1:
        await asyncio.sleep(0.1)
        await conversation.send(b"HTTP/1.1 500 X\r\nContent-Length: 2\r\n\r\nno")
    else:
        await asyncio.sleep(0.4)
        conversation.reset()


def request(path: str = "/", fields: str = "", *, line: str = "") -> bytes:
    return f"{line or f'GET {path} HTTP/1.1'}\r\nHost: a\r\nConnection: close\r\n{fields}\r\n".encode()


def token(**more: object) -> str:
    # The cases are made when they are collected, and may be run an hour later.
    lasting = claims(time.time(), **{"exp": int(time.time()) + 86_400, **more})
    return f"Authorization: Bearer {ISSUES.token(lasting).decode()}\r\n"


def limit(**more: object) -> RateLimit:
    return RateLimit(POLICY, 0.001, 1, **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    """How a kind comes about. So many are asked ``before``, without waiting for an answer when ``held``, and then as many
    as are ``waiting`` for a connection; ``head`` refusals come before there is an exchange, and have no line in the
    access log."""

    status: int
    asked: bytes = PLAIN
    route: dict[str, Any] = field(default_factory=dict)
    upstream: dict[str, Any] = field(default_factory=dict)
    mesh: dict[str, Any] = field(default_factory=dict)
    script: Script = says(answer(b"ok"))  # noqa: RUF009 - never changed
    path: str = ""
    policy: str | None = None
    before: int = 0
    held: bool = False
    waiting: int = 0
    gone: bool = False
    empty: bool = False
    jwt: dict[str, Any] | None = None
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    head: bool = False
    certified: bool = False
    listener: Listener | None = None
    tls: ssl.SSLContext | None = None


def head(status: int, asked: bytes, **more: object) -> Case:
    return Case(status, asked, head=True, **more)  # type: ignore[arg-type]


def posted(kind: str, body: str) -> bytes:
    """A request with a body."""
    fields = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return request(line="POST /a HTTP/1.1", fields=fields) + body.encode()


DESCRIPTION = {
    "openapi": "3.1.0",
    "paths": {
        "/a": {
            "get": {"parameters": [{"in": "query", "name": "n", "schema": {"type": "integer"}}]},
            "post": {"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}},
        }
    },
}
DESCRIBED = {"validation": RequestValidation(POLICY, description=json.dumps(DESCRIPTION), body_bytes=16)}
POOL = "urn:pool"
CASES: dict[str, Case] = {
    "no-route": Case(404, path="/elsewhere"),
    "method-not-allowed": Case(405, route={"match": RouteMatch(PathMatch(PathKind.PREFIX, ""), methods=("POST",))}),
    "no-upstream": Case(503, route={"to": None}),
    "plaintext-forbidden": Case(503, upstream={"mtls_mode": MtlsMode.STRICT}),
    "no-endpoint": Case(503, empty=True),
    "circuit-open": Case(
        503, route={"breaker": Breaker(POLICY, 1, 60.0)}, script=says(answer(b"", "500 X")), policy=POLICY, before=1
    ),
    "rate-limited": Case(429, route={"rate_limits": (limit(),)}, policy=POLICY, before=1),
    "quota-exceeded": Case(
        429, route={"rate_limits": (limit(quota=True, period_seconds=3600.0),)}, policy=POLICY, before=1
    ),
    "rate-limit-unavailable": Case(
        503,
        route={"rate_limits": (limit(store=RedisStore("urn:redis", "127.0.0.1", 1), failure_mode=FailureMode.CLOSED),)},
        policy=POLICY,
    ),
    "authentication-required": Case(401, route={"authentication": KEYS}, policy=POLICY),
    "client-certificate-required": Case(
        403, route={"client_certificate": ClientCertificate(POLICY, "urn:test:route")}, policy=POLICY
    ),
    "client-certificate-refused": Case(
        403,
        route={"client_certificate": ClientCertificate(POLICY, "urn:test:route", peers=PeerNames(names=("nobody",)))},
        policy=POLICY,
        certified=True,
    ),
    "intention-unavailable": Case(
        503,
        route={
            "client_certificate": ClientCertificate(
                POLICY,
                "urn:test:route",
                intentions=Intentions(Registry("urn:consul", RegistryType.CONSUL, "127.0.0.1:1"), "edge"),
            )
        },
        policy=POLICY,
        certified=True,
    ),
    "invalid-credentials": Case(
        401, request(fields="X-Api-Key: wrong\r\n"), route={"authentication": KEYS}, policy=POLICY
    ),
    "insufficient-scope": Case(403, request(fields=token()), jwt={"required_scopes": ("write",)}, policy=POLICY),
    "forbidden": Case(403, request(fields=token()), jwt={"required_claims": ("role=admin",)}, policy=POLICY),
    "access-denied": Case(
        403,
        route={"authorization": Authorization("urn:test:route", (AuthorizationPolicy(POLICY),))},
        policy=POLICY,
    ),
    "external-unavailable": Case(
        503,
        route={"external_authorization": ExternalAuthorization(POLICY, "urn:nobody", AuthorizationFailureMode.CLOSED)},
        policy=POLICY,
    ),
    "authentication-unavailable": Case(
        503, request(fields=token()), jwt={"jwks_uri": "http://127.0.0.1:1/"}, policy=POLICY
    ),
    "cors-refused": Case(
        403,
        request(
            line="OPTIONS / HTTP/1.1", fields="Origin: https://b.example\r\nAccess-Control-Request-Method: GET\r\n"
        ),
        route={"cors": Cors(POLICY, ("https://a.example",))},
        policy=POLICY,
    ),
    "unknown-version": Case(
        400,
        request(fields="API-Version: 9\r\n"),
        route={"version": ApiVersion(POLICY, "1", VersionedBy.HEADER, "api-version", is_default=True)},
        policy=POLICY,
    ),
    "version-withdrawn": Case(
        410, route={"deprecation": Deprecation(POLICY, sunset_at=1.0, refuses=True)}, policy=POLICY
    ),
    "not-cached": Case(
        504, request(fields="Cache-Control: only-if-cached\r\n"), route={"cache": Cache(POLICY)}, policy=POLICY
    ),
    "undescribed-request": Case(404, request(line="GET /other HTTP/1.1"), route=DESCRIBED, policy=POLICY),
    "invalid-parameter": Case(400, request(line="GET /a?n=x HTTP/1.1"), route=DESCRIBED, policy=POLICY),
    "unsupported-media-type": Case(415, posted("text/plain", "x"), route=DESCRIBED, policy=POLICY),
    "body-too-large": Case(413, posted("application/json", " " * 20), route=DESCRIBED, policy=POLICY),
    "malformed-body": Case(400, posted("application/json", '{"a":1,"a":2}'), route=DESCRIBED, policy=POLICY),
    "invalid-body": Case(422, posted("application/json", "1"), route=DESCRIBED, policy=POLICY),
    "fault-injected": Case(503, route={"faults": (Fault(POLICY, abort_status=503),)}, policy=POLICY),
    "overloaded": Case(
        503,
        route={"concurrency": AdaptiveConcurrency(POLICY, 1, 1)},
        script=silent,
        policy=POLICY,
        before=1,
        held=True,
    ),
    "maintenance": Case(503, route={"maintenance": Maintenance(POLICY, "urn:test:route")}, policy=POLICY),
    "timeout": Case(504, route={"timeout": Timeout(POLICY, 0.2)}, script=silent),
    "upstream-connect-failure": Case(502, gone=True),
    "upstream-reset": Case(502, script=cut),
    "websocket-forbidden": Case(
        403, UPGRADE, route={"websocket": WebSocketBounds(POLICY, allowed=False)}, policy=POLICY
    ),
    "too-many-websockets": Case(
        503,
        UPGRADE,
        route={"websocket": WebSocketBounds(POLICY, maximum=1)},
        script=silent,
        policy=POLICY,
        before=1,
        held=True,
    ),
    "upstream-bad-answer": Case(502, script=garbage),
    "unchangeable-answer": Case(
        502,
        route={"response_transformation": ResponseTransformation(POLICY, removes_members=("/a",))},
        policy=POLICY,
        script=no_json,
    ),
    "upstream-error": Case(502, route={"hedging": Hedging("urn:hedge", 0.01)}, script=then_cut),
    "upstream-overloaded": Case(
        503,
        upstream={"pool": ConnectionPool(POOL, max_connections=1, max_pending_requests=1)},
        script=silent,
        policy=POOL,
        before=1,
        held=True,
        waiting=1,
    ),
    "upstream-queue-timeout": Case(
        503,
        upstream={"pool": ConnectionPool(POOL, max_connections=1, queue_timeout_seconds=0.1)},
        script=silent,
        policy=POOL,
        before=1,
        held=True,
    ),
    "upstream-request-limit": Case(
        503, upstream={"pool": ConnectionPool(POOL, max_requests=1)}, script=silent, policy=POOL, before=1, held=True
    ),
    "request-timeout": head(408, b"GET / HTTP/1.1\r\nHost:", limits=Limits(header_timeout_seconds=0.5)),
    "header-fields-too-large": head(431, request(fields=f"X-A: {'a' * 40000}\r\n")),
    "malformed-request": head(400, b"GET\r\n\r\n"),
    "malformed-host": head(400, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
    "malformed-target": head(400, request("/a/../b")),
    "expectation-failed": head(417, request(fields="Expect: wonders\r\n")),
    "not-implemented": head(501, request(line="BREW / HTTP/1.1")),
    "uri-too-long": head(414, request("/" + "a" * 9000)),
    "http-version-not-supported": head(505, request(line="GET / HTTP/1.7")),
    "malformed-framing": head(400, request(fields="Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")),
    "malformed-header": head(400, request(fields="No field\r\n")),
}

ELSEWHERE = {
    "intention-denied": "test_intentions.py: it takes somebody who tells of intentions",
    "misdirected-request": "test_greeting.py: it takes a connection for another host",
    "backend-token-unavailable": "test_client_credentials.py: it takes somebody who tells of tokens",
    "too-many-connections": "test_connection_cap.py: it takes connections, and no request",
    "too-many-connections-from-address": "test_connection_cap.py: likewise",
    "login-failed": "test_login.py: it takes a provider of identities",
    "external-denied": "test_external_authorization.py: it takes a second service",
    "not-ready": "below: there is no configuration, so nothing that it could be counted in",
}


@pytest.mark.parametrize("kind", CASES)
async def test_a_refusal_says_what_it_is_everywhere(kind: str, tmp_path: Path) -> None:
    case = CASES[kind]
    if case.certified:
        authority = new_authority(tmp_path)
        shown = authority.issue("shown", uris=("spiffe://example.org/shown",))
        tls = ssl.create_default_context(cafile=str(authority.bundle))
        tls.load_cert_chain(shown.certificate_file, shown.key_file)
        case = replace(case, listener=Listener("urn:l", 0, "127.0.0.1", shown.model(), MtlsMode.STRICT), tls=tls)
    async with backend(case.script) as behind:
        if case.jwt is None:
            await _refused(kind, case, behind, case.route)
            return
        async with key_server(ISSUES) as server:
            options = {"jwks_uri": server.url, **case.jwt}
            jwt = JwtAuthentication(POLICY, ISSUER, ("shop",), algorithms=(JwtAlgorithm.RS256,), **options)
            await _refused(kind, case, behind, {"authentication": Authentication("urn:test:route", (jwt,))})


async def _refused(kind: str, case: Case, behind: Backend, more: dict[str, Any]) -> None:
    at = () if case.empty else (endpoint(1 if case.gone else behind.port),)
    mesh = mesh_of(route(case.path, **more), upstream(*at, **case.upstream), access_log=True, **case.mesh)
    async with running(mesh, limits=case.limits, listener=case.listener) as gateway:
        held = [asyncio.create_task(raw(gateway.port, case.asked, seconds=60)) for _ in range(case.before)]
        if case.held:
            async with asyncio.timeout(20):
                while len(behind.heads) < case.before:
                    await asyncio.sleep(0.01)
            held += [asyncio.create_task(raw(gateway.port, case.asked, seconds=60)) for _ in range(case.waiting)]
            slot = gateway.layout.slots["bulkhead", "urn:test:service"]
            async with asyncio.timeout(20):
                while read_bulkhead(gateway.store.view, slot, 1).pending < case.waiting:
                    await asyncio.sleep(0.01)
        else:
            await asyncio.gather(*held)
        logged = len(gateway.log)
        text = (await raw(gateway.port, case.asked, seconds=20, tls=case.tls)).decode()
        for task in held:
            task.cancel()
        fields, _, body = text.partition("\r\n\r\n")
        assert int(fields.split(" ")[1]) == case.status
        problem = json.loads(body)
        assert problem["type"] == f"urn:agw:problem:{kind}"
        assert problem.get("policy") == case.policy
        lines = [json.loads(line) for line in gateway.log[logged:]]
        if case.head:
            assert lines == []
        else:
            line = lines[0]
            assert (line["status"], line["flags"], line["refused_by"]) == (
                case.status,
                [KINDS[kind].flag],
                case.policy,
            )
        assert _counted(gateway) == {kind: 1}


def _counted(gateway: Running) -> dict[str, int]:
    counts = read_refusals(gateway.store.view, gateway.layout.slots["refusal", "urn:test:gateway"], 1)
    return {kind: counts[number] for kind, number in NUMBERS.items() if counts[number]}


async def test_the_overload_guard_refuses_alike() -> None:
    guard = OverloadGuard(POLICY, 60.0, active_requests=1)
    async with backend(silent) as behind:
        mesh = mesh_of(route(), upstream(endpoint(behind.port)), access_log=True, overload=guard)
        async with running(mesh) as gateway:
            reader, writer = await gateway.connect()  # while connections are accepted still
            held = [asyncio.create_task(raw(gateway.port, PLAIN, seconds=60)) for _ in range(4)]
            guard_of = gateway.engine.core().guard
            assert guard_of is not None
            async with asyncio.timeout(20):
                while guard_of.machine.level < 2.0:
                    await asyncio.sleep(0.01)
            writer.write(PLAIN)
            text = (await reader.read()).decode()
            writer.close()
            for task in held:
                task.cancel()
            assert json.loads(text.partition("\r\n\r\n")[2])["policy"] == POLICY
            assert _counted(gateway) == {"overloaded": 1}


async def test_nothing_is_counted_while_there_is_no_configuration() -> None:
    engine = Engine(cells=CellStore.local(2**16))
    port = await engine.listen(Listener("urn:l", 0, "127.0.0.1"), host="127.0.0.1", port=0)
    try:
        text = (await raw(port, PLAIN)).decode()
        assert text.startswith("HTTP/1.1 503 ")
        assert json.loads(text.partition("\r\n\r\n")[2])["type"] == "urn:agw:problem:not-ready"
    finally:
        engine.close()


async def test_of_several_schemes_the_place_that_demands_them_refuses() -> None:
    both = Authentication(
        "urn:demands", api_keys=(*KEYS.api_keys, ApiKey("urn:other", (HASH.removeprefix("sha256:"),)))
    )
    async with running(mesh_of(route(authentication=both), upstream(endpoint(1)))) as gateway:
        text = (await raw(gateway.port, PLAIN)).decode()
        assert json.loads(text.partition("\r\n\r\n")[2])["policy"] == "urn:demands"


@pytest.mark.parametrize("kind", ["no-route", "malformed-target"])
async def test_an_embedded_gateway_counts_too(kind: str) -> None:
    async with running(mesh_of(route("/elsewhere"), upstream()), kind="app") as gateway:
        await raw(gateway.port, CASES[kind].asked)
        assert _counted(gateway) == {kind: 1}


async def test_a_copy_that_fails_is_no_refusal() -> None:
    async with backend(says(answer(b"ok"))) as behind:
        copied = route(mirrors=(Mirror("urn:mirror", "urn:test:gone"),))
        gone = upstream(endpoint(1, "gone"), name="gone")
        async with running(mesh_of(copied, upstream(endpoint(behind.port)), gone)) as gateway:
            await raw(gateway.port, PLAIN)
            slot = gateway.layout.slots["event", "urn:mirror"]
            async with asyncio.timeout(20):
                while not gateway.store.view[slot + 1]:
                    await asyncio.sleep(0.01)
            assert _counted(gateway) == {}


def test_every_kind_is_provoked_here_or_said_where() -> None:
    assert CASES.keys() | ELSEWHERE.keys() == KINDS.keys()
    assert not CASES.keys() & ELSEWHERE.keys()
