"""Keys fetched from real servers that fail in every way, by a clock moved by hand."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web

from api_gateway_service_mesh.security import jwks
from api_gateway_service_mesh.security.jwks import MAX_AGE_SECONDS, UNKNOWN_KID_SECONDS, KeySource
from tests.support.tokens import KeyServer, key_server, signer

ONE, TWO = signer("RS256", "one"), signer("ES256", "two")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def fetched(source: KeySource) -> None:
    """Until the fetch under way is over."""
    over = asyncio.Event()
    source.wait(over.set)
    await asyncio.wait_for(over.wait(), 10)


async def started(uri: str, clock: Clock, **more: float) -> KeySource:
    source = KeySource(uri, asyncio.get_running_loop(), clock=clock, **more)
    source.start()
    await fetched(source)
    return source


def kids(source: KeySource) -> list[str | None]:
    ring = source.keys()
    return [] if ring is None else [key.kid for key in ring.keys]


async def test_one_fetch_serves_all_who_wait() -> None:
    async with key_server(ONE) as server:
        source = KeySource(server.url, asyncio.get_running_loop(), clock=Clock())
        assert source.keys() is None
        called: list[int] = []
        source.start()
        for number in range(50):
            assert source.want()
            source.wait(lambda number=number: called.append(number))  # type: ignore[misc]
        await fetched(source)
        assert called == list(range(50))
        assert server.asked == 1
        assert (kids(source), source.revision) == (["one"], 1)
        source.close()


async def test_an_unknown_kid_fetches_at_most_once_in_thirty_seconds() -> None:
    clock = Clock()
    async with key_server(ONE) as server:
        source = await started(server.url, clock)
        assert source.want()
        await fetched(source)
        for _ in range(100):
            assert not source.want()
        clock.now += UNKNOWN_KID_SECONDS - 0.1
        assert not source.want()
        clock.now += 0.2
        server.keys.append(TWO.jwk())
        assert source.want()
        await fetched(source)
        assert (kids(source), source.revision, server.asked) == (["one", "two"], 2, 3)
        source.close()


async def _fault(kind: str, server: KeyServer) -> None:
    async def fail(request: web.Request) -> web.StreamResponse:
        if kind == "hangs":
            await asyncio.sleep(3600)
        if kind == "trickles":
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.01)
        if kind == "cut":
            response = web.StreamResponse(headers={"Content-Length": "1000"})
            await response.prepare(request)
            await response.write(b'{"keys": [')
            assert request.transport
            request.transport.abort()
            return response
        document = json.dumps({"keys": server.keys})
        return {
            "500": web.Response(status=500, text=document),
            "204": web.Response(status=204),
            "301": web.Response(status=301, headers={"Location": server.url + "2"}, text=document),
            "empty": web.Response(),
            "HTML": web.Response(text="<html>", content_type="text/html"),
            "65 kB": web.Response(text=document + " " * 65536),
            "10 MB": web.Response(body=document.encode() + b" " * 10_000_000),
            "no keys": web.json_response({"keys": []}),
            "weak keys": web.json_response({"keys": [signer("RS256", "weak", 1024).jwk()]}),
            "secrets": web.json_response({"keys": [{"kty": "oct", "k": "AAAA", "kid": "one"}]}),
            "gzip": web.Response(text=document, headers={"Content-Encoding": "gzip"}),
        }[kind]

    server.answers = fail


FAULTS = [
    "500",
    "204",
    "301",
    "empty",
    "HTML",
    "65 kB",
    "10 MB",
    "no keys",
    "weak keys",
    "secrets",
    "gzip",
    "cut",
    "hangs",
    "trickles",
]


@pytest.mark.parametrize("kind", FAULTS)
async def test_old_keys_live_on_while_the_issuer_fails_but_not_for_ever(
    kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(jwks, "FETCH_SECONDS", 0.3)
    clock = Clock()
    async with key_server(ONE) as server:
        source = await started(server.url + "?secret=hunter2", clock)
        assert kids(source) == ["one"]
        await _fault(kind, server)
        clock.now += 60
        assert source.want()
        await fetched(source)
        assert (kids(source), source.revision) == (["one"], 1)
        assert "the keys known are used on" in caplog.text
        assert "hunter2" not in caplog.text
        clock.now += MAX_AGE_SECONDS
        assert source.keys() is None
        assert source.want()
        await fetched(source)
        assert source.keys() is None
        server.answers = None
        clock.now += 10
        assert source.want()
        await fetched(source)
        assert kids(source) == ["one"]
        source.close()


@pytest.mark.parametrize("kind", ["500", "10 MB", "no keys", "hangs"])
async def test_without_keys_there_are_none(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "FETCH_SECONDS", 0.3)
    clock = Clock()
    async with key_server(ONE) as server:
        await _fault(kind, server)
        source = await started(server.url, clock)
        assert source.keys() is None
        assert not source.want(), "it was just tried"
        clock.now += 6
        server.answers = None
        assert source.want()
        await fetched(source)
        assert kids(source) == ["one"]
        source.close()


async def test_nobody_listens() -> None:
    source = await started("http://127.0.0.1:1/jwks", Clock())
    assert source.keys() is None
    source.close()


async def test_keys_are_refreshed_by_themselves_and_dropped_when_the_issuer_drops_them() -> None:
    async with key_server(ONE, TWO) as server:
        source = await started(server.url, Clock(), refresh_seconds=0.02)
        assert kids(source) == ["one", "two"]
        server.keys.pop(0)
        async with asyncio.timeout(20):
            while kids(source) != ["two"]:
                await asyncio.sleep(0.01)
        source.retire()
        if source.fetching:
            await fetched(source)
        asked = server.asked
        await asyncio.sleep(0.1)
        assert server.asked == asked
        assert kids(source) == ["two"], "who still has it may use it"
        assert not source.want()


async def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [ONE.jwk()]}))
    clock = Clock()
    source = await started(f"file:{file}", clock, refresh_seconds=0.02)
    assert kids(source) == ["one"]
    file.write_text("half a fi")
    await fetched_again(source)
    assert kids(source) == ["one"]
    file.write_text(json.dumps({"keys": [ONE.jwk(), TWO.jwk()]}))
    async with asyncio.timeout(20):
        while kids(source) != ["one", "two"]:
            await asyncio.sleep(0.01)
    file.unlink()
    await fetched_again(source)
    assert kids(source) == ["one", "two"]
    clock.now += MAX_AGE_SECONDS + 1
    assert source.keys() is None
    source.close()


async def fetched_again(source: KeySource) -> None:
    """Until a fetch that begins from now on is over."""
    if source.fetching:
        await fetched(source)
    source.start()
    await fetched(source)
