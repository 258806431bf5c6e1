"""Clients that stay where they were, over real sockets."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import pytest

from api_gateway_service_mesh.model import Algorithm, Balancer, Mesh, Retry, SameSite, StickyCookie
from api_gateway_service_mesh.policies.health import HealthState
from api_gateway_service_mesh.policies.roster import EPOCH_SLOT
from tests.support.backend import Received, answer, backend, read_answer, says
from tests.support.gateway import Running, endpoint, mesh_of, raw, route, running, upstream

STICKY = Balancer("urn:test:balancer", Algorithm.ROUND_ROBIN, sticky=StickyCookie("at"))


async def ask(gateway: Running, cookie: str | None = None) -> Received:
    reader, writer = await gateway.connect()
    field = f"Cookie: a=1; {cookie}\r\n" if cookie else ""
    writer.write(f"GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n".encode())
    got = await read_answer(reader)
    writer.close()
    return got


def pair(got: Received) -> str:
    return (got.get("set-cookie") or "").partition(";")[0]


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_a_client_stays_and_others_go_round(kind: str) -> None:
    async with backend(says(answer(b"one"))) as one, backend(says(answer(b"two"))) as two:
        ends = upstream(endpoint(one.port, "one"), endpoint(two.port, "two"))
        async with running(mesh_of(route(balancer=STICKY), ends), kind=kind) as gateway:
            first = await ask(gateway)
            field = first.get("set-cookie") or ""
            assert re.fullmatch(r"at=[\w-]{16}; Path=/; HttpOnly; SameSite=Lax", field)
            for _ in range(4):
                again = await ask(gateway, pair(first))
                assert (again.body, again.get("set-cookie")) == (first.body, None)
            assert {(await ask(gateway)).body for _ in range(4)} == {b"one", b"two"}
            assert (await ask(gateway, "at=forged")).get("set-cookie")


async def test_the_session_outlives_changes_of_the_endpoints_and_ends_with_its_own() -> None:
    async with backend(says(answer(b"one"))) as one, backend(says(answer(b"two"))) as two:
        a, b = endpoint(one.port, "one"), endpoint(two.port, "two")
        async with running(mesh_of(route(balancer=STICKY), upstream(a, b))) as gateway:
            first = await ask(gateway)
            mine = (a, b)[first.body == b"two"]
            gateway.install(mesh_of(route(balancer=STICKY), upstream(endpoint(one.port, "new"), b, a)))
            assert (await ask(gateway, pair(first))).body == first.body
            view, slots = gateway.store.view, gateway.layout.slots
            view[slots["health", mine.iri]] = float(HealthState.UNHEALTHY)
            view[slots[EPOCH_SLOT]] += 1
            moved = await ask(gateway, pair(first))
            assert pair(moved) not in ("", pair(first))


async def test_a_retry_sets_the_cookie_of_who_answered() -> None:
    unlucky = Balancer("urn:test:balancer", Algorithm.ROUND_ROBIN, sticky=StickyCookie("at", same_site=SameSite.NONE))
    async with backend(says(answer(b"two"))) as two:
        down = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = down.sockets[0].getsockname()[1]
        down.close()
        await down.wait_closed()
        mesh = mesh_of(
            route(balancer=unlucky, retry=Retry("urn:test:retry", attempts=2, initial_delay_seconds=0.001)),
            upstream(endpoint(port, "one"), endpoint(two.port, "two")),
        )
        async with running(mesh) as gateway:
            first = await ask(gateway)
            assert (first.body, len(first.all("set-cookie"))) == (b"two", 1)
            assert (first.get("set-cookie") or "").endswith("SameSite=None; Secure")
            again = await ask(gateway, pair(first))
            assert (again.body, again.get("set-cookie")) == (b"two", None)


async def test_the_cookie_is_secure_where_a_trusted_proxy_ended_tls() -> None:
    async with backend(says(answer(b"one"))) as one, backend(says(answer(b"two"))) as two:
        ends = upstream(endpoint(one.port, "one"), endpoint(two.port, "two"))
        mesh = mesh_of(route(balancer=STICKY), ends, trusted_proxies=("127.0.0.0/8",))
        async with running(mesh) as gateway:
            got = await raw(
                gateway.port,
                b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n",
            )
    assert b"SameSite=Lax; Secure\r\n" in got


async def test_gateways_with_one_key_know_each_others_sessions(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AGW_TEST_STICKY", "kept by whoever runs them")
    async with backend(says(answer(b"one"))) as one, backend(says(answer(b"two"))) as two:
        ends = upstream(endpoint(one.port, "one"), endpoint(two.port, "two"))

        def mesh(reference: str) -> Mesh:
            return mesh_of(route(balancer=replace(STICKY, sticky=StickyCookie("at", key_ref=reference))), ends)

        async with running(mesh("env:AGW_TEST_STICKY")) as here, running(mesh("env:AGW_TEST_STICKY")) as there:
            first = await ask(here)
            for _ in range(3):
                again = await ask(there, pair(first))
                assert (again.body, again.get("set-cookie")) == (first.body, None)
        monkeypatch.delenv("AGW_TEST_STICKY")
        async with running(mesh("env:AGW_TEST_STICKY")) as alone:
            assert pair(await ask(alone, pair(first))) not in ("", pair(first))
    assert "known to this gateway alone" in caplog.text
    assert "kept by whoever" not in caplog.text
