"""The audit log of a served gateway: decisions of all workers and changes in one chain, and nothing secret in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import aiohttp
from click.testing import CliRunner

from api_gateway_service_mesh.cli.audit import command
from api_gateway_service_mesh.control.audit import Audit
from api_gateway_service_mesh.proxy.audit import audit_gates
from api_gateway_service_mesh.security.api_key import new_key
from api_gateway_service_mesh.telemetry.audit import verify
from tests.peers.client import Client
from tests.support.serving import serve_process, turtle

assert Audit and audit_gates

KEY, HASH = new_key()
CONFIGURATION = f"""
ex:gateway a agw:ApiGateway ; agw:hasAuditLog ex:audit ; agw:hasAuthentication ex:acme ; agw:hasAuthorization ex:rules .
ex:audit a agw:AuditLog ; agw:auditFile "audit/gateway.jsonl" .
ex:acme a agw:ApiKey ; agw:keyOwner "acme" ; agw:keyHash "{HASH}" .
ex:rules a agw:AuthorizationPolicy ; agw:hasRule ex:readers .
ex:readers a agw:AuthorizationRule ; agw:onMethod "GET" .
ex:route a agw:Route ; agw:routePath "/*" ; agw:hasDirectResponse [ a agw:DirectResponse ; agw:responseBody "x" ] .
"""


async def until(file: Path, holds: Callable[[list[dict[str, object]]], bool]) -> list[dict[str, object]]:
    async with asyncio.timeout(30):
        while True:
            if file.exists():
                records = [json.loads(line) for line in file.read_bytes().splitlines()]
                if holds(records):
                    return records
            await asyncio.sleep(0.05)


async def test_decisions_and_changes_in_one_chain(tmp_path: Path) -> None:
    (tmp_path / "gateway.ttl").write_text(turtle(CONFIGURATION))
    with serve_process(tmp_path / "gateway.ttl", "--writable", "--workers", "2") as serving:
        client = Client(serving.port)
        shown = f"X-API-Key: {KEY}\r\n"
        assert (await client.ask("/a?token=hidden", shown)).status == 200
        assert (await client.ask("/b", shown, method="PUT")).status == 403
        assert (await client.ask("/c", "X-API-Key: wrong-and-secret\r\n")).status == 401
        async with aiohttp.ClientSession() as session:
            update = "PREFIX agw: <https://ggen.ai/ontology/api-gateway#> INSERT DATA { <http://example.org/route> agw:priority 5 }"
            headers = {"Content-Type": "application/sparql-update", "Agw-Message": "first things first"}
            async with session.post(serving.admin + "/sparql", data=update, headers=headers) as answer:
                assert answer.status in (200, 204), await answer.text()
        file = tmp_path / "audit" / "gateway.jsonl"
        records = await until(
            file, lambda found: sum(each["kind"] == "change" for each in found) == 2 and len(found) >= 8
        )
    kinds = [(each["kind"], each.get("outcome"), each.get("path")) for each in records if each["kind"] != "change"]
    for wanted in (
        ("authentication", "allowed", "/a"),
        ("authorization", "allowed", "/a"),
        ("authorization", "denied", "/b"),
        ("authentication", "denied", "/c"),
    ):
        assert wanted in kinds
    denied = next(each for each in records if each.get("path") == "/b" and each["outcome"] == "denied")
    assert denied["by"] == "http://example.org/rules" and denied["route"] == "http://example.org/route"
    assert denied["caller"] == ["key:acme"] and denied["revision"] == "1"
    changes = [each for each in records if each["kind"] == "change"]
    assert [each["outcome"] for each in changes] == ["live", "live"]
    assert changes[1]["why"] == "first things first" and changes[1]["who"] == "loopback"
    text = file.read_text()
    for secret in (KEY, HASH, HASH[7:], "wrong-and-secret", "hidden"):
        assert secret not in text
    assert verify([file]).faults == ()
    result = CliRunner().invoke(command, ["verify", str(file)], standalone_mode=False)
    assert result.return_value == 0 and "ok:" in result.output
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-2]))
    result = CliRunner().invoke(command, ["verify", str(file), "--format", "json"], standalone_mode=False)
    assert result.return_value == 1 and "cut off" in result.output


async def test_who_is_refused_at_the_admin_port_stands_in_it(tmp_path: Path) -> None:
    (tmp_path / "gateway.ttl").write_text(turtle(CONFIGURATION))
    tokens = {
        "AGW_ADMIN_TOKEN": "an-admin-token-of-27-characters",
        "AGW_ADMIN_READ_TOKEN": "a-reader-token-of-28-characters",
    }
    update = {"Content-Type": "application/sparql-update"}
    with serve_process(tmp_path / "gateway.ttl", "--writable", "--workers", "1", environment=tokens) as serving:
        async with aiohttp.ClientSession() as session:
            asked = (
                ("GET", "/config?token=hidden", {}, 401),
                ("GET", "/config", {"Authorization": "Bearer wrong-and-secret"}, 401),
                ("GET", "/config", {"Authorization": f"Bearer {tokens['AGW_ADMIN_READ_TOKEN']}"}, 200),
                ("POST", "/sparql", {"Authorization": f"Bearer {tokens['AGW_ADMIN_READ_TOKEN']}", **update}, 403),
                ("GET", "/livez", {}, 200),
            )
            for method, path, fields, status in asked:
                data = "CLEAR DEFAULT" if method == "POST" else None
                async with session.request(method, serving.admin + path, headers=fields, data=data) as answer:
                    assert answer.status == status, await answer.text()
        file = tmp_path / "audit" / "gateway.jsonl"
        records = await until(file, lambda found: sum(each.get("port") == "admin" for each in found) == 3)
    told = [each for each in records if each.get("port") == "admin"]
    assert [(each["kind"], each["outcome"], each["reason"], each["path"], each.get("who")) for each in told] == [
        ("authentication", "denied", "no-credential", "/config", None),
        ("authentication", "denied", "unauthorized", "/config", None),
        ("authorization", "denied", "read-only-token", "/sparql", "reader"),
    ]
    assert all(each["where"] == "127.0.0.1" for each in told)
    assert not any(secret in file.read_text() for secret in ("wrong-and-secret", "hidden", *tokens.values()))
    assert verify([file]).faults == ()
