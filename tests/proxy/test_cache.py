"""The cache on real sockets: who gets what without the backend being asked, who waits for whom, what is forgotten."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import time
from dataclasses import replace

import pytest

from api_gateway_service_mesh.model import (
    ApiKey,
    Authentication,
    Cache,
    CachePurge,
    Compression,
    Cors,
    ResponseTransformation,
    SecurityHeaders,
)
from api_gateway_service_mesh.policies.cache_store import CacheMarks, read_cache
from tests.support.asking import ask, deeds, one_route
from tests.support.backend import Conversation, Received, answer, backend
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream
from tests.support.http2 import Client, fields_for

POLICY = Cache("urn:c")
FRESH = "Cache-Control: max-age=60\r\n"
HIT, MISS, STALE, REVALIDATED, STORED, EVICTED, COLLAPSED, PASSED = range(8)


class Origin:
    """Answers each request with a number of its own, and `fields`; counts what it was asked."""

    def __init__(self, fields: str = FRESH, body: bytes = b"", status: str = "200 OK") -> None:
        self.fields, self.status, self.filling = fields, status, body
        self.asked: list[Received] = []
        self.gate: asyncio.Event | None = None

    async def __call__(self, received: Received, conversation: Conversation) -> None:
        self.asked.append(received)
        number = len(self.asked)
        if self.gate is not None:
            await self.gate.wait()
        if received.get("if-none-match") is not None and received.get("if-none-match") in self.fields:
            await conversation.send(f"HTTP/1.1 304 Not Modified\r\n{self.fields}X-Said: {number}\r\n\r\n".encode())
            return
        body = self.filling or b"answer %d" % number
        made = answer(body, self.status, self.fields)
        await conversation.send(made.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if received.line[:4] == "HEAD" else made)


def held(gateway: Running) -> tuple[int, int]:
    return read_cache(gateway.store.view, gateway.layout.slots["cache", "urn:c"], 1)


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_the_second_time_the_backend_is_not_asked(kind: str) -> None:
    origin = Origin(FRESH + 'ETag: "v1"\r\nSurrogate-Key: a b\r\nX-A: b\r\n')
    async with backend(origin) as behind, running(one_route(behind, cache=POLICY), kind=kind) as gateway:
        first, second = await ask(gateway, "/a?b=c"), await ask(gateway, "/a?b=c")
        head = await ask(gateway, "/a?b=c", method="HEAD")
        same = await ask(gateway, "/%61?b=%63")
        known = await ask(gateway, "/a?b=c", 'If-None-Match: W/"v1"\r\n')
        other = await ask(gateway, "/a?b=d")
        assert deeds(gateway, "urn:c") == (4, 2, 0, 0, 2, 0, 0, 0)
        assert held(gateway)[0] == 2
        log = list(gateway.log)
    assert [got.body for got in (first, second, head, same, known, other)] == [
        b"answer 1", b"answer 1", b"", b"answer 1", b"", b"answer 2",
    ]  # fmt: skip
    assert (first.get("cache-status"), second.get("cache-status")) == ("agw; fwd=uri-miss; stored", "agw; hit")
    assert (second.get("age"), second.get("x-a"), second.get("surrogate-key")) == ("0", "b", None)
    assert first.get("surrogate-key") is None
    assert head.get("content-length") == "8"
    assert known.line.split()[1] == "304"
    assert (known.get("etag"), known.get("content-length"), known.get("cache-control")) == ('"v1"', None, "max-age=60")
    assert '"cache":"miss"' in log[0] and '"cache":"hit"' in log[1]
    assert len(origin.asked) == 2


async def test_over_http2() -> None:
    origin = Origin()
    async with backend(origin) as behind, running(one_route(behind, cache=POLICY)) as gateway:
        client = await Client.connect(gateway.port)
        bodies = [bytes((await client.fetch(fields_for())).body) for _ in range(3)]
        client.close()
        plain = await ask(gateway)
    assert bodies == [b"answer 1"] * 3
    assert plain.body == b"answer 1"


async def test_hosts_and_routes_and_keyed_fields_are_kept_apart() -> None:
    origin = Origin()
    async with backend(origin) as behind:
        policy = replace(POLICY, keyed_fields=("x-tenant",))
        routes = (route("/one", "one", cache=policy), route("/two", "two", cache=policy))
        async with running(mesh_of(routes, upstream(endpoint(behind.port)))) as gateway:
            asks = [("/one", ""), ("/two", ""), ("/one", "X-Tenant: a\r\n"), ("/one", "X-Tenant: b\r\n")]
            bodies = [(await ask(gateway, path, fields)).body for path, fields in asks * 2]
    assert bodies == [b"answer %d" % number for number in (1, 2, 3, 4)] * 2


@pytest.mark.parametrize(
    "field",
    ["X-Original-URL: /admin", "X-HTTP-Method-Override: DELETE", "X-Forwarded-Prefix: /evil", "Range: bytes=0-1,3-4"],
)
async def test_what_backends_may_answer_by_goes_past_the_cache(field: str) -> None:
    origin = Origin()
    async with backend(origin) as behind, running(one_route(behind, cache=POLICY)) as gateway:
        poisoned = await ask(gateway, "/", field + "\r\n")
        clean, again = await ask(gateway), await ask(gateway)
        assert deeds(gateway, "urn:c")[PASSED] == 1
    assert (poisoned.body, clean.body, again.body) == (b"answer 1", b"answer 2", b"answer 2")
    assert poisoned.get("cache-status") == "agw; fwd=bypass"


async def test_a_forwarded_host_of_a_client_reaches_nobody_else() -> None:
    origin = Origin()
    async with backend(origin) as behind:
        mesh = one_route(behind, cache=POLICY)
        for trusted in ((), ("127.0.0.0/8",)):
            async with running(replace(mesh, trusted_proxies=trusted)) as gateway:
                before = len(origin.asked)
                evil = await ask(gateway, "/", "X-Forwarded-Host: evil.example\r\n")
                clean = await ask(gateway, "/")
                assert origin.asked[before].get("x-forwarded-host") == ("evil.example" if trusted else "a.example")
            assert (evil.body == clean.body) is not bool(trusted)


async def test_callers_who_are_known_share_only_what_is_public() -> None:
    digest = hashlib.sha256(b"key").hexdigest()
    demand = Authentication("urn:r", api_keys=(ApiKey("urn:k", (digest,)),))
    for fields, shared in (
        (FRESH, False),
        ("Cache-Control: public, max-age=60\r\n", True),
        ("Cache-Control: s-maxage=60\r\n", True),
        ("Cache-Control: max-age=60, must-revalidate\r\n", True),
        ("Cache-Control: private, max-age=60\r\n", False),
    ):
        origin = Origin(fields)
        async with backend(origin) as behind:
            async with running(one_route(behind, cache=POLICY, authentication=demand)) as gateway:
                bodies = [(await ask(gateway, "/", "X-API-Key: key\r\n")).body for _ in range(2)]
                refused = await ask(gateway)
        assert (bodies == [b"answer 1", b"answer 1"]) is shared, fields
        assert refused.line.split()[1] == "401"


@pytest.mark.parametrize(
    "fields",
    [
        "",
        "Cache-Control: no-store\r\n",
        FRESH + "Set-Cookie: a=b\r\n",
        FRESH + "Vary: *\r\n",
        FRESH + "Content-Type: text/event-stream\r\n",
        "Cache-Control: max-age=0\r\n",
        "Expires: 0\r\n",
        "Expires: Tue, 01 Jan 2030 00:00:00 GMT\r\nExpires: Tue, 01 Jan 2030 00:00:00 GMT\r\n",
    ],
)
async def test_what_is_not_kept(fields: str) -> None:
    origin = Origin(fields)
    async with backend(origin) as behind, running(one_route(behind, cache=POLICY)) as gateway:
        bodies = [(await ask(gateway)).body for _ in range(2)]
        assert held(gateway) == (0, 0)
    assert bodies == [b"answer 1", b"answer 2"]


async def test_a_page_made_for_a_cookie_is_not_kept_by_its_validator_alone() -> None:
    origin = Origin("Last-Modified: Tue, 01 Jan 2019 00:00:00 GMT\r\n")
    policy = replace(POLICY, default_seconds=60.0, heuristic=True)
    async with backend(origin) as behind, running(one_route(behind, cache=policy)) as gateway:
        bodies = [(await ask(gateway, "/", fields)).body for fields in ("Cookie: a=b\r\n", "", "")]
    assert bodies == [b"answer 1", b"answer 2", b"answer 2"]


async def test_answers_that_vary() -> None:
    origin = Origin(FRESH + "Vary: Accept-Language\r\n")
    async with backend(origin) as behind, running(one_route(behind, cache=POLICY)) as gateway:
        asks = ["Accept-Language: de\r\n", "Accept-Language: en\r\n", "", "Accept-Language:  de\r\n"]
        bodies = [(await ask(gateway, "/", fields)).body for fields in asks * 2]
        missed = await ask(gateway, "/", "Accept-Language: fr\r\n")
        assert held(gateway)[0] == 4
    assert bodies == [b"answer %d" % number for number in (1, 2, 3, 1)] * 2
    assert missed.get("cache-status") == "agw; fwd=vary-miss; stored"


async def test_it_is_asked_whether_it_still_holds() -> None:
    origin = Origin('Cache-Control: no-cache\r\nETag: "v1"\r\n')
    async with backend(origin) as behind, running(one_route(behind, cache=POLICY)) as gateway:
        first, second = await ask(gateway), await ask(gateway)
        known = await ask(gateway, "/", 'If-None-Match: "v1"\r\n')
        origin.fields = 'Cache-Control: no-cache\r\nETag: "v2"\r\n'
        third = await ask(gateway, "/", 'If-None-Match: "v1"\r\n')
        assert deeds(gateway, "urn:c") == (0, 4, 0, 2, 4, 0, 0, 0)
    assert (first.body, second.body, third.body) == (b"answer 1", b"answer 1", b"answer 4")
    assert (second.get("x-said"), second.get("cache-status")) == ("2", "agw; fwd=stale; fwd-status=304")
    assert known.line.split()[1] == "304"
    assert [got.get("if-none-match") for got in origin.asked] == [None, '"v1"', '"v1"', '"v1"']


async def test_stale_while_it_is_fetched_anew() -> None:
    origin = Origin('Cache-Control: max-age=0, stale-while-revalidate=60\r\nETag: "v1"\r\n')
    async with backend(origin) as behind, running(one_route(behind, cache=POLICY)) as gateway:
        await ask(gateway)
        origin.fields = "Cache-Control: max-age=60\r\n"
        stale = await ask(gateway)
        async with asyncio.timeout(20):
            while (fresh := await ask(gateway)).body == b"answer 1":
                await asyncio.sleep(0.01)
        assert deeds(gateway, "urn:c")[STALE] >= 1
        requests = gateway.log
        assert all('"request_id"' in line for line in requests)
    assert (stale.body, fresh.body) == (b"answer 1", b"answer 2")
    assert fresh.get("cache-status") == "agw; hit"
    assert len(origin.asked) == 2


async def test_stale_when_the_backend_fails() -> None:
    origin = Origin("Cache-Control: max-age=0, stale-if-error=60\r\n")
    async with backend(origin) as behind:
        mesh = one_route(behind, cache=POLICY)
        async with running(mesh) as gateway:
            await ask(gateway)
            origin.status, origin.fields = "503 Service Unavailable", ""
            failing = await ask(gateway)
            # and when there is nobody any more
            mesh = replace(mesh, upstreams=(upstream(endpoint(1)),))
            gateway.install(mesh)
            gone = await ask(gateway)
            missing = await ask(gateway, "/other")
            assert deeds(gateway, "urn:c")[STALE] == 2
    assert (failing.line.split()[1], failing.body) == ("200", b"answer 1")
    assert failing.get("cache-status") == "agw; fwd=stale; fwd-status=503"
    assert (gone.line.split()[1], gone.body) == ("200", b"answer 1")
    assert missing.line.split()[1] == "502"


async def test_must_revalidate_is_never_stale() -> None:
    origin = Origin("Cache-Control: max-age=0, must-revalidate, stale-if-error=60\r\nLast-Modified: x\r\n")
    policy = replace(POLICY, stale_error_seconds=60.0, stale_while_seconds=60.0)
    async with backend(origin) as behind, running(one_route(behind, cache=policy)) as gateway:
        await ask(gateway)
        origin.status = "503 Service Unavailable"
        assert (await ask(gateway)).line.split()[1] == "503"


async def test_only_if_cached() -> None:
    origin = Origin()
    async with backend(origin) as behind, running(one_route(behind, cache=POLICY)) as gateway:
        nothing = await ask(gateway, "/", "Cache-Control: only-if-cached\r\n")
        await ask(gateway)
        there = await ask(gateway, "/", "Cache-Control: only-if-cached\r\n")
    assert nothing.line.split()[1] == "504"
    assert b"urn:agw:problem:not-cached" in nothing.body
    assert there.body == b"answer 1"
    assert len(origin.asked) == 1


@pytest.mark.parametrize(
    ("asked", "status", "body", "told"),
    [
        ("bytes=0-3", "206", b"answ", "bytes 0-3/8"),
        ("bytes=7-", "206", b"1", "bytes 7-7/8"),
        ("bytes=-3", "206", b"r 1", "bytes 5-7/8"),
        ("bytes=-99", "206", b"answer 1", "bytes 0-7/8"),
        ("bytes=2-99", "206", b"swer 1", "bytes 2-7/8"),
        ("bytes=8-", "200", b"answer 1", None),
        ("bytes=0-1,3-4", "200", b"answer 2", None),
        ("lines=0-1", "200", b"answer 2", None),
        ("bytes=3-1", "200", b"answer 2", None),
    ],
)
async def test_parts_are_cut_from_what_is_there_whole(asked: str, status: str, body: bytes, told: str | None) -> None:
    origin = Origin(FRESH + 'ETag: "v1"\r\nContent-Digest: sha-256=:x:\r\n')
    async with backend(origin) as behind, running(one_route(behind, cache=POLICY)) as gateway:
        nothing = await ask(gateway, "/other", f"Range: {asked}\r\n")
        origin.asked.clear()
        await ask(gateway)
        got = await ask(gateway, "/", f"Range: {asked}\r\n")
        known = await ask(gateway, "/", f'Range: {asked}\r\nIf-None-Match: "v1"\r\n')
        uncertain = await ask(gateway, "/", f'Range: {asked}\r\nIf-Range: "v1"\r\n')
    assert (got.line.split()[1], got.body, got.get("content-range")) == (status, body, told)
    assert got.get("content-length") == str(len(body))
    assert (got.get("content-digest") is None) is (status == "206")
    assert known.line.split()[1] == "304"
    assert nothing.get("cache-status") == uncertain.get("cache-status") == "agw; fwd=bypass"


async def test_clients_that_are_not_heeded() -> None:
    for heeds, asked in ((True, 3), (False, 1)):
        origin = Origin()
        policy = replace(POLICY, heeds_requests=heeds)
        async with backend(origin) as behind, running(one_route(behind, cache=policy)) as gateway:
            for fields in ("", "Cache-Control: no-cache\r\n", "Pragma: no-cache\r\n"):
                await ask(gateway, "/", fields)
        assert len(origin.asked) == asked


# -- who waits for whom


async def test_of_many_who_ask_at_once_one_fetches() -> None:
    origin = Origin()
    origin.gate = asyncio.Event()
    async with backend(origin) as behind, running(one_route(behind, cache=POLICY)) as gateway:
        asking = [asyncio.create_task(ask(gateway)) for _ in range(20)]
        async with asyncio.timeout(20):
            while not origin.asked:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        origin.gate.set()
        got = await asyncio.gather(*asking)
        assert deeds(gateway, "urn:c")[COLLAPSED] == sum(
            one.get("cache-status") == "agw; fwd=uri-miss; collapsed" for one in got
        )
    assert {one.body for one in got} == {b"answer 1"}
    assert len(origin.asked) == 1


async def test_what_cannot_be_kept_lets_all_go() -> None:
    origin = Origin("Cache-Control: no-store\r\n")
    origin.gate = asyncio.Event()
    async with backend(origin) as behind, running(one_route(behind, cache=POLICY)) as gateway:
        asking = [asyncio.create_task(ask(gateway)) for _ in range(5)]
        async with asyncio.timeout(20):
            while not origin.asked:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        origin.gate.set()
        bodies = sorted((await asyncio.gather(*asking)), key=lambda one: one.body)
        # from now on nobody waits for these
        origin.gate = asyncio.Event()
        asking = [asyncio.create_task(ask(gateway)) for _ in range(3)]
        async with asyncio.timeout(20):
            while len(origin.asked) < 8:
                await asyncio.sleep(0.01)
        origin.gate.set()
        await asyncio.gather(*asking)
    assert [one.body for one in bodies] == [b"answer %d" % number for number in range(1, 6)]


async def test_nobody_waits_longer_than_the_policy_says() -> None:
    origin = Origin()
    origin.gate = asyncio.Event()
    policy = replace(POLICY, collapse_seconds=0.1)
    async with backend(origin) as behind, running(one_route(behind, cache=policy)) as gateway:
        asking = [asyncio.create_task(ask(gateway)) for _ in range(3)]
        async with asyncio.timeout(20):
            while len(origin.asked) < 3:
                await asyncio.sleep(0.01)
        origin.gate.set()
        got = await asyncio.gather(*asking)
    assert {one.line.split()[1] for one in got} == {"200"}


async def test_when_who_fetches_leaves_another_does() -> None:
    origin = Origin()
    origin.gate = asyncio.Event()
    async with backend(origin) as behind, running(one_route(behind, cache=POLICY)) as gateway:
        _, writer = await gateway.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        async with asyncio.timeout(20):
            while not origin.asked:
                await asyncio.sleep(0.01)
            asking = [asyncio.create_task(ask(gateway)) for _ in range(3)]
            await asyncio.sleep(0.1)
            writer.transport.abort()
            while len(origin.asked) < 2:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
        assert len(origin.asked) == 2
        origin.gate.set()
        got = await asyncio.gather(*asking)
    assert {one.body for one in got} == {b"answer 2"}


async def test_a_stream_goes_on_piece_by_piece_and_is_kept_when_whole() -> None:
    pieces, seen = asyncio.Event(), 0

    async def script(received: Received, conversation: Conversation) -> None:
        nonlocal seen
        seen += 1
        head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
        await conversation.send(head.encode())
        await pieces.wait()
        await conversation.send(b"4\r\nlast\r\n0\r\n\r\n")

    async with backend(script) as behind, running(one_route(behind, cache=POLICY)) as gateway:
        reader, writer = await gateway.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        async with asyncio.timeout(20):
            await reader.readuntil(b"first")
            waiting = asyncio.create_task(ask(gateway))
            await asyncio.sleep(0.05)
            pieces.set()
            await reader.readuntil(b"0\r\n\r\n")
            follower = await waiting
        writer.close()
        later = await ask(gateway)
    assert (follower.body, later.body, seen) == (b"firstlast", b"firstlast", 1)
    assert later.get("content-length") == "9"


async def test_an_answer_that_breaks_off_is_not_kept() -> None:
    seen = 0

    async def script(received: Received, conversation: Conversation) -> None:
        nonlocal seen
        seen += 1
        await conversation.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nhalf")
        conversation.reset()

    async with backend(script) as behind, running(one_route(behind, cache=POLICY)) as gateway:
        for _ in range(2):
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await ask(gateway)
        assert held(gateway) == (0, 0)
    assert seen == 2


async def test_large_answers_go_through_and_old_ones_make_room() -> None:
    origin = Origin(body=b"x" * 40_000)
    policy = replace(POLICY, maximum_bytes=100_000, object_bytes=50_000)
    async with backend(origin) as behind, running(one_route(behind, cache=policy)) as gateway:
        for path in ("/1", "/2", "/1", "/3", "/1"):
            assert len((await ask(gateway, path)).body) == 40_000
        assert len(origin.asked) == 3  # /2 made room
        assert held(gateway)[0] == 2
        assert held(gateway)[1] <= 100_000
        origin.filling = b"x" * 60_000
        for _ in range(2):
            assert len((await ask(gateway, "/4")).body) == 60_000
        assert len(origin.asked) == 5
        assert deeds(gateway, "urn:c")[EVICTED] == 1


# -- what is forgotten


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_who_changes_something_has_it_forgotten(method: str) -> None:
    origin = Origin(FRESH + "Location: /b\r\nContent-Location: http://other.example/c\r\n")
    async with backend(origin) as behind, running(one_route(behind, cache=POLICY)) as gateway:
        for path in ("/a", "/b", "/c"):
            await ask(gateway, path)
        origin.status = "404 Not Found"
        await ask(gateway, "/a", method=method, body="x")
        kept = (await ask(gateway, "/a")).body
        origin.status = "200 OK"
        await ask(gateway, "/a", method=method, body="x")
        bodies = [(await ask(gateway, path)).body for path in ("/a", "/b", "/c")]
    assert kept == b"answer 1"
    assert bodies == [b"answer 6", b"answer 7", b"answer 3"]


async def test_what_was_under_way_while_it_was_purged_is_not_used() -> None:
    origin = Origin(FRESH + "Cache-Tag: one, two\r\n")
    async with backend(origin) as behind, running(one_route(behind, cache=POLICY)) as gateway:
        marks = CacheMarks(gateway.store.view, gateway.layout.slots["cache_marks", "urn:c"])
        origin.gate = asyncio.Event()
        asking = asyncio.create_task(ask(gateway))
        async with asyncio.timeout(20):
            while not origin.asked:
                await asyncio.sleep(0.01)
        marks.purge_tag(b"two", time.monotonic())
        origin.gate.set()
        await asking
        assert (await ask(gateway)).body == b"answer 2"
        assert (await ask(gateway)).body == b"answer 2"
        marks.purge_url(b"http://a.example/", time.monotonic())
        assert (await ask(gateway)).body == b"answer 3"
        marks.purge_all(time.monotonic())
        assert (await ask(gateway)).body == b"answer 4"


async def test_it_lives_over_a_reload_until_the_configuration_purges_it() -> None:
    origin = Origin(FRESH + "Cache-Tag: one\r\n")
    async with backend(origin) as behind:
        mesh = one_route(behind, cache=POLICY)
        async with running(mesh) as gateway:
            await ask(gateway)
            gateway.install(mesh)
            assert (await ask(gateway)).body == b"answer 1"
            for number, purge in enumerate(
                (
                    CachePurge("urn:p1", 0.0, tag="one"),
                    CachePurge("urn:p2", 0.0, url="HTTP://A.example:80/"),
                    CachePurge("urn:p3", 0.0),
                ),
                2,
            ):
                purge = replace(purge, before=time.time())
                gateway.install(one_route(behind, cache=replace(POLICY, purges=(purge,))))
                assert (await ask(gateway)).body == b"answer %d" % number
                assert (await ask(gateway)).body == b"answer %d" % number
            gateway.install(one_route(behind))
            gateway.install(mesh)
            assert (await ask(gateway)).body == b"answer 5"


# -- other stages


async def test_what_other_stages_say_is_not_kept_and_said_of_hits_too() -> None:
    origin = Origin(FRESH + "Content-Type: text/plain\r\n", body=b"text " * 1000)
    policies = {
        "cache": POLICY,
        "compression": Compression("urn:z", minimum_bytes=10),
        "cors": Cors("urn:o", ("https://a.example", "https://b.example"), credentials=True),
        "security_headers": SecurityHeaders("urn:h"),
        "response_transformation": ResponseTransformation("urn:t", sets=(("X-Set", "yes"),)),
    }
    async with backend(origin) as behind, running(one_route(behind, **policies)) as gateway:
        one = await ask(gateway, "/", "Origin: https://a.example\r\nAccept-Encoding: gzip\r\n")
        two = await ask(gateway, "/", "Origin: https://b.example\r\n")
        three = await ask(gateway, "/", "Origin: https://b.example\r\nAccept-Encoding: gzip\r\n")
    assert len(origin.asked) == 1
    assert [got.get("access-control-allow-origin") for got in (one, two, three)] == [
        "https://a.example", "https://b.example", "https://b.example",
    ]  # fmt: skip
    assert [got.get("content-encoding") for got in (one, two, three)] == ["gzip", None, "gzip"]
    assert gzip.decompress(one.body) == gzip.decompress(three.body) == two.body == b"text " * 1000
    for got in (one, two, three):
        assert got.get("x-set") == "yes"
        assert got.get("x-content-type-options") == "nosniff"
        assert "Accept-Encoding" in got.all("vary")
