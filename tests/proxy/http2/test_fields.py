"""Fields between the two versions of HTTP."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given
from ngh2 import NeverIndexedHeader

from api_gateway_service_mesh.model import Limits
from api_gateway_service_mesh.proxy.answer import AnswerError, AnswerReader
from api_gateway_service_mesh.proxy.http2.fields import Translations, request_head
from api_gateway_service_mesh.proxy.request_line import HeadError
from api_gateway_service_mesh.proxy.trailers import permitted

PSEUDO = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"a.example"), (b":path", b"/a?b")]


def test_a_request_becomes_lines() -> None:
    head = request_head([*PSEUDO, (b"cookie", b"a=1"), (b"x-a", b"1"), (b"cookie", b"b=2")], False, Limits(), b"")
    assert (head.method, head.target, head.path, head.query) == ("POST", b"/a?b", "/a", "b")
    assert head.lines == (b"Host: a.example\r\nx-a: 1\r\ncookie: a=1; b=2\r\nTransfer-Encoding: chunked\r\n")


def test_one_framing_only() -> None:
    sized = request_head([*PSEUDO, (b"content-length", b"3")], False, Limits(), b"").lines
    assert sized == b"Host: a.example\r\ncontent-length: 3\r\n"
    assert request_head(PSEUDO, True, Limits(), b"").lines == b"Host: a.example\r\n"


def test_a_websocket_becomes_its_handshake() -> None:
    fields = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *PSEUDO[1:], (b"sec-websocket-version", b"13")]
    head = request_head(fields, False, Limits(), b"KEY=")
    assert head.websocket and head.method == "GET"
    assert head.lines == (
        b"Host: a.example\r\nsec-websocket-version: 13\r\n"
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: KEY=\r\n"
    )


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_whatever_the_target_it_is_judged_like_a_request_line(method: bytes, target: bytes) -> None:
    try:
        head = request_head([(b":method", method), (b":path", target), *PSEUDO[1:3]], True, Limits(), b"")
    except HeadError:
        return
    assert b" " not in head.target and b"\r" not in head.target and b"\n" not in head.target
    assert head.target.startswith((b"/", b"*"))


def test_answers_lose_what_belongs_to_a_connection() -> None:
    made = Translations(AnswerReader())
    head, wire = made.head(((b":status", b"200"), (b"x-a", b"1"), (b"set-cookie", b"s=1")), False)
    assert wire == b"HTTP/1.1 200 OK\r\nx-a: 1\r\nset-cookie: s=1\r\n\r\n"
    assert made.answer(head) == [(b":status", b"200"), (b"x-a", b"1"), (b"set-cookie", b"s=1")]
    assert isinstance(made.answer(head)[2], NeverIndexedHeader)
    empty, wire = made.head(((b":status", b"200"),), True)
    assert empty.length == 0 and wire == b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    assert made.head(((b":status", b"204"),), True)[0].length is None
    for fields in ((b"content-length", b"x"), (b"bad name", b"1"), (b"x-a", b"1\r\nb: 2")):
        with pytest.raises(AnswerError):
            made.head(((b":status", b"200"), fields), False)


def test_requests_for_a_backend() -> None:
    made = Translations(AnswerReader())
    authority, fields = made.request(
        b"Host: a:1\r\nX-A: 1\r\nAuthorization: x\r\nConnection: Upgrade\r\nTransfer-Encoding: chunked\r\n"
    )
    assert authority == b"a:1"
    assert fields == [(b"x-a", b"1"), (b"authorization", b"x")]
    assert made.request(b"Host: a\r\nContent-Length: 3\r\n")[1] == [(b"content-length", b"3")]


def test_trailers_say_nothing_that_was_decided_on() -> None:
    told = [(b"grpc-status", b"0"), (b"content-length", b"1"), (b"x-forwarded-for", b"a"), (b":path", b"/"),
            (b"x_forwarded_for", b"a"), (b"authorization", b"b")]  # fmt: skip
    assert permitted(told) == [(b"grpc-status", b"0")]
