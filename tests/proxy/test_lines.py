"""Our judgement of header blocks beside the C parser's: what the parser refuses is refused; what differs, and how.

`AGW_HEADS` sets how many generated heads are compared.
"""

from __future__ import annotations

import asyncio
import os
from random import Random

import pytest

from api_gateway_service_mesh.model import Limits
from api_gateway_service_mesh.proxy.head import Block, HeadReader
from api_gateway_service_mesh.proxy.lines import RequestLines
from api_gateway_service_mesh.proxy.parser import BlockJudge
from api_gateway_service_mesh.proxy.request_line import HeadError

from .hostile_cases import REQUESTS

HEADS = int(os.environ.get("AGW_HEADS", "20000"))
SEED = int(os.environ.get("AGW_HOSTILE_SEED", "20260"))

NAMES = (
    b"Host", b"host", b"Content-Length", b"content-length", b"Transfer-Encoding", b"Connection", b"Upgrade", b"Expect",
    b"Proxy-Connection", b"Keep-Alive", b"TE", b"Trailer", b"User-Agent", b"user-agent", b"Content-Type", b"ETag",
    b"Server", b"Max-Forwards", b"Content-Range", b"Content-Location", b"Content-Encoding", b"Cookie", b"Accept",
    b"X-A", b"Via", b"X-Forwarded-For", b"Sec-WebSocket-Key1", b"Sec-WebSocket-Key", b"traceparent", b"Authorization",
    b"Proxy-Authorization", b"HTTP2-Settings", b"X_Forwarded_For", b"Content_Length", b"Close", b"X-Request-Id",
)  # fmt: skip
VALUES = (
    b"a", b"", b"a:80", b"0", b"1", b"5", b"+1", b"-1", b"0x1", b"1 1", b"1,1", b"99999999999999999999", b"chunked",
    b"Chunked", b"chunked, chunked", b"gzip, chunked", b"identity", b"chunked;q=1", b"\x0bchunked", b"close", b"keep-alive",
    b"upgrade", b"close, upgrade", b"X-A", b"websocket", b"100-continue", b"text/plain; charset=utf-8", b"a\tb", b"\xff\xfe",
    b"a\x00b", b"a\rb", b"a\nb", b"a\x7fb", b"a\x01", b"gzip", b"\xc3\xa4", b",", b" , close ,", b"h2c",
)  # fmt: skip
JUNK = bytes(range(33)) + b':;,()<>@/[]?={}"\\\x7f\x80\xff'


@pytest.fixture
async def reader() -> HeadReader:
    return HeadReader(BlockJudge(asyncio.get_running_loop()))


def ours(reader: HeadReader, raw: bytes) -> Block | None:
    try:
        return reader.block(raw, Limits())
    except HeadError:
        return None


def theirs(raw: bytes) -> str | None:
    """Why a fresh C parser refuses `raw`; None when it takes it."""
    judge = BlockJudge(asyncio.get_running_loop())
    # Whether there is a Host is not the block's affair alone (HTTP/1.0, absolute targets): the judge is given one.
    has_host = any(line.lower().startswith(b"host:") for line in raw.split(b"\r\n"))
    return judge.verdict(raw, has_host=has_host)


def line(random: Random) -> bytes:
    name, value = random.choice(NAMES), random.choice(VALUES)
    before, after = random.choice((b" ", b" ", b" ", b"", b"\t", b"  ")), random.choice((b"", b"", b"", b" ", b"\t "))
    end = random.choice((b"\r\n",) * 30 + (b"\n", b"\r", b"\r\r\n", b"\r\n ", b"\r\n\t"))
    colon = random.choice((b":",) * 30 + (b" :", b"", b"::", b"\t:"))
    made = name + colon + before + value + after + end
    if random.random() < 0.08:
        place = random.randrange(len(made))
        made = made[:place] + bytes((random.choice(JUNK),)) + made[place + random.choice((0, 1)) :]
    return made


def head(random: Random) -> bytes:
    made = b"".join(line(random) for _ in range(random.choice((0, 1, 1, 2, 2, 3, 4, 6))))
    if random.random() < 0.7:
        made = b"Host: a\r\n" + made
    made += b"" if made.endswith(b"\r\n") else b"\r\n"
    return made.partition(b"\r\n\r\n")[0] + b"\r\n" if b"\r\n\r\n" in made else made


async def test_whatever_the_c_parser_refuses_is_refused(reader: HeadReader) -> None:
    """One reader for all of them, so that what it remembers of one head cannot let another one pass."""
    random = Random(SEED)
    taken = 0
    for _ in range(HEADS):
        raw = head(random)
        block = ours(reader, raw)
        reason = theirs(raw)
        if block is not None:
            taken += 1
            assert reason is None, f"taken, though the C parser says {reason}: {raw!r}"
    assert taken > HEADS // 20, "too few of the generated heads are good ones"


async def test_of_the_corpus_too(reader: HeadReader) -> None:
    compared = 0
    for cases in REQUESTS.values():
        for case in cases:
            start, _, _ = case.wire.lstrip(b"\r\n").partition(b"\r\n\r\n")
            _, _, lines = start.partition(b"\r\n")
            raw = lines + b"\r\n" if lines else b""
            if ours(reader, raw) is not None:
                compared += 1
                assert theirs(raw) is None, f"{case.name}: {theirs(raw)}"
    assert compared > 100


async def test_every_byte_in_every_place_is_judged_as_the_c_parser_does(reader: HeadReader) -> None:
    for base in (b"Host: a\r\nX-A: b c\r\n", b"Host: a\r\nAuthorization: b c\r\n", b"Host: a\r\nUser-Agent: b\r\n"):
        for place in range(len(b"Host: a\r\n"), len(base)):
            for byte in range(256):
                raw = base[:place] + bytes((byte,)) + base[place + 1 :]
                if not raw.endswith(b"\r\n") or b"\r\n\r\n" in raw:
                    continue
                if theirs(raw) is not None:
                    assert ours(reader, raw) is None, raw


async def test_what_is_remembered_means_the_same_as_what_is_new(reader: HeadReader) -> None:
    random = Random(SEED + 1)
    for _ in range(2000):
        raw = head(random)
        known, fresh = ours(reader, raw), ours(HeadReader(BlockJudge(asyncio.get_running_loop())), raw)
        assert (known is None) == (fresh is None), raw
        if known is not None and fresh is not None:
            assert known.forward == fresh.forward
            assert known.framing == fresh.framing
            assert known.headers == fresh.headers
            for part in (name for name in dir(fresh.marks) if not name.startswith("_") and name != "check_version"):
                assert getattr(known.marks, part) == getattr(fresh.marks, part), (part, raw)


async def test_only_one_header_is_looked_for() -> None:
    reader = HeadReader(BlockJudge(asyncio.get_running_loop()))
    block = reader.block(b"Host: a\r\nX-A: 1\r\nx-a:2 \r\nX-Ab: 3\r\n", Limits())
    assert block.header("x-a") == block.headers["x-a"] == "1, 2"
    assert block.header("x-ab") == "3"
    assert block.header("x") is None
    assert block.header("host") == "a"


def test_secrets_and_unique_lines_are_not_kept() -> None:
    lines = RequestLines()
    for text in (b"Authorization: Bearer x", b"cookie: sid=1", b"X-Request-Id: 1", b"Proxy-Authorization: Basic x"):
        lines[text]
    assert not lines
    assert not lines.marks
    assert lines[b"Accept:  */* "] == b"Accept: */*\r\n"
    assert list(lines) == [b"Accept:  */* "]


async def test_memory_is_bounded(reader: HeadReader) -> None:
    lines = reader._lines
    for number in range(30_000):
        reader.block(b"Host: h%d\r\nX-N: %d\r\nX-%d: %b\r\n" % (number, number, number, b"x" * 300), Limits())
    assert sum(map(len, lines)) < 600 * 1024
    assert len(lines) < 8300
    assert len(reader._known) <= 4096
    assert len(lines._kinds) <= 1024
