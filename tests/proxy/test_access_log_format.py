"""Lines that say what was chosen, of the requests that were chosen, where they were to go; on real sockets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api_gateway_service_mesh.model import ApiKey, Authentication, LogFormat, Mesh
from tests.support.asking import ask
from tests.support.backend import Backend, answer, backend, says
from tests.support.gateway import Running, endpoint, mesh_of, raw, route, running, upstream

EVERYTHING = (
    "time", "request_id", "client", "method", "host", "path", "status", "bytes_in", "bytes_out", "duration_ms",
    "policies_ms", "upstream_ms", "transfer_ms", "route", "pattern", "upstream", "endpoint", "revision", "attempts",
    "flags", "trace_id", "refused_by", "problem", "reason", "caller", "subject",
)  # fmt: skip
KEYS = Authentication("urn:test:route", api_keys=(ApiKey("urn:k", ("0" * 64,), header="x-partner"),))


def logged(behind: Backend, form: LogFormat | None, **more: Any) -> Mesh:
    return mesh_of(route(access_log=form, **more), upstream(endpoint(behind.port)))


async def lines(gateway: Running) -> list[str]:
    """What is in the log by now."""
    gateway.engine.core().write_lines()
    return list(gateway.log)


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_a_line_has_the_chosen_fields_in_their_order(kind: str) -> None:
    form = LogFormat("urn:log", EVERYTHING, ("referer", "user-agent", "x-none"))
    async with backend(says(answer(b"hello"))) as behind:
        async with running(logged(behind, form), kind=kind) as gateway:
            await ask(gateway, fields="User-Agent: t\x22\\\r\nReferer: http://a/b?token=1\r\n")
            (line,) = await lines(gateway)
    found = json.loads(line)
    assert tuple(found) == (*EVERYTHING, "headers")
    assert found["headers"] == {"referer": "http://a/b", "user-agent": 't"\\', "x-none": None}
    assert (found["status"], found["bytes_out"], found["route"], found["attempts"]) == (200, 5, "urn:test:route", 1)
    assert found["pattern"] == "/*"
    phases = found["policies_ms"] + found["upstream_ms"] + found["transfer_ms"]
    assert 0 < found["upstream_ms"] <= found["duration_ms"]
    assert abs(phases - found["duration_ms"]) < 0.01
    assert found["problem"] is found["trace_id"] is found["subject"] is None
    assert found["flags"] == []


async def test_what_was_never_sent_was_all_spent_on_policies() -> None:
    form = LogFormat("urn:log", ("status", "policies_ms", "upstream_ms", "problem", "caller"))
    async with backend(says(answer(b"hello"))) as behind:
        async with running(logged(behind, form, authentication=KEYS)) as gateway:
            await ask(gateway)
            (line,) = await lines(gateway)
    found = json.loads(line)
    assert found.pop("policies_ms") > 0
    assert found == {"status": 401, "upstream_ms": None, "problem": "authentication-required", "caller": None}


async def test_text_cannot_be_forged() -> None:
    form = LogFormat(
        "urn:log", template='{{{client}}} "{method} {path}" {status} {header:user-agent} {trace_id} {flags}'
    )
    async with backend(says(answer(b""))) as behind:
        async with running(logged(behind, form)) as gateway:
            await raw(
                gateway.port,
                b'GET /a?secret=1 HTTP/1.1\r\nHost: h\r\nUser-Agent: a" 500 \\ \xc3\xa9\tb\r\nConnection: close\r\n\r\n',
            )
            (line,) = await lines(gateway)
    assert line == '{127.0.0.1} "GET /a" 200 a\\x22 500 \\x5c \\xc3\\xa9\\x09b - -'


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "proxy-authorization",
        "cookie",
        "x-api-key",
        "x-auth-token",
        "x-partner",
        "x-amz-security-token",
    ],
)
async def test_of_credentials_only_their_being_there_is_told(name: str) -> None:
    form = LogFormat("urn:log", ("status",), (name,))
    async with backend(says(answer(b""))) as behind:
        async with running(logged(behind, form, authentication=KEYS)) as gateway:
            await ask(gateway, fields=f"{name}: hunter2\r\n")
            (line,) = await lines(gateway)
    assert json.loads(line)["headers"] == {name: "***"}


async def test_conditions_and_shares() -> None:
    wrong = LogFormat("urn:wrong", ("status", "path"), minimum_status=400, sample_percent=0.0)
    async with backend(says(answer(b""), answer(b"", "404 Not Found"), answer(b""))) as behind:
        async with running(logged(behind, wrong)) as gateway:
            for _ in range(3):
                await ask(gateway)
            assert [json.loads(line)["status"] for line in await lines(gateway)] == [404]
            gateway.log.clear()
            gateway.install(logged(behind, replace(wrong, minimum_status=None, slower_seconds=0.0)))
            await ask(gateway)
            assert len(await lines(gateway)) == 1
            draws = iter([0.4, 0.6, 0.1])
            gateway.engine.core().random = lambda: next(draws)
            gateway.install(logged(behind, replace(wrong, minimum_status=None, sample_percent=50.0)))
            gateway.log.clear()
            for _ in range(3):
                await ask(gateway)
            assert len(await lines(gateway)) == 2


async def test_routes_without_one_keep_the_standard_line_or_none() -> None:
    form = LogFormat("urn:log", ("status",))
    async with backend(says(answer(b""))) as behind:
        routes = (route("/a", "a", access_log=form), route("/b", "b"))
        mesh = mesh_of(routes, upstream(endpoint(behind.port)))
        async with running(mesh) as gateway:
            for path in ("/a", "/b", "/nowhere"):
                await ask(gateway, path)
            assert await lines(gateway) == ['{"status":200}']
            gateway.log.clear()
            gateway.install(replace(mesh, access_log=True), "2")
            for path in ("/a", "/b", "/nowhere"):
                await ask(gateway, path)
            found = [json.loads(line) for line in await lines(gateway)]
            assert [line.get("route", "own") for line in found] == ["own", "urn:test:b", None]
            gateway.log.clear()
            gateway.install(replace(mesh, log_format=LogFormat("urn:g", ("status", "route"))), "3")
            await ask(gateway, "/nowhere")
            assert await lines(gateway) == ['{"status":404,"route":null}']
            gateway.log.clear()
            gateway.install(replace(mesh, routes=tuple(replace(each, access_log=None) for each in mesh.routes)), "4")
            await ask(gateway, "/a")
            assert await lines(gateway) == []


async def test_lines_go_to_a_file_of_their_own_and_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "a.log"
    async with backend(says(answer(b""))) as behind:
        async with running(logged(behind, LogFormat("urn:log", ("status",), file=str(file)))) as gateway:
            await ask(gateway)
            await ask(gateway)
            assert gateway.log == []
            core = gateway.engine.core()
        assert file.read_text() == '{"status":200}\n' * 2
        assert core._lines_told == (2, 0)
