"""A cache that two gateways keep together in a real Redis: what one has fetched the other does not, and nothing that
Redis does makes a request fail or wait."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from api_gateway_service_mesh.model import Cache, RedisStore
from api_gateway_service_mesh.policies import read_events
from api_gateway_service_mesh.policies.cache_store import (
    STORE_FAILED,
    STORE_HIT,
    STORE_MISS,
    STORE_REFUSED,
    STORE_UNUSABLE,
    STORE_WRITTEN,
)
from api_gateway_service_mesh.policies.redis import read_store_state
from tests.support.asking import ask, one_route
from tests.support.backend import Conversation, Received, answer, backend
from tests.support.gateway import Running, running
from tests.support.redis_server import RedisServer, redis_server

FRESH = "Cache-Control: max-age=600\r\n"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


class Origin:
    """Answers each request with a number of its own."""

    def __init__(self, fields: str = FRESH, filling: bytes = b"") -> None:
        self.fields, self.filling = fields, filling
        self.asked: list[Received] = []

    async def __call__(self, received: Received, conversation: Conversation) -> None:
        self.asked.append(received)
        number = len(self.asked)
        if received.get("if-none-match") is not None:
            await conversation.send(f"HTTP/1.1 304 Not Modified\r\n{self.fields}\r\n".encode())
            return
        await conversation.send(answer(self.filling or b"answer %d" % number, fields=self.fields))


def policy(port: int, seconds: float = 15.0, **more: Any) -> Cache:
    return Cache("urn:c", store=RedisStore("urn:redis", "127.0.0.1", port, timeout_seconds=seconds), **more)


@asynccontextmanager
async def two(origin: Origin, cache: Cache) -> AsyncIterator[tuple[Running, Running]]:
    async with backend(origin) as behind:
        mesh = one_route(behind, cache=cache)
        async with running(mesh) as one, running(mesh) as other:
            yield one, other


def deeds(gateway: Running) -> tuple[int, ...]:
    return read_events(gateway.store.view, gateway.layout.slots["cache_store", "urn:c"], 1)


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    end = monotonic() + 20
    while True:
        found = holds()
        if found if isinstance(found, bool) else await found:
            return
        assert monotonic() < end, "this never came to hold"
        await asyncio.sleep(0.02)


async def written(gateway: Running, count: int) -> None:
    await until(lambda: deeds(gateway)[STORE_WRITTEN] >= count)


async def command(server: RedisServer, *words: str | bytes) -> Any:
    from redis.asyncio import Redis

    client = Redis(port=server.port)
    try:
        return await client.execute_command(*words)
    finally:
        await client.aclose()


async def values(server: RedisServer) -> list[bytes]:
    return [key for key in await command(server, "KEYS", "agw:cache:*") if key != b"agw:cache:purges"]


async def test_what_one_has_fetched_the_other_does_not(redis: RedisServer) -> None:
    origin = Origin(FRESH + 'ETag: "v1"\r\nSurrogate-Key: a b\r\nX-A: b\r\n')
    async with two(origin, policy(redis.port)) as (one, other):
        first = await ask(one, "/a?b=c")
        await written(one, 1)
        second, third = await ask(other, "/a?b=c"), await ask(other, "/a?b=c")
        part = await ask(other, "/a?b=c", "Range: bytes=0-2\r\n")
        known = await ask(other, "/a?b=c", 'If-None-Match: "v1"\r\n')
        assert deeds(one)[STORE_MISS] == 1
        assert deeds(other) == (1, 0, 0, 0, 0, 0, 0, 0)
        assert "agw:cache:" in str(await values(redis))
        (key,) = await values(redis)
        assert 0 < await command(redis, "PTTL", key) <= 600_000
    assert [got.body for got in (first, second, third, part, known)] == [b"answer 1"] * 3 + [b"ans", b""]
    assert [got.get("cache-status") for got in (first, second, third)] == [
        "agw; fwd=uri-miss; stored", "agw; hit; detail=redis", "agw; hit; detail=memory",
    ]  # fmt: skip
    assert (second.get("x-a"), second.get("surrogate-key"), known.line.split()[1]) == ("b", None, "304")
    assert second.get("age") is not None and second.get("date") == first.get("date")
    assert len(origin.asked) == 1


async def test_a_part_of_what_only_the_other_has(redis: RedisServer) -> None:
    origin = Origin()
    async with two(origin, policy(redis.port)) as (one, other):
        await ask(one)
        await written(one, 1)
        part = await ask(other, "/", "Range: bytes=0-2\r\n")
        head = await ask(other, "/", method="HEAD")
        alone = await ask(other, "/", "Cache-Control: only-if-cached\r\n")
    assert (part.line.split()[1], part.body, head.get("content-length"), alone.body) == (
        "206",
        b"ans",
        "8",
        b"answer 1",
    )
    assert len(origin.asked) == 1


async def test_what_varies_is_told_apart(redis: RedisServer) -> None:
    origin = Origin(FRESH + "Vary: Accept-Language\r\n")
    async with two(origin, policy(redis.port)) as (one, other):
        bodies = [(await ask(one, "/", f"Accept-Language: {word}\r\n")).body for word in ("de", "en")]
        await written(one, 4)
        again = [(await ask(other, "/", f"Accept-Language: {word}\r\n")).body for word in ("en", "de", "fr")]
        assert deeds(other)[STORE_HIT] == 2
    assert (bodies, again) == ([b"answer 1", b"answer 2"], [b"answer 2", b"answer 1", b"answer 3"])


async def test_a_crowd_looks_once(redis: RedisServer) -> None:
    origin = Origin()
    async with two(origin, policy(redis.port, collapse_seconds=15.0)) as (one, other):
        await ask(one)
        await written(one, 1)
        got = await asyncio.gather(*(ask(other) for _ in range(30)))
        assert {each.body for each in got} == {b"answer 1"}
        assert deeds(other)[STORE_HIT] == 1
    assert len(origin.asked) == 1


async def test_purges_and_changes_reach_the_other(redis: RedisServer) -> None:
    origin = Origin()
    async with two(origin, policy(redis.port)) as (one, other):
        assert (await ask(one)).body == b"answer 1"
        await written(one, 1)
        assert (await ask(other)).body == b"answer 1"
        assert (await ask(one, "/", method="POST", body="x")).line.split()[1] == "200"

        async def gone() -> bool:
            return (await ask(other)).body != b"answer 1"

        await until(gone)
        assert (await ask(one)).body != b"answer 1"


async def test_what_is_purged_while_nobody_listens_stays_purged(redis: RedisServer) -> None:
    """A gateway that starts later reads what was purged before; a log that was lost loses the answers."""
    origin = Origin()
    async with backend(origin) as behind:
        mesh = one_route(behind, cache=policy(redis.port))
        async with running(mesh) as one:
            await ask(one)
            await written(one, 1)
            (key,) = await values(redis)
            kept = await command(redis, "GET", key)
            await ask(one, "/", method="DELETE")

            async def logged() -> bool:
                return int(await command(redis, "XLEN", "agw:cache:purges")) == 2

            await until(logged)
            await command(redis, "SET", key, kept)
        async with running(mesh) as later:
            assert (await ask(later)).body != b"answer 1"
            await written(later, 1)
            fresh = (await ask(later)).body
        await command(redis, "DEL", "agw:cache:purges")
        async with running(mesh) as last:
            assert (await ask(last)).body != fresh


async def test_stale_answers_and_who_has_asked_already(redis: RedisServer) -> None:
    origin = Origin('Cache-Control: max-age=1, stale-while-revalidate=600\r\nETag: "v1"\r\n')
    async with two(origin, policy(redis.port)) as (one, other):
        await ask(one)
        await written(one, 1)
        assert (await ask(other)).body == b"answer 1"
        await asyncio.sleep(1.1)
        origin.fields = 'Cache-Control: max-age=600\r\nETag: "v1"\r\n'
        await ask(one)

        async def renewed(gateway: Running) -> bool:
            return (await ask(gateway)).get("cache-control") == "max-age=600"

        await until(lambda: renewed(one))
        await written(one, 2)
        asked = len(origin.asked)
        await ask(other)
        await until(lambda: renewed(other))
        assert len(origin.asked) == asked == 2, "what the first has asked again is there for the other"


@pytest.mark.parametrize("what", ["cut", "changed", "other program", "other version", "other key", "hash", "bomb"])
async def test_what_is_none_of_ours_is_a_miss(redis: RedisServer, what: str) -> None:
    origin = Origin()
    async with two(origin, policy(redis.port)) as (one, other):
        await ask(one)
        await written(one, 1)
        (key,) = await values(redis)
        held = await command(redis, "GET", key)
        await ask(one, "/other")
        await written(one, 2)
        (another,) = [each for each in await values(redis) if each != key]
        changed = held[:-1] + bytes([held[-1] ^ 1])
        planted = {
            "cut": held[:-3], "changed": changed, "other program": b'{"session": 7}',
            "other version": held.replace(b"agwc1", b"agwc0"), "other key": await command(redis, "GET", another),
            "bomb": b"agwc1\n" + bytes(20) + b"[" * 1000,
        }  # fmt: skip
        await command(redis, "DEL", key)
        if what == "hash":
            await command(redis, "HSET", key, "a", "b")
        else:
            await command(redis, "SET", key, planted[what])
        got = await ask(other)
        assert (got.line.split()[1], got.body) == ("200", b"answer 3")
        assert deeds(other)[STORE_FAILED if what == "hash" else STORE_UNUSABLE] == 1
        assert deeds(other)[STORE_HIT] == 0
        assert read_store_state(other.store.view, other.layout.slots["redis", "urn:redis"], 1) == "UP"


async def test_whoever_writes_there_breaks_no_framing(redis: RedisServer) -> None:
    """A value that is sealed as ours are, but whose lines would be an answer of their own."""
    origin = Origin()
    async with two(origin, policy(redis.port)) as (one, other):
        await ask(one)
        await written(one, 1)
        (key,) = await values(redis)
        held: bytes = await command(redis, "GET", key)
        for old, new in (
            (b"Content-Length: 8\r\n", b"Content-Length: 3\r\n"),
            (b"Content-Length: 8\r\n", b"X: y\r\n\r\nHTTP/1.1"),
            (b'"reason": "OK"', b'"reason": "\\n"'),
            (b'"status": 200', b'"status": 101'),
            (b'"lifetime": 600.0', b'"lifetime": 1e999'),
            (b'"taken": ', b'"taken":9'),
        ):
            sealed = held[22:].replace(old, new)
            assert sealed != held[22:]
            size = int.from_bytes(sealed[:4], "big") + (len(sealed) - len(held) + 22 if b"Content" not in old else 0)
            sealed = size.to_bytes(4, "big") + sealed[4:]
            digest = blake2b(key, digest_size=16)
            digest.update(b"\n" + sealed)
            await command(redis, "SET", key, held[:6] + digest.digest() + sealed)
            before = deeds(other)[STORE_UNUSABLE]
            assert (await ask(other, "/", "Cache-Control: only-if-cached\r\n")).line.split()[1] == "504", new
            assert deeds(other)[STORE_UNUSABLE] == before + 1, new


async def test_a_value_too_large_is_neither_written_nor_read(redis: RedisServer) -> None:
    origin = Origin(filling=b"x" * 5000)
    async with two(origin, policy(redis.port, object_bytes=6000)) as (one, other):
        await ask(one)
        await written(one, 1)
        (key,) = await values(redis)
        await command(redis, "APPEND", key, b"y" * 3_000_000)
        assert (await ask(other)).body == b"x" * 5000
        assert deeds(other)[STORE_UNUSABLE] == 1
    assert len(origin.asked) == 2


async def test_redis_goes_and_comes_back(redis: RedisServer) -> None:
    origin = Origin()
    async with two(origin, policy(redis.port)) as (one, other):
        await ask(one)
        await written(one, 1)
        redis.stop()
        got = [await ask(gateway, f"/{number}") for number in range(3) for gateway in (one, other)]
        assert [each.line.split()[1] for each in got] == ["200"] * 6
        assert (await ask(one)).get("cache-status") == "agw; hit; detail=memory"
        assert deeds(one)[STORE_FAILED] >= 3
        assert deeds(one)[STORE_REFUSED] >= 1
        slot = one.layout.slots["redis", "urn:redis"]
        assert read_store_state(one.store.view, slot, 1) == "AWAY"
        await ask(one, "/0", method="POST", body="x")  # nobody can be told yet
        redis.start()
        await until(lambda: read_store_state(one.store.view, slot, 1) == "UP")

        async def told() -> bool:
            return (await ask(other, "/0")).get("cache-status") != "agw; hit; detail=memory"

        await until(told)

        async def again() -> bool:
            fresh = f"/fresh-{len(origin.asked)}"
            await ask(one, fresh)
            return (await ask(other, fresh)).get("cache-status") == "agw; hit; detail=redis"

        await until(again)


async def test_redis_is_slow(redis: RedisServer) -> None:
    """A request waits no longer than the store's timeout: here it stands still for good."""
    origin = Origin()
    async with two(origin, policy(redis.port, seconds=0.2)) as (one, other):
        await ask(one)
        os.kill(redis.pid, signal.SIGSTOP)
        try:
            got = await asyncio.gather(*(ask(other, f"/{number}") for number in range(20)))
            assert [each.line.split()[1] for each in got] == ["200"] * 20
            assert deeds(other)[STORE_FAILED] == 20
        finally:
            os.kill(redis.pid, signal.SIGCONT)


async def test_redis_is_full(redis: RedisServer) -> None:
    origin = Origin()
    async with two(origin, policy(redis.port)) as (one, other):
        await ask(one)
        await written(one, 1)
        await command(redis, "CONFIG", "SET", "maxmemory", "1")
        assert (await ask(one, "/more")).line.split()[1] == "200"
        await until(lambda: deeds(one)[STORE_REFUSED] == 1)
        assert (await ask(other)).get("cache-status") == "agw; hit; detail=redis", "what is there can be read"
        assert read_store_state(one.store.view, one.layout.slots["redis", "urn:redis"], 1) == "UP"


async def test_another_policy_keeps_others(redis: RedisServer) -> None:
    """What was kept with its tags hidden is not what one gives that shows them."""
    origin = Origin(FRESH + "Surrogate-Key: a\r\n")
    async with backend(origin) as behind:
        shown = replace(policy(redis.port), hides_tags=False)
        async with (
            running(one_route(behind, cache=policy(redis.port))) as one,
            running(one_route(behind, cache=shown)) as other,
        ):
            await ask(one)
            await written(one, 1)
            assert (await ask(other)).get("surrogate-key") == "a"
