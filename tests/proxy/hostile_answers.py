"""Odd and hostile answers of backends, each with what a client may see of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["ANSWERS", "AnswerCase", "Passed"]


@dataclass(frozen=True)
class Passed:
    """The client sees this answer, whole."""

    status: int = 200
    body: bytes = b"hello"
    lacks: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class AnswerCase:
    """`wire` answers a request; `late` follows a moment later. `expected` None: 502, or an answer that is visibly cut.
    `closes`: the backend hangs up afterwards; otherwise it goes on listening, as if all were well. `spoils`: no other
    request may come on that connection, although the client saw nothing wrong."""

    name: str
    wire: bytes
    expected: Passed | None = None
    method: str = "GET"
    closes: bool = False
    late: bytes = b""
    spoils: bool = False
    either: bool = False


POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
LENGTH, CODING, CHUNKS = b"Content-Length: 5", b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"


def answer(*lines: bytes, body: bytes = b"hello", start: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join((start, *lines)) + b"\r\n\r\n" + body


def _show(text: bytes) -> str:
    shown = repr(text)[2:-1]
    return shown if len(shown) < 70 else f"{shown[:50]}…({len(text)})"


def _framing() -> Iterator[AnswerCase]:
    yield AnswerCase("CL", answer(LENGTH), Passed())
    yield AnswerCase("chunked", answer(CODING, body=CHUNKS), Passed())
    yield AnswerCase("Chunked", answer(b"transfer-encoding: Chunked", body=CHUNKS), Passed())
    yield AnswerCase("CL 0", answer(b"Content-Length: 0", body=b""), Passed(body=b""))
    yield AnswerCase("until close", answer(), Passed(), closes=True)
    yield AnswerCase("until close, HTTP/1.0", answer(start=b"HTTP/1.0 200 OK"), Passed(), closes=True)
    yield AnswerCase("CL and TE", answer(LENGTH, CODING, body=CHUNKS + POISON))
    yield AnswerCase("TE and CL", answer(CODING, LENGTH, body=CHUNKS + POISON))
    for first, second in ((b"5", b"5"), (b"5", b"6"), (b"0", b"5"), (b"5", b"0")):
        lines = (b"Content-Length: " + first, b"Content-Length: " + second)
        yield AnswerCase(f"CL {_show(first)} and {_show(second)}", answer(*lines, body=b"hello" + POISON))
    for value in (
        b"", b"+5", b"-5", b"5,5", b"5, 5", b"0x5", b"5.0", b"abc", b"5a", b"5 5", b"1" * 16, b"18446744073709551621",
        b"\xb2",
    ):  # fmt: skip
        yield AnswerCase(f"CL {_show(value)}", answer(b"Content-Length: " + value, body=b"hello" + POISON))
    for value in (
        b"", b"gzip", b"identity", b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"xchunked",
        b"chunked;q=1", b"chunked\x0b",
    ):  # fmt: skip
        yield AnswerCase(f"TE {_show(value)}", answer(b"Transfer-Encoding: " + value, body=CHUNKS + POISON))
    yield AnswerCase("two TEs", answer(CODING, CODING, body=CHUNKS))
    yield AnswerCase("TE in HTTP/1.0", answer(CODING, body=CHUNKS, start=b"HTTP/1.0 200 OK"))
    for line in (
        b"Content-Length : 5", b"Transfer-Encoding : chunked", b" Content-Length: 5", b"Content-Length:\r\n 5",
        b"Transfer-Encoding:\r\n chunked", b"Content-Length\x00: 5",
    ):  # fmt: skip
        yield AnswerCase(f"line {_show(line)}", answer(line, body=CHUNKS))


def _bodies() -> Iterator[AnswerCase]:
    yield AnswerCase("short of CL", answer(b"Content-Length: 9"), closes=True)
    yield AnswerCase("nothing of CL", answer(b"Content-Length: 9", body=b""), closes=True)
    yield AnswerCase("over CL", answer(LENGTH, body=b"hello" + POISON), Passed(), spoils=True)
    yield AnswerCase("one byte over CL", answer(LENGTH, body=b"hello!"), Passed(), spoils=True)
    yield AnswerCase("CR LF over CL", answer(LENGTH, body=b"hello\r\n"), Passed(), spoils=True)
    yield AnswerCase("over CL 0", answer(b"Content-Length: 0", body=POISON), Passed(body=b""), spoils=True)
    yield AnswerCase("over CL, later", answer(LENGTH), Passed(), late=POISON)
    yield AnswerCase("over the last chunk", answer(CODING, body=CHUNKS + POISON), Passed(), spoils=True)
    yield AnswerCase("over the last chunk, later", answer(CODING, body=CHUNKS), Passed(), late=POISON)
    yield AnswerCase("chunks without end", answer(CODING, body=b"5\r\nhello\r\n"), closes=True)
    yield AnswerCase("half a chunk", answer(CODING, body=b"9\r\nhello"), closes=True)
    yield AnswerCase("half a size", answer(CODING, body=b"5\r\nhello\r\n0"), closes=True)
    yield AnswerCase("no empty line after the last chunk", answer(CODING, body=b"5\r\nhello\r\n0\r\n"), closes=True)
    yield AnswerCase(
        "extensions and trailers",
        answer(CODING, body=b"5;a=b\r\nhello\r\n0;c\r\nX-Late: 1\r\n\r\n"),
        Passed(lacks=(b"x-late",)),
    )
    for body in (
        b"g\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n", b"\r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n", b"4\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\n\n", b"5;\x00\r\nhello\r\n0\r\n\r\n",
        b"5;a\nb\r\nhello\r\n0\r\n\r\n", b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff\r\nhello",
        b"5\r\nhello\r\n0\r\nno colon\r\n\r\n", b"5\r\nhello\r\n0\r\nX: \x00\r\n\r\n",
        b"5\r\nhello\r\n0\r\n" + b"X: y\r\n" * 65 + b"\r\n", b"5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n",
        b"5\r\nhello\r\n0\r\n" + b"X: y\r\n" * 5000 + b"\r\n", b"5\r\nhello\r\n" + POISON,
    ):  # fmt: skip
        yield AnswerCase(f"chunks {_show(body)}", answer(CODING, body=body))
    yield AnswerCase("HEAD with CL", answer(LENGTH, body=b""), Passed(body=b""), method="HEAD")
    yield AnswerCase("HEAD with TE", answer(CODING, body=b""), Passed(body=b""), method="HEAD")
    yield AnswerCase("HEAD with a body", answer(LENGTH), Passed(body=b""), method="HEAD", spoils=True)
    yield AnswerCase("HEAD with poison", answer(LENGTH, body=POISON), Passed(body=b""), method="HEAD", spoils=True)
    yield AnswerCase("HEAD with chunks", answer(CODING, body=CHUNKS), Passed(body=b""), method="HEAD", spoils=True)
    for status in (b"204 No Content", b"304 Not Modified"):
        start, number = b"HTTP/1.1 " + status, int(status[:3])
        yield AnswerCase(f"{number}", answer(start=start, body=b""), Passed(number, b""))
        yield AnswerCase(
            f"{number} with CL", answer(LENGTH, start=start, body=b""), Passed(number, b""), spoils=number == 204
        )
        yield AnswerCase(f"{number} with CL and a body", answer(LENGTH, start=start), Passed(number, b""), spoils=True)
        yield AnswerCase(
            f"{number} with TE and chunks", answer(CODING, start=start, body=CHUNKS), Passed(number, b""), spoils=True
        )
        yield AnswerCase(
            f"{number} with TE, chunks later",
            answer(CODING, start=start, body=b""),
            Passed(number, b""),
            late=CHUNKS,
            spoils=True,
        )
        yield AnswerCase(f"{number} with poison", answer(start=start, body=POISON), Passed(number, b""), spoils=True)


def _heads() -> Iterator[AnswerCase]:
    for start in (
        b"HTTP/1.1  200 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 abc OK", b"HTTP/1.1 099 OK",
        b"HTTP/1.1 600 OK", b"HTTP/1.1 999 OK", b"HTTP/1.1 -200 OK", b"HTTP/1.1 +200 OK", b"HTTP/1.1 0x0 OK",
        b"HTTP/2.0 200 OK", b"HTTP/2 200", b"HTTP/0.9 200 OK", b"HTTP/1.2 200 OK", b"HTTP/1.10 200 OK",
        b"HTTP/01.1 200 OK", b"HTTP/1 200 OK", b"ICY 200 OK", b"http/1.1 200 OK", b"HTTP /1.1 200 OK",
        b"HTTPS/1.1 200 OK", b"HTTP/1.1\t200 OK", b"HTTP/1.1 200\tOK", b"HTTP/1.1 200 O\x00K", b"HTTP/1.1 200 O\rK",
        b"HTTP/1.1 200 O\nK", b" HTTP/1.1 200 OK", b"\r\nHTTP/1.1 200 OK", b"\nHTTP/1.1 200 OK", b"200 OK",
        b"SSH-2.0-OpenSSH_9.9", b"220 mail ESMTP", b"\x15\x03\x01\x00\x02\x02\x46", b"GET / HTTP/1.1", b"", b"<html>",
        b"HTTP/1.1", b"HTTP/1.1 OK 200", b"HTTP/1.1 200\x0b OK", b"HTTP/1.1 2OO OK", b"\xef\xbb\xbfHTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK\r",
    ):  # fmt: skip
        yield AnswerCase(f"start {_show(start)}", answer(LENGTH, start=start), closes=True)
    yield AnswerCase("no reason", answer(LENGTH, start=b"HTTP/1.1 200 "), Passed())
    yield AnswerCase("no reason, no space", answer(LENGTH, start=b"HTTP/1.1 200"), Passed(), either=True)
    yield AnswerCase("odd status", answer(LENGTH, start=b"HTTP/1.1 599 Odd"), Passed(599))
    yield AnswerCase("8-bit reason", answer(LENGTH, start=b"HTTP/1.1 200 \xc3\x89t\xe9"), Passed())
    yield AnswerCase("nothing", b"", closes=True)
    yield AnswerCase("half a head", b"HTTP/1.1 200 OK\r\nContent-", closes=True)
    for line in (
        b"no colon", b"X : y", b": y", b" X: y", b"\tX: y", b"X: y\r\n z", b"X:\r\n\ty", b"X: \x00", b"X: y\x00z",
        b"X: y\nz: a", b"X: y\rz", b"X: y\x01", b"X: y\x7f", b"X: y\x0b", b"X\x00: y", b"X Y: z", b"\xe9: y",
        b"(X): y", b"X: y\n", b"X: y\r", b"\nX: y", b"HTTP/1.1 200 OK", b"X\xa0: y", b"X: y\x0c",
    ):  # fmt: skip
        yield AnswerCase(f"field {_show(line)}", answer(line, LENGTH))
        yield AnswerCase(f"last field {_show(line)}", answer(LENGTH, line))
    for line in (b"X: ", b"X:", b"X: \xe9\xff", b"X:y", b"X: y:z", b"X: " + b"y" * 8000, b"Set-Cookie: a=b; Path=/"):
        yield AnswerCase(f"field {_show(line)}", answer(line, LENGTH), Passed())
    yield AnswerCase("LF line ends", answer(LENGTH).replace(b"\r\n", b"\n"), closes=True)
    yield AnswerCase("LF at the end", answer(LENGTH).replace(b"\r\n\r\n", b"\n\n"), closes=True)
    yield AnswerCase("1 MiB field", answer(b"X: " + b"y" * 2**20, LENGTH))
    yield AnswerCase("head without end", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20000)
    yield AnswerCase(
        "hop-by-hop fields",
        answer(
            b"Connection: X-Secret, keep-alive",
            b"X-Secret: 1",
            b"Keep-Alive: timeout=5",
            b"Proxy-Connection: x",
            b"Upgrade: h2c",
            b"TE: x",
            b"Trailer: y",
            LENGTH,
        ),
        Passed(lacks=(b"x-secret", b"keep-alive", b"proxy-connection", b"upgrade", b"te", b"trailer")),
    )
    yield AnswerCase("Connection names Content-Length", answer(b"Connection: Content-Length", LENGTH), Passed())
    yield AnswerCase("close", answer(b"Connection: close", LENGTH), Passed(lacks=(b"connection",)), closes=True)
    yield AnswerCase("says keep-alive, closes", answer(b"Connection: keep-alive", LENGTH), Passed(), closes=True)


def _interim() -> Iterator[AnswerCase]:
    last = answer(LENGTH)
    go_on = b"HTTP/1.1 100 Continue\r\n\r\n"
    yield AnswerCase("100 unasked", go_on + last, Passed())
    yield AnswerCase("102", b"HTTP/1.1 102 Processing\r\n\r\n" + last, Passed())
    yield AnswerCase("103", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + last, Passed())
    yield AnswerCase("three 1xx", go_on * 3 + last, Passed())
    yield AnswerCase("199", b"HTTP/1.1 199 Odd\r\n\r\n" + last, Passed())
    yield AnswerCase("1xx flood", go_on * 1000 + last)
    yield AnswerCase("1xx flood without end", go_on * 1000)
    yield AnswerCase("1xx alone", go_on, closes=True)
    yield AnswerCase("bad 1xx", b"HTTP/1.1 100 Continue\r\nX : y\r\n\r\n" + last)
    yield AnswerCase("100 with CL", b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n" + last, Passed(), either=True)
    yield AnswerCase(
        "100 with TE", b"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n" + last, Passed(), either=True
    )
    yield AnswerCase(
        "100 with CL and TE",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + last,
        Passed(),
        either=True,
    )
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    yield AnswerCase("101 unasked", switch)
    yield AnswerCase("101 unasked, poison", switch + POISON)
    yield AnswerCase("101 after 100", go_on + switch + POISON)
    yield AnswerCase("200, then 100", last + go_on, Passed(), spoils=True)


ANSWERS: dict[str, tuple[AnswerCase, ...]] = {
    group.__name__.strip("_"): tuple(group()) for group in (_framing, _bodies, _heads, _interim)
}
