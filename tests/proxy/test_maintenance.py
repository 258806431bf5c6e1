"""Maintenance on real sockets."""

from __future__ import annotations

import json

import pytest

from api_gateway_service_mesh.model import ConditionSource, Maintenance, RequestCondition, ValueKind
from tests.support.asking import ask, deeds, one_route
from tests.support.backend import answer, backend, says
from tests.support.gateway import running

TESTER = RequestCondition("urn:h", ConditionSource.HEADER, "x-tester", ValueKind.EXACT, "yes")


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_callers_are_turned_away_and_testers_are_not(kind: str) -> None:
    mode = Maintenance("urn:m", "urn:g", message="Back at nine.", retry_after_seconds=90.5, bypassed_by=(TESTER,))
    async with (
        backend(says(answer(b"x"))) as behind,
        running(one_route(behind, maintenance=mode), kind=kind) as gateway,
    ):
        closed = await ask(gateway)
        served = await ask(gateway, fields="X-Tester: yes\r\n")
        counted = deeds(gateway, "urn:m")[:2]
    said = json.loads(closed.body)
    assert (closed.line, closed.get("retry-after")) == ("HTTP/1.1 503 Service Unavailable", "91")
    assert (said["type"], said["detail"], said["policy"]) == ("urn:agw:problem:maintenance", "Back at nine.", "urn:m")
    assert served.body == b"x"
    assert counted == (1, 1)
    assert '"refused_by":"urn:m"' in gateway.log[0]


@pytest.mark.parametrize(("block", "status"), [("127.0.0.0/8", "200"), ("10.0.0.0/8", "503")])
async def test_addresses_pass(block: str, status: str) -> None:
    mode = Maintenance("urn:m", "urn:g", bypass_addresses=(block,))
    async with backend(says(answer(b"x"))) as behind, running(one_route(behind, maintenance=mode)) as gateway:
        assert (await ask(gateway)).line.split()[1] == status


async def test_one_that_is_off_costs_nothing() -> None:
    mode = Maintenance("urn:m", "urn:g", enabled=False)
    async with backend(says(answer(b"x"))) as behind, running(one_route(behind, maintenance=mode)) as gateway:
        assert (await ask(gateway)).body == b"x"
        assert gateway.engine.core().generation.handlers[0].gates == ()  # type: ignore[union-attr]
