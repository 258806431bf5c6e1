"""Which heads are refused, with what, and what of those that pass reaches the backend."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.model import Limits
from api_gateway_service_mesh.proxy.head import HeadReader
from api_gateway_service_mesh.proxy.parser import BlockJudge
from api_gateway_service_mesh.proxy.request_line import FAST_LINE, HeadError, check_unfinished, parse_line
from tests.support.backend import answer, backend, read_answer, says
from tests.support.gateway import endpoint, mesh_of, raw, route, running, upstream

H = b"Host: a\r\n"
REFUSED = {
    # request line
    "version 2.0": (505, b"GET / HTTP/2.0\r\n" + H),
    "version 1.2": (505, b"GET / HTTP/1.2\r\n" + H),
    "version 0.9": (505, b"GET / HTTP/0.9\r\n" + H),
    "no version": (400, b"GET /\r\n" + H),
    "lower-case version": (400, b"GET / http/1.1\r\n" + H),
    "preface": (505, b"PRI * HTTP/2.0\r\n"),
    "two spaces": (400, b"GET  / HTTP/1.1\r\n" + H),
    "tab": (400, b"GET\t/ HTTP/1.1\r\n" + H),
    "trailing space": (400, b"GET / HTTP/1.1 \r\n" + H),
    "leading space": (400, b" GET / HTTP/1.1\r\n" + H),
    "unknown method": (501, b"FOO / HTTP/1.1\r\n" + H),
    "lower-case method": (501, b"get / HTTP/1.1\r\n" + H),
    "connect": (405, b"CONNECT a:443 HTTP/1.1\r\n" + H),
    "trace": (405, b"TRACE / HTTP/1.1\r\n" + H),
    "get star": (400, b"GET * HTTP/1.1\r\n" + H),
    "relative": (400, b"GET a/b HTTP/1.1\r\n" + H),
    "ftp": (400, b"GET ftp://a/ HTTP/1.1\r\n" + H),
    "userinfo": (400, b"GET http://u:p@a/ HTTP/1.1\r\n" + H),
    "no authority": (400, b"GET http:///a HTTP/1.1\r\n" + H),
    "fragment": (400, b"GET /a#b HTTP/1.1\r\n" + H),
    "8 bit": (400, b"GET /\xc3\xa9 HTTP/1.1\r\n" + H),
    "nul": (400, b"GET /a\0b HTTP/1.1\r\n" + H),
    "dot segment": (400, b"GET /a/../b HTTP/1.1\r\n" + H),
    "dot segment at the end": (400, b"GET /a/.. HTTP/1.1\r\n" + H),
    "single dot": (400, b"GET /./b HTTP/1.1\r\n" + H),
    "encoded dots": (400, b"GET /a/%2e%2E/b HTTP/1.1\r\n" + H),
    "half encoded dots": (400, b"GET /a/.%2e/b HTTP/1.1\r\n" + H),
    "encoded slash and dots": (400, b"GET /a%2f..%2fb HTTP/1.1\r\n" + H),
    "dots with parameter": (400, b"GET /a/..;x/b HTTP/1.1\r\n" + H),
    "backslash": (400, b"GET /a\\b HTTP/1.1\r\n" + H),
    "encoded backslash": (400, b"GET /a%5cb HTTP/1.1\r\n" + H),
    "encoded nul": (400, b"GET /a%00 HTTP/1.1\r\n" + H),
    "broken escape": (400, b"GET /a%zz HTTP/1.1\r\n" + H),
    # host
    "no host": (400, b"GET / HTTP/1.1\r\n"),
    "two hosts": (400, b"GET / HTTP/1.1\r\n" + H + H),
    "two hosts, absolute": (400, b"GET http://a/ HTTP/1.1\r\n" + H + H),
    "empty host": (400, b"GET / HTTP/1.1\r\nHost:\r\n"),
    "host with space": (400, b"GET / HTTP/1.1\r\nHost: a b\r\n"),
    "host with path": (400, b"GET / HTTP/1.1\r\nHost: a/b\r\n"),
    "host with script": (400, b"GET / HTTP/1.1\r\nHost: <script>\r\n"),
    "host with user": (400, b"GET / HTTP/1.1\r\nHost: u@a\r\n"),
    "host with comma": (400, b"GET / HTTP/1.1\r\nHost: a, b\r\n"),
    "host with port word": (400, b"GET / HTTP/1.1\r\nHost: a:b\r\n"),
    "host with big port": (400, b"GET / HTTP/1.1\r\nHost: a:70000\r\n"),
    # framing
    "length and coding": (400, b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
    "two lengths": (400, b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3\r\nContent-Length: 4\r\n"),
    "same length twice": (400, b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3\r\nContent-Length: 3\r\n"),
    "list of lengths": (400, b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3, 3\r\n"),
    "signed length": (400, b"POST / HTTP/1.1\r\n" + H + b"Content-Length: +3\r\n"),
    "negative length": (400, b"POST / HTTP/1.1\r\n" + H + b"Content-Length: -3\r\n"),
    "hex length": (400, b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 0x3\r\n"),
    "empty length": (400, b"POST / HTTP/1.1\r\n" + H + b"Content-Length:\r\n"),
    "huge length": (400, b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 18446744073709551616\r\n"),
    "gzip": (501, b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: gzip\r\n"),
    "gzip, chunked": (400, b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: gzip, chunked\r\n"),
    "chunked twice": (
        400,
        b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    ),
    "xchunked": (400, b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: xchunked\r\n"),
    "chunked with tab": (400, b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: \x0bchunked\r\n"),
    "empty coding": (400, b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding:\r\n"),
    "coding in 1.0": (400, b"POST / HTTP/1.0\r\n" + H + b"Transfer-Encoding: chunked\r\n"),
    "alias of length": (400, b"POST / HTTP/1.1\r\n" + H + b"Content_Length: 3\r\n"),
    "alias of coding": (400, b"POST / HTTP/1.1\r\n" + H + b"Transfer_Encoding: chunked\r\n"),
    # fields
    "space before colon": (400, b"GET / HTTP/1.1\r\n" + H + b"X-A : b\r\n"),
    "no colon": (400, b"GET / HTTP/1.1\r\n" + H + b"X-A\r\n"),
    "no name": (400, b"GET / HTTP/1.1\r\n" + H + b": b\r\n"),
    "folded": (400, b"GET / HTTP/1.1\r\n" + H + b"X-A: b\r\n c\r\n"),
    "folded first": (400, b"GET / HTTP/1.1\r\n X-A: b\r\n" + H),
    "bare CR": (400, b"GET / HTTP/1.1\r\n" + H + b"X-A: b\rc\r\n"),
    "bare LF": (400, b"GET / HTTP/1.1\r\n" + H + b"X-A: b\nX-B: c\r\n"),
    "nul in value": (400, b"GET / HTTP/1.1\r\n" + H + b"X-A: b\0\r\n"),
    "control in value": (400, b"GET / HTTP/1.1\r\n" + H + b"X-A: b\x01\r\n"),
    "8 bit in name": (400, b"GET / HTTP/1.1\r\n" + H + b"X\xc3: b\r\n"),
    "bad connection": (400, b"GET / HTTP/1.1\r\n" + H + b"Connection: a b\r\n"),
    "other expectation": (417, b"GET / HTTP/1.1\r\n" + H + b"Expect: 200-ok\r\n"),
    "upgrade with body": (
        400,
        b"GET / HTTP/1.1\r\n" + H + b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n",
    ),
    # sizes
    "long line": (414, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + H),
    "long fields": (431, b"GET / HTTP/1.1\r\n" + H + b"X-A: " + b"b" * 40_000 + b"\r\n"),
    "many fields": (431, b"GET / HTTP/1.1\r\n" + H + b"X-A: b\r\n" * 101),
}


@pytest.mark.parametrize(("status", "head"), REFUSED.values(), ids=REFUSED.keys())
async def test_refused_behind_a_good_one(status: int, head: bytes) -> None:
    good = b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n"
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    async with backend(says(answer(b"x"))) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
            reader, writer = await gateway.connect()
            writer.write(good + head + b"\r\n" + smuggled)
            assert (await read_answer(reader)).line == "HTTP/1.1 200 OK"
            got = await read_answer(reader)
            assert int(got.line.split()[1]) == status
            assert got.get("content-type") == "application/problem+json"
            assert got.get("connection") == "close"
            assert json.loads(got.body)["status"] == status
            assert await reader.read() == b""
            writer.close()
    assert [request.line for request in behind.requests] == ["GET /good HTTP/1.1"]


UNFINISHED = {
    "bare LF": (400, b"GET / HTTP/1.1\nHost: a\n\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00"),
    "long line": (414, b"GET /" + b"a" * 20_000),
    "long field": (431, b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000),
    "many fields": (431, b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 200),
}


@pytest.mark.parametrize(("status", "data"), UNFINISHED.values(), ids=UNFINISHED.keys())
async def test_what_can_never_become_a_head_is_refused_at_once(status: int, data: bytes) -> None:
    async with running(mesh_of(route(to=None))) as gateway:
        got = await raw(gateway.port, data)
    assert got.startswith(b"HTTP/1.1 %d " % status)


TAKEN = {
    "plain": b"GET /a HTTP/1.1\r\n" + H,
    "odd characters": b'GET /a|b{c}^`"<> HTTP/1.1\r\n' + H,
    "query with dots": b"GET /a?x=/../y&z=%zz HTTP/1.1\r\n" + H,
    "encoded slash": b"GET /a%2Fb HTTP/1.1\r\n" + H,
    "dot file": b"GET /.well-known/x HTTP/1.1\r\n" + H,
    "three dots": b"GET /.../x HTTP/1.1\r\n" + H,
    "matrix parameter": b"GET /a;b=c/d HTTP/1.1\r\n" + H,
    "double slash": b"GET //a//b HTTP/1.1\r\n" + H,
    "ipv6 host": b"GET /a HTTP/1.1\r\nHost: [::1]:80\r\n",
    "empty line before": b"\r\nGET /a HTTP/1.1\r\n" + H,
    "latin-1 value": b"GET /a HTTP/1.1\r\n" + H + b"X-A: \xe9\xc3\xa9\r\n",
    "empty value": b"GET /a HTTP/1.1\r\n" + H + b"X-A:\r\n",
    "no space": b"GET /a HTTP/1.1\r\nHost:a\r\nX-A:b\r\n",
    "99 fields": b"GET /a HTTP/1.1\r\n" + H + b"X-A: b\r\n" * 99,
    "line at the limit": b"GET /" + b"a" * (8190 - 14) + b" HTTP/1.1\r\n" + H,
    "webdav": b"PROPFIND /a HTTP/1.1\r\n" + H,
    "upgrade to h2c": b"GET /a HTTP/1.1\r\n"
    + H
    + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n",
}


@pytest.mark.parametrize("head", TAKEN.values(), ids=TAKEN.keys())
async def test_taken(head: bytes) -> None:
    any_path = route(match=route().match)
    async with backend(says(answer(b"x"))) as behind:
        async with running(mesh_of(any_path, upstream(endpoint(behind.port)))) as gateway:
            reader, writer = await gateway.connect()
            for _ in range(2):
                writer.write(head + b"\r\n")
                got = await read_answer(reader)
                assert got.line == "HTTP/1.1 200 OK", got
            writer.close()
    line = head.removeprefix(b"\r\n").split(b"\r\n")[0].decode()
    for sent in behind.requests:
        assert sent.line == line
        assert sent.get("upgrade") is None
        assert sent.get("http2-settings") is None


async def test_a_remembered_block_is_held_to_each_listeners_limits() -> None:
    reader = HeadReader(BlockJudge(asyncio.get_running_loop()))
    block = H + b"X: y\r\n" * 20
    assert reader.block(block, Limits()).count == 21
    with pytest.raises(HeadError) as refused:
        reader.block(block, Limits(max_header_count=20))
    assert refused.value.status == 431


async def test_slow_heads_are_cut() -> None:
    async with running(mesh_of(route(to=None)), limits=Limits(header_timeout_seconds=0.5)) as gateway:
        got = await raw(gateway.port, b"GET / HTTP/1.1\r\nHo")
        nothing = await raw(gateway.port, b"")
    assert got.startswith(b"HTTP/1.1 408 ")
    assert nothing == b""


async def test_idle_connections_are_closed() -> None:
    async with backend(says(answer(b"x"))) as behind:
        mesh = mesh_of(route(), upstream(endpoint(behind.port)))
        async with running(mesh, limits=Limits(idle_timeout_seconds=0.5)) as gateway:
            reader, writer = await gateway.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await read_answer(reader)
            assert await asyncio.wait_for(reader.read(), 20) == b""
            writer.close()


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab/.%2eEfF;?=~\\0", max_size=24))
def test_the_fast_way_takes_nothing_that_the_careful_way_refuses(path: str) -> None:
    line = f"GET /{path} HTTP/1.1\r\n".encode()
    fast = FAST_LINE.match(line)
    if fast is None:
        return
    careful, end = parse_line(line, Limits())
    assert end == fast.end()
    assert careful.target == fast[2]
    assert careful.path == fast[3].decode()
    assert careful.query == (fast[4] or b"").decode()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_judged_without_a_crash(data: bytes) -> None:
    for judge in (lambda: check_unfinished(data, Limits()), lambda: parse_line(data + b"\r\n", Limits())):
        try:
            judge()
        except HeadError as error:
            assert error.status in (400, 405, 414, 431, 501, 505)


async def test_a_credential_is_its_own_blocks_alone() -> None:
    reader = HeadReader(BlockJudge(asyncio.get_running_loop()))
    limits = Limits()
    for name in (b"Authorization", b"authorization", b"AUTHORIZATION"):
        shown = reader.block(H + name + b": \tBearer a.b.c \r\nAccept: */*\r\n", limits)
        assert shown.authorization == b"Bearer a.b.c"
        assert shown.forward.startswith(name + b": Bearer a.b.c\r\n")
        assert shown.header("authorization") == "Bearer a.b.c"
        assert reader.block(H, limits).authorization is None
    two = H + b"Authorization: Bearer a\r\nauthorization: Bearer b\r\nConnection: X-Gone\r\nX-Gone: 1\r\n"
    for _ in range(2):
        assert reader.block(two, limits).authorization == b"Bearer a, Bearer b"
    with pytest.raises(HeadError):
        reader.block(H + b"Authorization: Bearer a\r\nbad\x01: 1\r\n", limits)
    assert reader.block(H, limits).authorization is None
    assert not any(b"Bearer" in line for line in reader._lines)
