"""Entity tags with the mark of a change."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.proxy.answer import AnswerHead, AnswerMarks, StatusLine
from api_gateway_service_mesh.proxy.answer_tags import TagMark

MARK = TagMark("12ab")


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        (b"A: b\r\nRange: bytes=0-1\r\nif-range: x\r\nAccept-Encoding: gzip\r\nIf-Modified-Since: x\r\n", b"A: b\r\n"),
        (b'If-None-Match: "a~12ab", W/"b~12ab" ,"c","d~99"\r\n', b'If-None-Match: "a", W/"b"\r\n'),
        (b'If-None-Match: "a"\r\n', b""),
        (b"If-None-Match: *\r\n", b"If-None-Match: *\r\n"),
        (b'If-None-Match: "a~12ab", "unclosed~12ab\r\n', b'If-None-Match: "a"\r\n'),
        (b'If-None-Match: "~12ab"\r\n', b'If-None-Match: ""\r\n'),
        (b'If-Match: "a~12ab", "b"\r\n', b'If-Match: "a", "b"\r\n'),
        (b"", b""),
    ],
)
def test_what_the_backend_is_asked(sent: bytes, asked: bytes) -> None:
    assert MARK.asked(sent) == asked + b"Accept-Encoding: identity\r\n"


@pytest.mark.parametrize(
    ("status", "said", "told"),
    [
        (200, b'ETag: "a"\r\nLast-Modified: x\r\nB: c\r\nContent-Length: 1\r\n', b'ETag: "a~12ab"\r\nB: c\r\nContent-Length: 1\r\n'),
        (304, b'etag:W/"a"\r\nContent-Length: 1\r\nRepr-Digest: x\r\n', b'ETag: W/"a~12ab"\r\n'),
        (200, b"ETag: no tag\r\n", b"ETag: no tag\r\n"),
    ],
)  # fmt: skip
def test_what_a_client_is_told(status: int, said: bytes, told: bytes) -> None:
    head = AnswerHead(StatusLine(status, b""), said, 1, AnswerMarks())
    head.dated = True
    made = MARK.told(head)
    assert (made.block, made.length, made.dated, made.status) == (told, 1, True, status)
