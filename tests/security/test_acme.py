"""ACME from below: what is signed, and servers that answer badly. A real server stands in control/test_issuing.py."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from joserfc import jws
from joserfc.jwk import ECKey

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import CertificateAuthority, IssuerKind
from api_gateway_service_mesh.security import acme
from api_gateway_service_mesh.security.acme import AcmeRefused, obtain


def decoded(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def test_a_thumbprint_is_that_of_rfc_7638() -> None:
    key = {"kty": "EC", "crv": "P-256", "x": "a", "y": "b", "kid": "not a member"}
    required = {name: key[name] for name in ("crv", "kty", "x", "y")}
    assert acme._canonical(required) == b'{"crv":"P-256","kty":"EC","x":"a","y":"b"}'


def test_what_is_signed_verifies_elsewhere(tmp_path: Path) -> None:
    key = acme._account_key(CertificateAuthority("urn:ca", str(tmp_path)))
    assert acme._account_key(CertificateAuthority("urn:ca", str(tmp_path))).private_numbers() == key.private_numbers()
    assert stat.S_IMODE((tmp_path / "acme-account.pem").stat().st_mode) == 0o600
    made = json.loads(acme._signed(key, {"alg": "ES256", "nonce": "n", "url": "u"}, {"a": 1}))
    token = f"{made['protected']}.{made['payload']}.{made['signature']}"
    checked = jws.deserialize_compact(
        token, ECKey.import_key(acme._jwk(key)), registry=jws.JWSRegistry(strict_check_header=False)
    )
    assert json.loads(checked.payload) == {"a": 1}
    assert json.loads(acme._signed(key, {"alg": "ES256"}, None))["payload"] == ""


def test_an_account_is_bound_with_the_key_given_out(tmp_path: Path) -> None:
    key = acme._account_key(CertificateAuthority("urn:ca", str(tmp_path)))
    bound = acme._bound(acme._jwk(key), "kid-1", b"secret", "https://a/new")
    assert decoded(bound["protected"]) == {"alg": "HS256", "kid": "kid-1", "url": "https://a/new"}
    assert decoded(bound["payload"]) == acme._jwk(key)
    import hmac

    wanted = hmac.digest(b"secret", f"{bound['protected']}.{bound['payload']}".encode(), hashlib.sha256)
    assert base64.urlsafe_b64decode(bound["signature"] + "=") == wanted


def test_an_account_key_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "acme-account.pem").write_text("hunter2")
    with pytest.raises(AgwError, match="cannot be read") as refused:
        acme._account_key(CertificateAuthority("urn:ca", str(tmp_path)))
    assert "hunter2" not in str(refused.value)


Handler = Callable[[web.Request], web.StreamResponse]


async def against(answers: dict[str, Handler], folder: Path) -> None:
    """Ask a server that says `answers`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        answer = answers.get(request.path)
        made = answer(request) if answer is not None else web.Response(status=404)
        made.headers.setdefault("Replay-Nonce", "nonce")
        return made

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    server = TestServer(app)
    await server.start_server()
    try:
        root = str(server.make_url("")).rstrip("/")
        answers["/dir"] = answers.get("/dir") or (
            lambda _: web.json_response(
                {"newNonce": f"{root}/nonce", "newAccount": f"{root}/account", "newOrder": f"{root}/order"}
            )
        )
        answers.setdefault("/nonce", lambda _: web.Response())
        answers.setdefault("/account", lambda _: web.json_response({}, headers={"Location": f"{root}/account/1"}))
        answers.setdefault(
            "/order",
            lambda _: web.json_response(
                {"status": "pending", "authorizations": [f"{root}/authz"], "finalize": f"{root}/fin"},
                headers={"Location": f"{root}/order/1"},
            ),
        )
        authority = CertificateAuthority("urn:ca", str(folder), IssuerKind.ACME, f"{root}/dir")
        await obtain(authority, ("a.example",))
    finally:
        await server.close()


def token_of(token: str) -> Handler:
    challenge = {"type": "http-01", "token": token, "url": "http://127.0.0.1:1/c"}
    body = {"status": "pending", "identifier": {"value": "a.example"}, "challenges": [challenge]}
    return lambda _: web.json_response(body)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"/dir": lambda _: web.Response(status=500)}, "answers 500"),
        ({"/dir": lambda _: web.Response(text="no json")}, "no JSON"),
        ({"/dir": lambda _: web.json_response({})}, "lacks"),
        ({"/dir": lambda _: web.Response(body=b" " * 300_000)}, "too long"),
        ({"/nonce": lambda _: web.Response(headers={"Replay-Nonce": ""})}, "answers 400|lacks|answers"),
        ({"/account": lambda _: web.json_response({})}, "lacks"),
        ({"/authz": lambda _: web.json_response({"status": "valid"})}, "lacks|answers 404"),
        ({"/authz": token_of("../../../etc/passwd")}, "token is none"),
        ({"/authz": token_of("")}, "token is none"),
        ({"/authz": token_of("fine")}, "does not answer"),
    ],
)
async def test_servers_that_answer_badly_are_said_to(answers: dict[str, Handler], said: str, tmp_path: Path) -> None:
    with pytest.raises(AgwError, match=said):
        await against(dict(answers), tmp_path)
    left = [each for each in tmp_path.rglob("*") if each.is_file() and each.name != "acme-account.pem"]
    assert left == [], "no answer lies about"


async def test_a_refusal_says_why_and_how_long_to_wait(tmp_path: Path) -> None:
    problem = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many\r\n\x1b[31mtoday"}
    limited = lambda _: web.json_response(problem, status=429, headers={"Retry-After": "3600"})  # noqa: E731
    with pytest.raises(AcmeRefused, match="rateLimited: too many") as refused:
        await against({"/order": limited}, tmp_path)
    assert refused.value.wait_seconds == 3600
    assert refused.value.message.isprintable()


async def test_a_nonce_that_is_refused_is_replaced(tmp_path: Path) -> None:
    tries = []

    def refuses(_: web.Request) -> web.StreamResponse:
        tries.append(1)
        return web.json_response({"type": "urn:ietf:params:acme:error:badNonce"}, status=400)

    with pytest.raises(AcmeRefused, match="badNonce"):
        await against({"/account": refuses}, tmp_path)
    assert len(tries) == 12
