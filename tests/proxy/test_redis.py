"""Limits that two gateways count together, in a real Redis."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic, time
from zoneinfo import ZoneInfo

import pytest

from api_gateway_service_mesh.model import (
    CalendarUnit,
    FailureMode,
    KeyKind,
    LimitAlgorithm,
    RateLimit,
    RedisStore,
    RequestKey,
)
from api_gateway_service_mesh.policies import read_rate_limit
from api_gateway_service_mesh.policies.calendar_window import window_at
from api_gateway_service_mesh.policies.redis import read_store_state
from api_gateway_service_mesh.proxy.redis import SharedStore, Verdict
from api_gateway_service_mesh.proxy.redis_script import script_arguments, script_key
from tests.support.backend import answer, backend, read_answer, says
from tests.support.certs import new_authority
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream
from tests.support.redis_server import RedisServer, redis_server

TENANT = (RequestKey(KeyKind.HEADER, "x-tenant"),)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


def limit_in(server: RedisServer, algorithm: LimitAlgorithm, burst: int, period: float, **more: object) -> RateLimit:
    store = RedisStore("urn:redis", "127.0.0.1", server.port, timeout_seconds=15.0)
    values: dict[str, object] = {"keys": TENANT, "algorithm": algorithm, "period_seconds": period, "store": store}
    return RateLimit("urn:limit", burst / period, burst, **{**values, **more})  # type: ignore[arg-type]


@asynccontextmanager
async def two_gateways(limit: RateLimit) -> AsyncIterator[tuple[Running, Running]]:
    async with backend(says(answer(b"x"))) as behind:
        mesh = mesh_of(route(rate_limits=(limit,)), upstream(endpoint(behind.port)), access_log=True)
        async with running(mesh) as one, running(mesh) as other:
            yield one, other


async def ask(gateway: Running, times: int, tenant: bytes = b"a") -> list[str]:
    reader, writer = await gateway.connect()
    statuses = []
    for _ in range(times):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Tenant: %b\r\n\r\n" % tenant)
        statuses.append((await read_answer(reader)).line.split()[1])
    writer.close()
    return statuses


@pytest.mark.parametrize("algorithm", list(LimitAlgorithm))
async def test_two_gateways_admit_the_limit_together(redis: RedisServer, algorithm: LimitAlgorithm) -> None:
    limit = limit_in(redis, algorithm, 40, 600.0, quota=True)
    async with two_gateways(limit) as (one, other):
        got = await asyncio.gather(*(ask(gateway, 10) for gateway in (one, other) for _ in range(5)))
        assert sum(statuses.count("200") for statuses in got) == 40
        assert sum(statuses.count("429") for statuses in got) == 60
        assert await ask(one, 1, b"b") == ["200"], "another tenant has a window of its own"
        slot = one.layout.slots["redis", "urn:redis"]
        assert read_store_state(one.store.view, slot, 1) == "UP"


async def test_what_is_asked_at_once_goes_out_at_once(redis: RedisServer) -> None:
    limit = limit_in(redis, LimitAlgorithm.TOKEN_BUCKET, 1000, 1000.0)
    assert limit.store is not None
    loop = asyncio.get_running_loop()
    states: list[float] = []
    store = SharedStore(limit.store, loop, states.append, lambda: 0.5)
    verdicts: list[Verdict | None] = []
    done = asyncio.Event()

    def told(verdict: Verdict | None) -> None:
        verdicts.append(verdict)
        if len(verdicts) == 200:
            done.set()

    for _ in range(200):
        assert store.ask(script_key(limit, 5), script_arguments(limit, 2), told)
    await asyncio.wait_for(done.wait(), 10)
    assert [verdict.wait for verdict in verdicts if verdict is not None] == [0.0] * 200
    assert min(verdict.remaining for verdict in verdicts if verdict is not None) in range(600, 602)
    assert store.batches <= 2
    store.close()
    await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("mode", "statuses"), [("LOCAL", ["200"] * 3 + ["429"]), ("OPEN", ["200"] * 4), ("CLOSED", ["503"] * 4)]
)
async def test_redis_is_killed(redis: RedisServer, mode: str, statuses: list[str]) -> None:
    limit = limit_in(redis, LimitAlgorithm.FIXED_WINDOW, 3, 600.0, quota=True, failure_mode=FailureMode(mode))
    async with two_gateways(limit) as (one, _):
        assert await ask(one, 4) == ["200", "200", "200", "429"]
        redis.stop()
        before = monotonic()
        assert await ask(one, 4, b"b") == statuses
        assert monotonic() - before < 20
        slot = one.layout.slots["redis", "urn:redis"]
        assert read_store_state(one.store.view, slot, 1) == "AWAY"
        assert read_rate_limit(one.store.view, one.layout.slots["rate_limit_count", limit.iri], 1).fallbacks == 4
        if mode == "CLOSED":
            line = json.loads(one.log[-1])
            assert line["refused_by"] == limit.iri
            assert "does not answer" in line["reason"]
        redis.start()
        end = monotonic() + 15
        while read_store_state(one.store.view, slot, 1) != "UP":
            assert monotonic() < end
            await asyncio.sleep(0.05)
        assert await ask(one, 4, b"c") == ["200", "200", "200", "429"]


async def test_a_flood_over_the_limit_does_not_reach_redis(redis: RedisServer) -> None:
    limit = limit_in(redis, LimitAlgorithm.FIXED_WINDOW, 2, 600.0, quota=True, fields=True)
    async with two_gateways(limit) as (one, _):
        reader, writer = await one.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Tenant: a\r\n\r\n")
        got = await read_answer(reader)
        assert got.get("ratelimit") is not None
        assert str(got.get("ratelimit")).startswith('"default";r=1;t=')
        await ask(one, 3)
        store = one.engine.core().stores.of(limit.store)  # type: ignore[arg-type]
        before = store.batches
        assert await ask(one, 50) == ["429"] * 50
        assert store.batches == before
        writer.close()


async def test_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGW_TEST_PASSWORD", "opensesame")
    with redis_server(tmp_path, "--requirepass", "opensesame") as server:
        for reference, state in (("env:AGW_TEST_PASSWORD", "UP"), (None, "AWAY")):
            limit = limit_in(server, LimitAlgorithm.TOKEN_BUCKET, 5, 5.0)
            store = RedisStore("urn:redis", "127.0.0.1", server.port, password_ref=reference, timeout_seconds=15.0)
            async with two_gateways(RateLimit(limit.iri, 1.0, 5, store=store)) as (one, _):
                assert await ask(one, 1) == ["200"]
                assert read_store_state(one.store.view, one.layout.slots["redis", "urn:redis"], 1) == state
                assert "opensesame" not in "".join(map(str, one.log))


async def test_tls_with_an_authority_of_its_own(tmp_path: Path) -> None:
    issued = new_authority(tmp_path, "ours").issue("redis", names=("localhost",))
    stranger = new_authority(tmp_path, "theirs").issue("other", names=("localhost",))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--tls-port", str(port), "--tls-auth-clients", "no", "--tls-ca-cert-file", str(issued.trust_bundle_file)]
    options += ["--tls-cert-file", str(issued.certificate_file), "--tls-key-file", str(issued.key_file)]
    with redis_server(tmp_path, *options):
        for trusted, state in ((issued, "UP"), (stranger, "AWAY")):
            bundle = str(trusted.trust_bundle_file)
            store = RedisStore("urn:redis", "localhost", port, tls=True, trust_bundle_file=bundle, timeout_seconds=15.0)
            async with two_gateways(RateLimit("urn:limit", 1.0, 5, store=store)) as (one, _):
                assert await ask(one, 1) == ["200"]
                assert read_store_state(one.store.view, one.layout.slots["redis", "urn:redis"], 1) == state


async def verdict_of(
    store: SharedStore, limit: RateLimit, cost: int, *, charge: bool = False, wall: float = 0.0
) -> Verdict:
    done: asyncio.Future[Verdict | None] = asyncio.get_running_loop().create_future()
    assert store.ask(script_key(limit, 5), script_arguments(limit, cost, wall, charge=charge), done.set_result)
    verdict = await asyncio.wait_for(done, 20)
    assert verdict is not None
    return verdict


@pytest.mark.parametrize("algorithm", list(LimitAlgorithm))
async def test_what_an_answer_cost_is_owed_in_the_store(redis: RedisServer, algorithm: LimitAlgorithm) -> None:
    limit = limit_in(redis, algorithm, 10, 1000.0, quota=True, answer_cost_field="x-cost", maximum_cost=20)
    assert limit.store is not None
    store = SharedStore(limit.store, asyncio.get_running_loop(), lambda state: None, lambda: 0.5)
    assert (await verdict_of(store, limit, 1)).remaining == 9
    for _ in range(9):
        charged = await verdict_of(store, limit, 15, charge=True)
        assert (charged.wait, charged.remaining) == (0.0, 0)
    refused = await verdict_of(store, limit, 1)
    assert (refused.wait > 0, refused.remaining) == (True, 0)
    if algorithm is LimitAlgorithm.TOKEN_BUCKET:
        assert 1990 <= refused.wait <= 2100.1, "twenty are owed at the most, at one in a hundred seconds"
    store.close()
    await asyncio.sleep(0.05)


async def test_gateways_whose_clocks_differ_count_in_the_same_month(redis: RedisServer) -> None:
    """The store's clock says which month it is; a gateway only says when months begin."""
    limit = limit_in(redis, LimitAlgorithm.FIXED_WINDOW, 5, 2592000.0, quota=True, calendar=CalendarUnit.MONTH)
    assert limit.store is not None
    store = SharedStore(limit.store, asyncio.get_running_loop(), lambda state: None, lambda: 0.5)
    now = time()
    right = window_at(CalendarUnit.MONTH, ZoneInfo("UTC"), now)[1] - now
    day = 86400
    for ahead, left in ((0.0, 4), (31 * day, 3), (-20 * day, 2), (-3650 * day, None)):
        verdict = await verdict_of(store, limit, 1, wall=now + ahead)
        if left is not None and right > 60:
            assert verdict.remaining == left
            assert right - 60 <= verdict.reset <= right + 1
        assert 0 < verdict.reset <= 31 * day
    store.close()
    await asyncio.sleep(0.05)
