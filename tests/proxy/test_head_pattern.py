"""A head that looks like the one before it is read as if there had been none before it, whatever varies in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.model import Limits, Mesh
from api_gateway_service_mesh.proxy.core import Generation
from api_gateway_service_mesh.proxy.forwarded import Peer
from api_gateway_service_mesh.proxy.head import HeadReader
from api_gateway_service_mesh.proxy.last_head import LastHead
from api_gateway_service_mesh.proxy.parser import BlockJudge
from api_gateway_service_mesh.proxy.request_line import HeadError
from api_gateway_service_mesh.routing import compile_table

MESH = Mesh("urn:t:gateway", "gateway")
GENERATION = Generation(MESH, compile_table(MESH), {}, "1", {}, False)
PEER = Peer("192.0.2.1", "http", b"gateway:80")
LIMITS = Limits()

_VALUES = st.sampled_from(
    [
        b"1",
        b"2",
        b"abc def",
        b"",
        b" 1",
        b"1 ",
        b"\t1",
        b"1\t2",
        b"a\rb",
        b"a\nb",
        b"\x00",
        b"\x7f",
        b"\xe4",
        b"a:b",
        b"x" * 200,
    ]
)
_NAMES = st.sampled_from(
    [b"traceparent", b"Cookie", b"authorization", b"Authorization", b"X-Request-Id", b"x-api-key", b"X-Forwarded-For"]
)
_SPACES = st.sampled_from([b" ", b" ", b" ", b" ", b"", b"  ", b"\t"])
_VARYING = st.builds(lambda name, space, value: b"%b:%b%b\r\n" % (name, space, value), _NAMES, _SPACES, _VALUES)
_STAYING = st.sampled_from(
    [
        b"Accept: */*\r\n",
        b"Content-Length: 3\r\n",
        b"Connection: x-a, traceparent\r\n",
        b"X-A: 1\r\n",
        b" folded\r\n",
        b"Via: 1.1 a\r\n",
    ]
)
_HEADS = st.lists(st.lists(_STAYING | _VARYING, max_size=5).map(b"".join), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def reader() -> Iterator[HeadReader]:
    loop = asyncio.new_event_loop()
    yield HeadReader(BlockJudge(loop))
    loop.close()


def outcome(last: LastHead, reader: HeadReader, raw: bytes, minor: int = 1) -> tuple[object, ...]:
    """All that is made of a head, or how it is refused."""
    try:
        block = last.read(reader, raw, PEER, GENERATION, None, minor)
    except HeadError as error:
        return error.status, error.problem
    marks = block.marks
    return (
        last.fields,
        block.authorization,
        block.lines,
        block.length,
        block.headers,
        marks.sized,
        marks.websocket,
        marks.host,
    )


@settings(max_examples=400, deadline=None)
@given(heads=_HEADS, repeats=st.integers(1, 3), values=st.lists(_VALUES, min_size=1, max_size=4))
def test_as_if_it_were_the_first(reader: HeadReader, heads: list[bytes], repeats: int, values: list[bytes]) -> None:
    last = LastHead(LIMITS)
    host = b"Host: a\r\n"
    shaped = [b"traceparent: %b\r\nAccept: */*\r\nAuthorization: Bearer %b\r\n" % (value, value) for value in values]
    for raw in [host + head for head in [*heads, *shaped] for _ in range(repeats)]:
        assert outcome(last, reader, raw) == outcome(LastHead(LIMITS), reader, raw)


def test_only_what_varies_is_judged_again(reader: HeadReader) -> None:
    last = LastHead(LIMITS)
    head = b"Host: a\r\ntraceparent: %b\r\nX-Request-Id: %b\r\nAuthorization: Bearer %b\r\nContent-Length: 3\r\n"
    first = outcome(last, reader, head % (b"1", b"1", b"1"))
    second = outcome(last, reader, head % (b"22", b"22", b"22"))
    fields = second[0]
    assert isinstance(fields, bytes)
    assert fields.replace(b"22", b"1") == first[0]
    assert second[1] == b"Bearer 22"
    assert b"equest" not in fields
    assert second[3] == 3
    assert outcome(last, reader, head % (b"1\n2", b"1", b"1")) == (400, "malformed-header")
    assert outcome(last, reader, head % (b"3", b"3", b"3"), minor=0) == outcome(
        LastHead(LIMITS), reader, head % (b"3", b"3", b"3"), minor=0
    )


def test_a_client_that_never_repeats_itself_is_not_remembered_for_it(reader: HeadReader) -> None:
    last = LastHead(LIMITS)
    for number in range(40):
        raw = b"Host: a\r\nReferer: /%d\r\ntraceparent: %d\r\n" % (number, number)
        assert outcome(last, reader, raw) == outcome(LastHead(LIMITS), reader, raw)
