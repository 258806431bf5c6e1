"""Faults on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

import pytest

from api_gateway_service_mesh.model import ConditionSource, Fault, RequestCondition, ValueKind
from api_gateway_service_mesh.policies import FAULT_RESET, FAULT_TRUNCATED
from tests.support.asking import ask, deeds, one_route
from tests.support.backend import answer, backend, read_head, says
from tests.support.gateway import running

ON = RequestCondition("urn:h", ConditionSource.HEADER, "x-chaos", ValueKind.PRESENT)


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_a_delay_then_an_abort_where_the_header_is_there(kind: str) -> None:
    fault = Fault("urn:f", 0.2, 100, 418, 100, (ON,))
    async with backend(says(answer(b"x"))) as behind, running(one_route(behind, faults=(fault,)), kind=kind) as gateway:
        assert (await ask(gateway)).body == b"x"
        began = time.monotonic()
        struck = await ask(gateway, fields="X-Chaos: 1\r\n")
        assert time.monotonic() - began >= 0.2
        counted = deeds(gateway, "urn:f")[:2]
    assert struck.line.startswith("HTTP/1.1 418 ")
    assert json.loads(struck.body)["type"] == "urn:agw:problem:fault-injected"
    assert json.loads(struck.body)["policy"] == "urn:f"
    assert counted == (1, 1)
    assert len(behind.requests) == 1
    assert "fault injection urn:f" in gateway.log[1]


async def test_two_delays_add_up_and_the_request_is_served() -> None:
    slow, slower = Fault("urn:f", 0.1), Fault("urn:g", 0.15)
    async with backend(says(answer(b"x"))) as behind:
        async with running(one_route(behind, faults=(slow, slower))) as gateway:
            began = time.monotonic()
            assert (await ask(gateway, method="POST", body="abc")).body == b"x"
            assert time.monotonic() - began >= 0.25
            assert behind.requests[0].body == b"abc"
    assert "held this back for 0.15 s" in gateway.log[0]


async def test_a_client_that_leaves_while_it_is_held_back_is_forgotten() -> None:
    async with backend(says(answer(b"x"))) as behind:
        async with running(one_route(behind, faults=(Fault("urn:f", 0.1),))) as gateway:
            _, writer = await gateway.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await writer.drain()
            writer.close()
            assert (await ask(gateway)).body == b"x"
    assert len(behind.requests) <= 2


async def test_a_share_of_nothing_strikes_nobody() -> None:
    fault = Fault("urn:f", None, 100, 503, 0.0)
    async with backend(says(answer(b"x"))) as behind, running(one_route(behind, faults=(fault,))) as gateway:
        assert {(await ask(gateway)).body for _ in range(10)} == {b"x"}


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_a_connection_is_reset_and_nothing_is_forwarded(kind: str) -> None:
    fault = Fault("urn:f", reset_percent=100.0, triggered_by=(ON,))
    async with backend(says(answer(b"x"))) as behind, running(one_route(behind, faults=(fault,)), kind=kind) as gateway:
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)) as broken:
            await ask(gateway, method="POST", body="abc", fields="X-Chaos: 1\r\n")
        if kind == "engine":
            assert isinstance(broken.value, ConnectionResetError), "RST, as of a process that died"
        assert (await ask(gateway)).body == b"x"
        counted = deeds(gateway, "urn:f")
    assert counted[FAULT_RESET] == 1
    assert [request.line for request in behind.requests] == ["GET / HTTP/1.1"]
    line = json.loads(gateway.log[0])
    assert (line["status"], line["refused_by"]) == (0, "urn:f")
    assert line["reason"] == "fault injection urn:f reset the connection"


@pytest.mark.parametrize("kind", ["engine", "app"])
@pytest.mark.parametrize("size", [10, 300_000])
async def test_an_answer_breaks_off_in_its_body(kind: str, size: int) -> None:
    fault = Fault("urn:f", truncate_percent=100.0, truncate_bytes=6, triggered_by=(ON,))
    async with backend(says(answer(b"y" * size))) as behind:
        async with running(one_route(behind, faults=(fault,)), kind=kind) as gateway:
            reader, writer = await gateway.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Chaos: 1\r\n\r\n")
            head = await read_head(reader)
            got = b""
            with contextlib.suppress(ConnectionError):
                while piece := await reader.read(65536):
                    got += piece
            writer.close()
            assert (await ask(gateway)).body == b"y" * size
            assert deeds(gateway, "urn:f")[FAULT_TRUNCATED] == 1
    assert head.line == "HTTP/1.1 200 OK"
    assert head.get("content-length") == str(size)
    assert got == b"y" * 6
    line = json.loads(gateway.log[0])
    assert (line["status"], line["bytes_out"]) == (200, 6)
    assert line["reason"] == "fault injection urn:f broke the answer off"


async def test_a_short_answer_goes_through_whole() -> None:
    fault = Fault("urn:f", truncate_percent=100.0, truncate_bytes=6)
    async with backend(says(answer(b"yyyyyy"))) as behind, running(one_route(behind, faults=(fault,))) as gateway:
        assert (await ask(gateway)).body == b"yyyyyy"
        assert (await ask(gateway, method="HEAD")).line == "HTTP/1.1 200 OK"
        assert deeds(gateway, "urn:f")[FAULT_TRUNCATED] == 0
