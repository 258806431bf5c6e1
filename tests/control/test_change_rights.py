"""Who may change which statements: by subject, class and property; rights are not granted by those who lack them."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import aiohttp
import pytest

from api_gateway_service_mesh.control.change_rights import RightMissing, require_rights
from api_gateway_service_mesh.control.delta import Delta, fresh, parse_ntriples
from api_gateway_service_mesh.control.principals import load_principals
from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.graph import SourceGraph, infer
from api_gateway_service_mesh.model import ChangeRight
from tests.support.certs import new_authority
from tests.support.serving import serve_process, turtle

EX, NS, TYPE = (
    "http://example.org/",
    "https://ggen.ai/ontology/api-gateway#",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#type",
)
BEFORE = infer(
    SourceGraph.parse(
        turtle(
            """@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
            ex:r a agw:Route ; agw:routePath "/a" ; agw:hasRateLimiter ex:l , [ a agw:RateLimiter ; agw:burstSize 5 ] .
            ex:other a agw:Route ; agw:routePath "/o" ; agw:hasTimeout [ a agw:Timeout ; agw:timeoutSeconds 3 ] .
            ex:l a agw:RateLimiter ; agw:requestsPerSecond 5 .
            ex:Pay rdfs:subClassOf agw:Route . ex:p a ex:Pay ; agw:routePath "/p" .
            ex:root a agw:ChangeRight ; agw:grantedTo "admin" ; agw:mayGrant true ."""
        ),
        "gateway.ttl",
    )
)
LIMITS = ChangeRight("urn:limits", ("team",), classes=(f"{NS}RateLimiter",))


def delta(added: str = "", removed: str = "") -> Delta:
    def read(text: str) -> bytes:
        return text.replace("ex:", f"<{EX}").replace("agw:", f"<{NS}").replace(" a ", f" <{TYPE}> ").encode()

    return fresh(BEFORE.source, parse_ntriples(read(added)), parse_ntriples(read(removed)))


def allowed(who: str, change: Delta, *rights: ChangeRight) -> bool:
    try:
        require_rights(rights, who, change, BEFORE)
    except RightMissing as missing:
        assert missing.status == 403 and "ChangeRight" in (missing.remedy or "")
        return False
    return True


RATE = delta('ex:l> agw:burstSize> "9" .')
UNNAMED = next(
    row for row in BEFORE.source.triples if str(row.object) == '"3"^^<http://www.w3.org/2001/XMLSchema#integer>'
)


@pytest.mark.parametrize(
    ("change", "right", "may"),
    [
        (RATE, LIMITS, True),
        (RATE, ChangeRight("urn:x", ("te*",)), True),
        (RATE, ChangeRight("urn:x", ("others",)), False),
        (RATE, ChangeRight("urn:x", ("team",), properties=(f"{NS}burstSize",)), True),
        (RATE, ChangeRight("urn:x", ("team",), properties=(f"{NS}requestsPerSecond",)), False),
        (RATE, ChangeRight("urn:x", ("team",), subjects=(f"{EX}l",)), True),
        (RATE, ChangeRight("urn:x", ("team",), subjects=(f"{EX}r*",)), False),
        (delta('ex:r> agw:priority> "9" .'), LIMITS, False),
        (delta('ex:p> agw:priority> "9" .'), ChangeRight("urn:x", ("team",), classes=(f"{NS}Route",)), True),
        (delta('ex:p> agw:priority> "9" .'), ChangeRight("urn:x", ("team",), classes=(f"{EX}Pay",)), True),
        (delta('ex:r> agw:priority> "9" .'), ChangeRight("urn:x", ("team",), classes=(f"{EX}Pay",)), False),
        # What is new is what the change says; what is there stays what it was.
        (delta("ex:n> a agw:RateLimiter> ."), LIMITS, True),
        (delta("ex:n> a agw:RateLimiter> .\nex:n> a agw:Route> ."), LIMITS, False),
        (delta("ex:r> a agw:RateLimiter> ."), LIMITS, False),
        (delta("ex:l> a agw:Route> ."), LIMITS, False),
        # Nobody grants themselves anything.
        (delta("ex:mine> a agw:ChangeRight> ."), ChangeRight("urn:x", ("team",)), False),
        (delta("ex:l> a agw:ChangeRight> ."), ChangeRight("urn:x", ("team",)), False),
        (delta('ex:root> agw:grantedTo> "team" .'), ChangeRight("urn:x", ("team",)), False),
        (delta(removed='ex:root> agw:grantedTo> "admin" .'), ChangeRight("urn:x", ("team",)), False),
        (delta('ex:root> agw:grantedTo> "team" .'), ChangeRight("urn:x", ("team",), may_grant=True), True),
        # A thing without a name belongs to all that hold it.
        (Delta(removed=(UNNAMED,)), ChangeRight("urn:x", ("team",), subjects=(f"{EX}other",)), True),
        (Delta(removed=(UNNAMED,)), ChangeRight("urn:x", ("team",), subjects=(f"{EX}r",)), False),
    ],
)
def test_rights(change: Delta, right: ChangeRight, may: bool) -> None:
    assert change
    assert allowed("team", change, right) is may


def test_pointing_at_a_thing_does_not_make_it_one_s_own() -> None:
    held = str(UNNAMED.subject)
    change = fresh(
        BEFORE.source,
        parse_ntriples(f'<{EX}r> <{NS}hasTimeout> {held} .\n{held} <{NS}timeoutSeconds> "9" .'.encode()),
        (),
    )
    assert not allowed("team", change, ChangeRight("urn:x", ("team",), subjects=(f"{EX}r",)))
    assert allowed("team", change, ChangeRight("urn:x", ("team",), subjects=(f"{EX}r", f"{EX}other")))


def test_without_any_right_everybody_may_and_several_add_up() -> None:
    assert allowed("anybody", RATE)
    both = delta('ex:l> agw:burstSize> "9" .\nex:r> agw:priority> "9" .')
    assert not allowed("team", both, LIMITS)
    assert allowed("team", both, LIMITS, ChangeRight("urn:y", ("team",), subjects=(f"{EX}r",)))


def test_what_is_missing_is_named_without_values() -> None:
    with pytest.raises(
        RightMissing, match=r"team has no right to make this change: add <http://example.org/r> agw:owner"
    ) as said:
        require_rights((LIMITS,), "team", delta('ex:r> agw:owner> "a secret thing" .'), BEFORE)
    assert "secret" not in str(said.value) and "secret" not in (said.value.remedy or "")
    assert 'agw:grantedTo "team"' in (said.value.remedy or "")


CONFIGURATION = """
ex:gateway a agw:ApiGateway ; agw:hasAuditLog [ a agw:AuditLog ; agw:auditFile "audit.jsonl" ] .
ex:route a agw:Route ; agw:routePath "/*" ; agw:hasRateLimiter ex:limit ; agw:hasDirectResponse [ a agw:DirectResponse ] .
ex:limit a agw:RateLimiter ; agw:requestsPerSecond 5 .
ex:root a agw:ChangeRight ; agw:grantedTo "admin" ; agw:mayGrant true .
ex:team a agw:ChangeRight ; agw:grantedTo "team" , "bot" ; agw:onClass agw:RateLimiter .
"""
PREFIX = f"PREFIX agw: <{NS}> PREFIX ex: <{EX}> "


async def test_over_http_by_token_and_by_client_certificate(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    authority = new_authority(tmp_path / "pki")
    server = authority.issue("server", names=("localhost", "127.0.0.1"))
    client = authority.issue("bot", names=(), uris=("spiffe://example.org/bot",))
    (tmp_path / "gateway.ttl").write_text(turtle(CONFIGURATION))
    token = "team-token-0123456789"
    (tmp_path / "principals").write_text(
        f"# who may\n\nteam write sha256:{sha256(token.encode()).hexdigest()}\n"
        "bot write certificate:spiffe://example.org/bot\nwatcher read certificate:nobody.example\n"
    )
    environment = {
        "AGW_ADMIN_TOKEN": "the-admin-token-0123456789",
        "AGW_ADMIN_PRINCIPALS_FILE": str(tmp_path / "principals"),
        "AGW_ADMIN_CERTIFICATE_FILE": str(server.certificate_file),
        "AGW_ADMIN_KEY_FILE": str(server.key_file),
        "AGW_ADMIN_CLIENT_CA_FILE": str(server.trust_bundle_file),
    }
    plain = ssl.create_default_context(cafile=str(server.trust_bundle_file))
    shown = ssl.create_default_context(cafile=str(server.trust_bundle_file))
    shown.load_cert_chain(client.certificate_file, client.key_file)
    with serve_process(tmp_path / "gateway.ttl", "--writable", "--workers", "1", environment=environment) as serving:
        admin = f"https://127.0.0.1:{serving.admin_port}"
        async with aiohttp.ClientSession() as session:

            async def update(
                text: str, who: str = "", context: ssl.SSLContext = plain, path: str = "/sparql"
            ) -> tuple[int, str]:
                headers = {
                    "Content-Type": "application/sparql-update",
                    **({"Authorization": f"Bearer {who}"} if who else {}),
                }
                async with session.post(admin + path, data=PREFIX + text, headers=headers, ssl=context) as answer:
                    return answer.status, await answer.text()

            def patience(number: int) -> str:
                return f"DELETE {{ ex:limit agw:requestsPerSecond ?n }} INSERT {{ ex:limit agw:requestsPerSecond {number} }} WHERE {{ ex:limit agw:requestsPerSecond ?n }}"

            assert (await update(patience(6)))[0] == 401
            assert (await update(patience(6), token))[0] in (200, 204)
            status, text = await update("INSERT DATA { ex:route agw:priority 3 }", token)
            assert status == 403 and json.loads(text)["type"] == "urn:agw:problem:change-right-missing"
            assert "<http://example.org/route> agw:priority" in text
            status, _ = await update('INSERT DATA { ex:mine a agw:ChangeRight ; agw:grantedTo "team" }', token)
            assert status == 403
            assert (await update(patience(7), context=shown))[0] in (200, 204)
            assert (await update("INSERT DATA { ex:route agw:priority 3 }", context=shown))[0] == 403
            assert (await update("INSERT DATA { ex:route agw:priority 3 }", environment["AGW_ADMIN_TOKEN"]))[0] in (
                200,
                204,
            )
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/turtle"}
            async with session.post(
                f"{admin}/data?default", data=f'<{EX}route> <{NS}owner> "team" .', headers=headers, ssl=plain
            ) as answer:
                assert answer.status == 403, await answer.text()
            async with session.post(f"{admin}/revisions/1/rollback", headers=headers, ssl=plain) as answer:
                assert answer.status in (403, 404), await answer.text()
    records = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_bytes().splitlines()]
    denied = [each for each in records if each.get("outcome") == "denied"]
    stopped, turned_away = [[each for each in denied if ("needed" in each) is by_right] for by_right in (True, False)]
    assert {each["who"] for each in stopped} == {"team", "bot"}
    assert all("agw:ChangeRight" in each["needed"] for each in stopped)
    assert [each["reason"] for each in turned_away] == ["no-credential"]
    await asyncio.sleep(0)


def test_the_principals_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGW_ADMIN_PRINCIPALS_FILE", raising=False)
    assert not load_principals()
    file = tmp_path / "principals"
    for line in ("admin write sha256:" + "0" * 64, "a write sha256:12", "a may sha256:" + "0" * 64, "a write"):
        file.write_text(f"# one\n{line}\n")
        with pytest.raises(AgwError, match="principals:2 is no principal"):
            load_principals(str(file))
    with pytest.raises(AgwError, match="cannot be read"):
        load_principals(str(tmp_path / "none"))
    file.write_text(f"a read sha256:{sha256(b'token').hexdigest()}\n")
    found = load_principals(str(file))
    who = found.by_token(b"token")
    assert who is not None and (who.name, who.may_write) == ("a", False)
    assert found.by_token(b"other") is None and found.by_token(b"") is None
    assert "token" not in repr(found) or isinstance(found, Mapping)
