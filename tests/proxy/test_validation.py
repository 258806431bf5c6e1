"""Request validation over real sockets: what is refused never reaches the backend, what goes on is what came."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import Any

import aiohttp
import pytest

from api_gateway_service_mesh.model import Enforcement, Mesh, RequestValidation, Retry
from api_gateway_service_mesh.proxy.validation import AUDIT_FLAG
from tests.support.asking import ask, deeds, one_route
from tests.support.backend import Backend, answer, backend, read_answer, read_head, says
from tests.support.gateway import Running, running

pytest.importorskip("jsonschema_rs")

NAME = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "maxLength": 100_000}}}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "paths": {
        "/pets": {
            "get": {"parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer"}}]},
            "post": {"requestBody": {"content": {"application/json": {"schema": NAME}, "application/zip": {}}}},
        }
    },
}
JSON = "Content-Type: application/json\r\n"


def mesh(behind: Backend, **more: Any) -> Mesh:
    policy = RequestValidation("urn:v", "shop.yaml", json.dumps(DOCUMENT), **more)
    return one_route(behind, validation=policy)


async def post(gateway: Running, body: str, fields: str = JSON) -> tuple[int, dict[str, Any]]:
    got = await ask(gateway, "/pets", fields, method="POST", body=body)
    return int(got.line.split()[1]), json.loads(got.body) if got.body.startswith(b"{") else {}


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_what_does_not_fit_never_reaches_the_backend(kind: str) -> None:
    async with backend(says(answer(b"ok"))) as behind:
        async with running(mesh(behind), kind=kind) as gateway:
            assert (await post(gateway, '{ "name" : "\\u0061", "more":1 }'))[0] == 200
            status, problem = await post(gateway, '{"name": ["hunter2"]}')
            other = await ask(gateway, "/pets", JSON, method="PUT")
            wrong = await ask(gateway, "/pets?limit=hunter2")
            typed = await ask(gateway, "/pets", "Content-Type: text/plain\r\n", method="POST", body="a")
            assert deeds(gateway, "urn:v")[:3] == (1, 4, 0)
            assert all("VAL" in line for line in gateway.log[1:])
    (seen,) = behind.requests
    assert seen.body == b'{ "name" : "\\u0061", "more":1 }'
    assert status == 422
    assert (problem["type"], problem["policy"]) == ("urn:agw:problem:invalid-body", "urn:v")
    assert problem["errors"] == [{"in": "body", "pointer": "#/name", "detail": "must be string"}]
    assert (other.line.split()[1], other.get("allow")) == ("405", "GET, POST")
    assert json.loads(wrong.body)["errors"] == [{"in": "query", "name": "limit", "detail": "must be integer"}]
    assert (typed.line.split()[1], typed.get("accept")) == ("415", "application/json, application/zip")
    for told in (json.dumps(problem), wrong.body.decode(), *gateway.log):
        assert "hunter2" not in told or "GET /pets?limit" in told or "/pets?limit" in told


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_a_body_in_pieces_is_waited_for_and_goes_on_as_it_came(kind: str) -> None:
    text = b'{"name": "' + b"x" * 90_000 + b'"}'
    async with backend(says(answer(b"ok"))) as behind:
        async with running(mesh(behind), kind=kind) as gateway:
            reader, writer = await gateway.connect()
            writer.write(
                b"POST /pets HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            for start in range(0, len(text), 9_000):
                assert behind.requests == []
                writer.write(b"%x\r\n%b\r\n" % (len(text[start : start + 9_000]), text[start : start + 9_000]))
                await writer.drain()
                await asyncio.sleep(0)
            writer.write(b"0\r\n\r\n")
            first = await read_answer(reader)
            writer.write(
                b'POST /pets HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"name"'
            )
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.write(b':"b"}')
            second = await read_answer(reader)
            writer.close()
    assert (first.line.split()[1], second.line.split()[1]) == ("200", "200")
    assert [request.body for request in behind.requests] == [text, b'{"name":"b"}']


async def test_a_body_that_is_too_large_is_refused_before_it_is_there() -> None:
    async with backend(says(answer(b"ok"))) as behind:
        async with running(mesh(behind, body_bytes=1000)) as gateway:
            reader, writer = await gateway.connect()
            writer.write(
                b"POST /pets HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1001\r\n\r\n"
            )
            stated = await read_answer(reader)
            writer.close()
            reader, writer = await gateway.connect()
            writer.write(
                b"POST /pets HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"3e9\r\n" + b"1" * 1001
            )
            counted = await read_answer(reader)
            writer.close()
            # What is not looked into is not bounded by this.
            status, _ = await post(gateway, "z" * 5000, "Content-Type: application/zip\r\n")
    for got in (stated, counted):
        assert (got.line.split()[1], json.loads(got.body)["type"]) == ("413", "urn:agw:problem:body-too-large")
    assert status == 200 and [len(request.body) for request in behind.requests] == [5000]


async def test_a_client_that_waits_to_be_told_to_go_on() -> None:
    async with backend(says(answer(b"ok"))) as behind:
        async with running(mesh(behind)) as gateway:
            reader, writer = await gateway.connect()
            writer.write(
                b"POST /pets HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 12\r\n\r\n"
            )
            interim = await read_head(reader)
            assert interim.line == "HTTP/1.1 100 Continue" and behind.requests == []
            writer.write(b'{"name":"b"}')
            got = await read_answer(reader)
            writer.write(
                b"POST /pets?a=%ff HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nExpect: 100-continue\r\nContent-Length: 12\r\n\r\n"
            )
            refused = await read_answer(reader)
            writer.close()
    assert got.line.split()[1] == "200" and behind.requests[0].get("expect") is None
    assert refused.line.split()[1] == "400"


async def test_a_mode_that_only_reports() -> None:
    async with backend(says(answer(b"ok"))) as behind:
        async with running(mesh(behind, enforcement=Enforcement.AUDIT)) as gateway:
            assert (await post(gateway, "{}"))[0] == 200
            assert (await post(gateway, '{"name":"a"}'))[0] == 200
            assert (await ask(gateway, "/elsewhere")).line.split()[1] == "200"
            assert deeds(gateway, "urn:v")[:3] == (1, 0, 2)
    assert [AUDIT_FLAG in line for line in gateway.log] == [True, False, True]
    assert "must have the member name" in gateway.log[0]
    assert len(behind.requests) == 3


async def test_clients_that_leave_or_break_their_body_take_nothing_with_them() -> None:
    async with backend(says(answer(b"ok"))) as behind:
        async with running(mesh(behind)) as gateway:
            _, writer = await gateway.connect()
            writer.write(
                b"POST /pets HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"
            )
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.transport.abort()
            reader, writer = await gateway.connect()
            writer.write(
                b"POST /pets HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
            )
            broken = await read_answer(reader)
            writer.close()
            assert (await post(gateway, '{"name":"a"}'))[0] == 200
    assert broken.line.split()[1] == "400" and len(behind.requests) == 1


async def test_a_request_that_was_looked_into_is_tried_again() -> None:
    async with backend(says(answer(b"", "503 X"), answer(b"ok"))) as behind:
        policy = RequestValidation("urn:v", "shop.yaml", json.dumps(DOCUMENT))
        retry = Retry("urn:r", 1, 0.01, statuses=(503,), retry_non_idempotent=True)
        async with running(one_route(behind, validation=policy, retry=retry)) as gateway:
            assert (await post(gateway, '{"name":"a"}'))[0] == 200
    assert [request.body for request in behind.requests] == [b'{"name":"a"}'] * 2


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
async def test_curl(version: str) -> None:
    async with backend(says(answer(b"ok"))) as behind:
        async with running(mesh(behind)) as gateway:
            said = []
            for body in ('{"name":"' + "y" * 70_000 + '"}', '{"name":1}'):
                process = await asyncio.create_subprocess_exec(
                    "curl", "-s", version, "-m", "60", "-H", "Content-Type: application/json", "--data-binary", "@-",
                    "-w", "%{http_code}", "-o", "/dev/null", f"http://127.0.0.1:{gateway.port}/pets",
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                )  # fmt: skip
                out, _ = await process.communicate(body.encode())
                said.append(out)
    assert said == [b"200", b"422"]
    assert [len(request.body) for request in behind.requests] == [70_011]


async def test_aiohttp_streams_a_body() -> None:
    async def pieces() -> Any:
        yield b'{"name":'
        await asyncio.sleep(0.01)
        yield b'"a"}'

    async with backend(says(answer(b"ok"))) as behind:
        async with running(mesh(behind)) as gateway:
            async with aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session:
                async with session.post(f"http://127.0.0.1:{gateway.port}/pets", data=pieces()) as got:
                    assert got.status == 200
    assert behind.requests[0].body == b'{"name":"a"}'
