"""Where a request ends: lengths, codings, chunks, pipelines, upgrades (RFC 9112 §6, §7, §9; RFC 9110 §7.8, §10.1.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .hostile_request import BAD, CODING, METHOD, OK_BODY, RequestCase, Seen, chunked, get, post, show

__all__ = ["chunks", "expectations", "framing", "pipelines", "upgrades"]


def framing() -> Iterator[RequestCase]:
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: h.example\r\n\r\n"
    length, coding = b"Content-Length: 5", b"Transfer-Encoding: chunked"
    yield RequestCase("CL before TE", post(length, coding, body=b"0\r\n\r\n" + smuggled), (BAD,))
    yield RequestCase("TE before CL", post(coding, length, body=b"0\r\n\r\n" + smuggled), (BAD,))
    yield RequestCase("CL 0 with TE", post(b"Content-Length: 0", coding, body=OK_BODY), (BAD,))
    yield RequestCase("CL, header, TE", post(length, b"X: y", coding, body=OK_BODY), (BAD,))
    for value in (
        b"chunked", b"Chunked", b"CHUNKED", b"  chunked", b"\tchunked", b"chunked ", b"chunked\t", b"\t chunked \t",
    ):  # fmt: skip
        seen = Seen("POST", body=b"hello", has=(b"transfer-encoding: chunked",), lacks=(b"content-length",))
        yield RequestCase(
            f"TE {show(value)}", post(b"Transfer-Encoding:" + value, body=OK_BODY), (seen,), either=b"\t" in value
        )
    for value in (
        b"", b" ", b"identity", b"gzip", b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"chunked,chunked",
        b"xchunked", b"chunkedx", b"chunk", b"chunked;q=1", b"chun ked", b'"chunked"', b"'chunked'", b"chunked,",
        b",chunked", b"chunked, identity", b"identity, chunked", b"chunked\x0b", b"\x0bchunked", b"chunked\x0c",
        b"chunked\x00", b"chunked\x01", b"chunked\xa0", b"\xef\xbb\xbfchunked", b"chunked\x85", b"chunked\x7f",
        b"c hunked", b"x chunked", b"deflate", b"compress, chunked", b"cow", b"chunked;foo", b"chunked foo",
        b"chu\xc5\x8bked", b"0", b"true",
    ):  # fmt: skip
        yield RequestCase(f"TE {show(value)}", post(b"Transfer-Encoding: " + value, body=OK_BODY), (CODING,))
        line = b"Transfer-Encoding: " + value
        yield RequestCase(f"CL and TE {show(value)}", post(length, line, body=b"hello" + smuggled), (CODING,))
    for first, second in (
        (b"chunked", b"chunked"), (b"chunked", b"identity"), (b"identity", b"chunked"), (b"chunked", b"x"),
        (b"x", b"chunked"), (b"", b"chunked"), (b"chunked", b""),
    ):  # fmt: skip
        lines = (b"Transfer-Encoding: " + first, b"Transfer-Encoding: " + second)
        yield RequestCase(
            f"TE lines {show(first)} and {show(second)}",
            post(*lines, body=OK_BODY),
            (CODING,),
            either=second == b"" or first == b"",
        )
    for line in (
        b"Transfer-Encoding : chunked", b"Transfer-Encoding\t: chunked", b" Transfer-Encoding: chunked",
        b"\tTransfer-Encoding: chunked", b"Transfer-Encoding\x00: chunked", b"Transfer-Encoding\x0b: chunked",
        b"Transfer Encoding: chunked", b"Transfer-Encoding\r: chunked", b"X: y\nTransfer-Encoding: chunked",
        b"X: y\rTransfer-Encoding: chunked", b"X: y\r\rTransfer-Encoding: chunked", b"Transfer-Encoding:\r\n chunked",
        b"Transfer-Encoding:\r\n\tchunked", b"Transfer-Encoding: x\r\n chunked",
        b"Transfer-Encoding: chunked\r\n , identity", b"Transfer_Encoding: chunked", b"Transfer-Encoding\xa0: chunked",
        b"Transfer-Encoding chunked", b"Transfer-Encoding", b"transfer-\xc4\xb1ncoding : chunked",
        b"Transfer-Encoding:\nchunked", b"Transfer-Encoding: chunked\nX: y", b"\x00Transfer-Encoding: chunked",
        b"Foo\r\n Transfer-Encoding: chunked",
    ):  # fmt: skip
        yield RequestCase(f"CL and line {show(line)}", post(length, line, body=b"hello" + smuggled), (BAD,))
    for line in (b"X-Transfer-Encoding: chunked", b"Transfer-Encoding-X: chunked", b"Transfer-Encodin: chunked"):
        yield RequestCase(f"not TE: {show(line)}", post(length, line, body=b"hello"), (Seen("POST", body=b"hello"),))
    yield RequestCase("TE in HTTP/1.0", post(coding, body=OK_BODY, version=b"HTTP/1.0"), (BAD,))
    yield RequestCase("TE and CL in HTTP/1.0", post(length, coding, body=OK_BODY, version=b"HTTP/1.0"), (BAD,))
    for value in (
        b"", b" ", b"+5", b"-5", b"-0", b"5 5", b"5,5", b"5, 5", b"5,6", b"0x5", b"5.0", b"5e0", b"\xef\xbc\x95",
        b"abc", b"5a", b"a5", b"1000000000000000", b"18446744073709551616", b"18446744073709551621",
        b"9223372036854775808", b"5;", b"5;x", b'"5"', b"5\x0b", b"5\x00", b"\x0c5", b"5\xa0", b"5_0", b"0_5", b"5L",
        b"NaN", b"inf", b"\xd9\xa5", b"%35", b"5\x7f", b"5\t5",
    ):  # fmt: skip
        yield RequestCase(f"CL {show(value)}", post(b"Content-Length: " + value, body=b"hello"), (BAD,))
    for value in (b"5", b" 5", b"5 ", b"5\t", b"\t5", b"005", b"000000000000005"):
        seen = Seen("POST", body=b"hello", has=(b"content-length: 5",))
        yield RequestCase(f"CL {show(value)}", post(b"Content-Length:" + value, body=b"hello"), (seen,))
    for first, second in ((b"5", b"5"), (b"5", b"6"), (b"0", b"5"), (b"5", b"0"), (b"5", b""), (b"", b"5")):
        lines = (b"Content-Length: " + first, b"Content-Length: " + second)
        yield RequestCase(f"CL lines {show(first)} and {show(second)}", post(*lines, body=b"hello" + smuggled), (BAD,))
    for line in (
        b"Content-Length : 5", b"Content-Length\t: 5", b" Content-Length: 5", b"Content-Length:\r\n 5",
        b"Content_Length: 5", b"Content-Length\x00: 5", b"Content Length: 5", b"Content-Length", b"Content-Length 5",
        b"Content-Length: 5\n", b"X: y\nContent-Length: 5",
    ):  # fmt: skip
        yield RequestCase(f"line {show(line)}", post(line, body=b"hello"), (BAD,))
    yield RequestCase("GET with a body", get(length) + b"hello", (Seen(body=b"hello"),))
    yield RequestCase("GET chunked", get(coding) + OK_BODY, (Seen(body=b"hello"),))
    yield RequestCase(
        "a body that is a request",
        post(b"Content-Length: %d" % len(smuggled), body=smuggled),
        (Seen("POST", body=smuggled),),
    )
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(smuggled), smuggled)
    yield RequestCase("a chunk that is a request", chunked(chunk), (Seen("POST", body=smuggled),))
    yield RequestCase("POST without length", post(), (Seen("POST"),))
    yield RequestCase("POST with CL 0", post(b"Content-Length: 0"), (Seen("POST"),))
    yield RequestCase("HEAD with a body", get(length, method=b"HEAD") + b"hello", (Seen("HEAD", body=b"hello"),))
    yield RequestCase(
        "Connection names CL",
        post(length, b"Connection: Content-Length", body=b"hello"),
        (Seen("POST", body=b"hello"),),
    )
    yield RequestCase(
        "Connection names TE",
        post(coding, b"Connection: Transfer-Encoding", body=OK_BODY),
        (Seen("POST", body=b"hello"),),
    )


def chunks() -> Iterator[RequestCase]:
    for body, payload in (
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"), (b"0\r\n\r\n", b""), (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"), (b"0005\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n00000\r\n\r\n", b"hello"), (b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello"),
        (b"5\r\n\r\n\r\n\r\r\n0\r\n\r\n", b"\r\n\r\n\r"), (b"5;x\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5;x=y\r\nhello\r\n0;z\r\n\r\n", b"hello"), (b'5;x="y;z"\r\nhello\r\n0\r\n\r\n', b"hello"),
        (b'5;x="\\""\r\nhello\r\n0\r\n\r\n', b"hello"), (b"5;a;b=c;d\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n0\r\nX: y\r\n\r\n", b"hello"), (b"5\r\nhello\r\n0\r\nX:\r\nY: z\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n0\r\nContent-Length: 99\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n0\r\nTransfer-Encoding: x\r\nHost: evil\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n0\r\n" + b"X: y\r\n" * 64 + b"\r\n", b"hello"),
    ):  # fmt: skip
        yield RequestCase(
            f"chunks {show(body)}", chunked(body), (Seen("POST", body=payload, lacks=(b"x", b"trailer")),)
        )
    for body in (
        b"5\r\nhello\r\n0\r\n" + b"X: y\r\n" * 65 + b"\r\n", b"5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n",
        b"5\r\nhello\r\n0\r\n: y\r\n\r\n", b"5\r\nhello\r\n0\r\nX: y\rz\r\n\r\n",
        b"5\r\nhello\r\n0\r\nX: y\r\nGET /smuggled HTTP/1.1\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"\t5\r\nhello\r\n0\r\n\r\n",
        b"5\t\r\nhello\r\n0\r\n\r\n", b"5 ;x\r\nhello\r\n0\r\n\r\n", b"5; x\r\nhello\r\n0\r\n\r\n",
    ):  # fmt: skip
        yield RequestCase(f"chunks {show(body)}", chunked(body), (BAD,))
    for body in (
        b"+5\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n",
        b"x5\r\nhello\r\n0\r\n\r\n", b"5h\r\nhello\r\n0\r\n\r\n", b"5.\r\nhello\r\n0\r\n\r\n",
        b"5_0\r\nhello\r\n0\r\n\r\n", b"\r\nhello\r\n0\r\n\r\n", b"g\r\nhello\r\n0\r\n\r\n",
        b"\xef\xbc\x95\r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r\n0\n\n", b"5\r\nhello\r\n0\r\n\n", b"5\r\nhello\r\n0\n\r\n", b"5\rhello\r\n0\r\n\r\n",
        b"5\r\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\r\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello!\r\n0\r\n\r\n", b"5\r\nhell\r\n0\r\n\r\n", b"4\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n",
        b"5;\r\nhello\r\n0\r\n\r\n", b"5;x=\r\nhello\r\n0\r\n\r\n", b"5;=y\r\nhello\r\n0\r\n\r\n",
        b"5;x\ny\r\nhello\r\n0\r\n\r\n", b"5;x\ry\r\nhello\r\n0\r\n\r\n", b"5;x=\"\n\"\r\nhello\r\n0\r\n\r\n",
        b'5;x="y\r\nhello\r\n0\r\n\r\n', b"5;\x00\r\nhello\r\n0\r\n\r\n", b"5\x00\r\nhello\r\n0\r\n\r\n",
        b"\x005\r\nhello\r\n0\r\n\r\n", b"5,5\r\nhello\r\n0\r\n\r\n", b"5 5\r\nhello\r\n0\r\n\r\n",
        b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n", b"00000000000000000000005\r\nhello\r\n0\r\n\r\n",
        b"5;" + b"x" * 600 + b"\r\nhello\r\n0\r\n\r\n", b"5;x=" + b"y" * 20000 + b"\r\nhello\r\n0\r\n\r\n",
        b"1;abcdefghijklmnopqrstuvwxyz0123456789\r\nx\r\n" * 600 + b"0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nno colon\r\n\r\n", b"5\r\nhello\r\n0\r\nX : y\r\n\r\n",
        b"5\r\nhello\r\n0\r\n X: y\r\n\r\n", b"5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n",
        b"5\r\nhello\r\n0\r\nX: y\n\r\n", b"5\r\nhello\r\n0\r\nX: \x00\r\n\r\n", b"5\r\nhello\r\n0\r\nX: y\rz\r\n\r\n",
        b"5\r\nhello\r\n0\r\n: y\r\n\r\n", b"5\r\nhello\r\n0\r\n" + b"X: " + b"y" * 9000 + b"\r\n\r\n",
        b"5\r\nhello\r\n0\r\n" + b"X: y\r\n" * 2000 + b"\r\n",
        b"5\r\nhello\r\n0\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n", b"hello", b"x", b"-", b"1234567890abcdef",
        b"hello\r\n", b"{}\r\n\r\n\r\n",
    ):  # fmt: skip
        yield RequestCase(f"chunks {show(body)}", chunked(body), (BAD,))


def upgrades() -> Iterator[RequestCase]:
    socket = (
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    smuggled = get(target=b"/smuggled")
    yield RequestCase("upgrade with CL", get(*socket, b"Content-Length: 5") + b"hello", (BAD,))
    yield RequestCase("upgrade with TE", get(*socket, b"Transfer-Encoding: chunked") + OK_BODY, (BAD,))
    yield RequestCase(
        "upgrade with CL, smuggled",
        get(*socket, b"Content-Length: %d" % len(smuggled), target=b"/ws") + smuggled,
        (BAD,),
    )
    yield RequestCase("upgrade that is declined, with early bytes", get(*socket) + smuggled, (Seen(),), closes=True)
    yield RequestCase("upgrade that is declined", get(*socket), (Seen(),), closes=False)
    yield RequestCase(
        "Upgrade h2c",
        get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQ"),
        (Seen(lacks=(b"upgrade", b"http2-settings", b"connection")),),
    )
    yield RequestCase(
        "Upgrade h2c and websocket",
        get(b"Connection: Upgrade", b"Upgrade: h2c, websocket"),
        (Seen(lacks=(b"upgrade",)),),
        either=True,
    )
    yield RequestCase(
        "Upgrade without Connection", get(b"Upgrade: websocket"), (Seen(lacks=(b"upgrade", b"connection")),)
    )
    yield RequestCase(
        "Connection: Upgrade without Upgrade", get(b"Connection: Upgrade"), (Seen(lacks=(b"upgrade", b"connection")),)
    )
    yield RequestCase("Upgrade TLS/1.0", get(b"Connection: Upgrade", b"Upgrade: TLS/1.0"), (Seen(lacks=(b"upgrade",)),))


def expectations() -> Iterator[RequestCase]:
    length = b"Content-Length: 5"
    for value in (b"100-continue", b"100-Continue"):
        yield RequestCase(
            f"Expect {show(value)}", post(length, b"Expect: " + value, body=b"hello"), (Seen("POST", body=b"hello"),)
        )
    yield RequestCase("Expect without a body", get(b"Expect: 100-continue"), (Seen(),))
    yield RequestCase(
        "Expect, chunked",
        post(b"Transfer-Encoding: chunked", b"Expect: 100-continue", body=OK_BODY),
        (Seen("POST", body=b"hello"),),
    )
    yield RequestCase(
        "Expect in HTTP/1.0",
        post(length, b"Expect: 100-continue", body=b"hello", version=b"HTTP/1.0"),
        (Seen("POST", body=b"hello"),),
        closes=True,
    )
    for value in (b"", b"foo", b"100-continue, foo", b"100-continuex", b"100 continue", b"200-ok", b"100-continue;x=y"):
        yield RequestCase(
            f"Expect {show(value)}", post(length, b"Expect: " + value, body=b"hello"), (frozenset({400, 417}),)
        )


def pipelines() -> Iterator[RequestCase]:
    good = Seen(target="/first")
    first, second = get(target=b"/first"), get(target=b"/second")
    then = Seen(target="/second")
    body = post(b"Content-Length: 5", target=b"/first", body=b"hello")
    parts = post(b"Transfer-Encoding: chunked", target=b"/first", body=OK_BODY)
    yield RequestCase("two", first + second, (good, then))
    yield RequestCase("five", first * 4 + second, (good,) * 4 + (then,))
    yield RequestCase("body, then one", body + second, (replace(good, method="POST", body=b"hello"), then))
    yield RequestCase("chunks, then one", parts + second, (replace(good, method="POST", body=b"hello"), then))
    yield RequestCase("empty line between", first + b"\r\n" + second, (good, then))
    yield RequestCase(
        "HEAD, then GET", get(target=b"/first", method=b"HEAD") + second, (replace(good, method="HEAD"), then)
    )
    for name, bad in (
        ("bad Host", get(target=b"/second", host=b"Host: a b\r\n")), ("no Host", get(target=b"/second", host=b"")),
        ("CL and TE", post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=OK_BODY)),
        ("LF", second.replace(b"\r\n", b"\n") + b"\r\n\r\n"), ("garbage", b"\x00\x01\x02\r\n\r\n"),
        ("fold", get(b"X: y\r\n z")), ("dots", get(target=b"/..")), ("bad chunks", chunked(b"x\r\n")),
    ):  # fmt: skip
        yield RequestCase(f"good, then {name}", first + bad + second, (good, BAD))
        yield RequestCase(f"body, then {name}", body + bad, (replace(good, method="POST", body=b"hello"), BAD))
        yield RequestCase(f"{name}, then good", bad + second, (BAD,))
    yield RequestCase("close, then one", get(b"Connection: close", target=b"/first") + second, (good,), closes=True)
    yield RequestCase("HTTP/1.0, then one", get(target=b"/first", version=b"HTTP/1.0") + second, (good,), closes=True)
    yield RequestCase(
        "bytes over the length",
        post(b"Content-Length: 4", target=b"/first", body=b"hello") + second,
        (replace(good, method="POST", body=b"hell"), METHOD),
    )
    yield RequestCase(
        "bytes over the last chunk", parts + b"X" + second, (replace(good, method="POST", body=b"hello"), METHOD)
    )
    yield RequestCase("good, then CONNECT", first + get(method=b"CONNECT") + second, (good, METHOD))
