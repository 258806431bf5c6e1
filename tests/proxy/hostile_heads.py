"""What a head says: Host, targets, versions, methods, fields, sizes, hop-by-hop (RFC 9112 §2, §3, §5; RFC 9110 §7)."""

from __future__ import annotations

from collections.abc import Iterator

from .hostile_request import BAD, HOST, LARGE, LINE, METHOD, VERSION, RequestCase, Seen, get, post, show

__all__ = ["fields", "hops", "hosts", "methods", "sizes", "targets", "versions"]


def hosts() -> Iterator[RequestCase]:
    for value, seen in (
        (b"h.example", b"h.example"), (b"H.EXAMPLE", b"H.EXAMPLE"), (b"h.example:80", b"h.example:80"),
        (b"h.example.", b"h.example."), (b"127.0.0.1", b"127.0.0.1"), (b"[::1]", b"[::1]"),
        (b"[::1]:8080", b"[::1]:8080"), (b"_x.h.example", b"_x.h.example"), (b" h.example\t", b"h.example"),
        (b"h-1.example:65535", b"h-1.example:65535"), (b"xn--bcher-kva.example", b"xn--bcher-kva.example"),
        (b"1", b"1"),
    ):  # fmt: skip
        yield RequestCase(f"Host {show(value)}", get(host=b"Host:" + value + b"\r\n"), (Seen(host=seen),))
    for value in (
        b"", b" ", b"a b", b"a\tb", b"<script>", b"a,b", b"a, b", b"a@b", b"user:pass@a", b"http://a", b"a/b", b"/a",
        b"a?b", b"a#b", b"a:port", b"a:99999", b"a:65536", b"a:-1", b"a:80:80", b"a:8 0", b":80", b"[::1", b"::1",
        b"[::1]x", b"[]", b"[g::1]", b"a\x00b", b"a\x0bb", b"a\x7fb", b"\xe4.example", b"%41", b"a%00b", b"a\\b",
        b"a;b", b"a'b", b'"a"', b"(a)", b"*", b"*.example", b"a=b", b"{a}", b"a|b", b"a&b", b"a!b", b"$a", b"`id`",
        b"-a", b"h" * 300, b".", b".a",
    ):  # fmt: skip
        yield RequestCase(f"Host {show(value)}", get(host=b"Host: " + value + b"\r\n"), (BAD,))
    yield RequestCase("Host 'a:'", get(host=b"Host: a:\r\n"), (BAD,))
    yield RequestCase("no Host", get(host=b""), (BAD,))
    for pair in (
        HOST + HOST, HOST + b"Host: evil\r\n", b"Host: evil\r\n" + HOST, HOST + b"host: h.example\r\n",
        HOST + b"X: y\r\nHOST: h.example\r\n", b"Host: \r\n" + HOST, HOST + b"Host:\r\n",
    ):  # fmt: skip
        yield RequestCase(f"Hosts {show(pair)}", get(host=pair), (BAD,))
    for line in (
        b"Host : h", b" Host: h", b"\tHost: h", b"Host\x00: h", b"Host\t: h", b"Ho st: h", b"Host:\r\n h",
        b"Host: h\r\n .evil", b"Host", b"Host h", b"Host: h\nX: y", b"Host: h\rX: y",
    ):  # fmt: skip
        yield RequestCase(f"line {show(line)}", get(host=line + b"\r\n"), (BAD,))
        yield RequestCase(f"Host and line {show(line)}", get(line), (BAD,))
    yield RequestCase("hOsT", get(host=b"hOsT: h.example\r\n"), (Seen(),))
    yield RequestCase("Connection names Host", get(b"Connection: Host"), (Seen(),))
    for target, path, host in (
        (b"http://h.example/p", "/p", b"h.example"), (b"http://other.example/p?q", "/p?q", b"other.example"),
        (b"HTTP://other.example/p", "/p", b"other.example"), (b"http://other.example", "/", b"other.example"),
        (b"http://other.example?q", "/?q", b"other.example"),
        (b"http://other.example:8080/p", "/p", b"other.example:8080"),
        (b"https://other.example/p", "/p", b"other.example"), (b"http://[::1]:80/p", "/p", b"[::1]:80"),
    ):  # fmt: skip
        yield RequestCase(
            f"absolute {show(target)}",
            get(target=target),
            (Seen(target=path, host=host, has=(b"x-forwarded-host: " + host,)),),
        )
    for target in (
        b"http:///p", b"http://", b"http:/h/p", b"http:h", b"http://u@h/p", b"http://u:p@h/p", b"http://@h/p",
        b"http://h:99999/", b"http://h:x/", b"http://h#f", b"http://h/p#f", b"http://h/../x", b"http://h/%2e%2e/x",
        b"http://h\\p", b"http:\\\\h\\p", b"http://h/a\\b", b"http://a b/", b"http://a,b/", b"http://[::1/p",
        b"ftp://h/p", b"ws://h/p", b"javascript:alert(1)", b"file:///etc/passwd", b"h.example:80", b"http://h/%00",
        b"http://*/", b"http://%68/", b"gopher://h/", b"httpx://h/", b"http//h/p",
    ):  # fmt: skip
        yield RequestCase(f"absolute {show(target)}", get(target=target), (BAD,))
    yield RequestCase("absolute without Host", get(target=b"http://h.example/p", host=b""), (BAD,))
    yield RequestCase("absolute with two Hosts", get(target=b"http://h.example/p", host=HOST + HOST), (BAD,))
    yield RequestCase("absolute with a bad Host", get(target=b"http://h.example/p", host=b"Host: a b\r\n"), (BAD,))


def targets() -> Iterator[RequestCase]:
    for target in (
        b"/", b"/p", b"/a/b/c", b"//", b"//a", b"/a//b", b"/...", b"/a/..b", b"/a..", b"/.well-known/x", b"/a/.hidden",
        b"/a;b=c", b"/:@!$&'()*+,;=-._~", b"/%41", b"/%2F", b"/a%2Fb", b"/%25", b"/%252e%252e/x", b"/p?",
        b"/p?a=b&c=../../x", b"/p?q=/./", b"/p?a?b", b"/%C3%A9", b"/a%20b", b"/p?x=%2e%2e%2f", b"/%7e", b"/a/b.c/",
        b"/a.", b"/a/.b/c", b"/x/%2f",
    ):  # fmt: skip
        yield RequestCase(f"target {show(target)}", get(target=target), (Seen(target=target.decode()),))
    for target in (
        b"/..", b"/.", b"/../", b"/./", b"/a/..", b"/a/.", b"/a/../b", b"/a/./b", b"/../../etc/passwd", b"/..?q",
        b"/.?q", b"/%2e", b"/%2e%2e", b"/%2E%2E/x", b"/%2e./x", b"/.%2e/x", b"/.%2E", b"/a/%2e/b", b"/a/%2e%2e/b",
        b"/a%2f..%2fb", b"/a%2f..", b"/a/..%2fb", b"/a%2F%2e%2e%2Fb", b"/..;/x", b"/..;a=b/x", b"/a/..;x", b"/.;/x",
        b"/..%3b/x", b"/%2e%2e;/x", b"/a\\b", b"/..\\x", b"/a/..\\b", b"/a%5cb", b"/a%5Cb", b"/..%5cx", b"/a%5c..%5cb",
        b"/%00", b"/a%00b", b"/a/%00/..", b"/%", b"/%z", b"/%1", b"/a%", b"/a%g0", b"/%u002e", b"/%%32e", b"/a%2",
        b"/a b", b"/a\tb", b"/a\x0bb", b"/a\x00b", b"/a\x01", b"/a\x7f", b"/\xc3\xa9", b"/\xff", b"/a#frag", b"/#",
        b"/p?a#b", b"/p?a b", b"/p?\x00", b"/p?\xff", b"/p?\x7f", b"a", b"p/q", b"?q", b"#", b".", b"..", b"\\",
        b"./p", b"../p", b"/a\rb", b"*", b"**", b"*/", b"/a/%2e%2e%2f", b"/.//", b"/a/b/../..", b"@h", b":80",
        b"/%2e%2E%2f%2e", b"/foo/%2e%2e%3b/bar",
    ):  # fmt: skip
        yield RequestCase(f"target {show(target)}", get(target=target), (BAD,))
    for target in (
        b'/a"b', b"/<p>", b"/a^b", b"/a`b", b"/{p}", b"/a|b", b"/p?%", b"/p?%00", b"/p?a\\b", b'/p?"', b"/[x]",
        b"/%c0%ae%c0%ae/x", b"/%ef%bc%8e/",
    ):  # fmt: skip
        yield RequestCase(f"target {show(target)}", get(target=target), (Seen(target=target.decode()),), either=True)
    yield RequestCase("no target", b"GET HTTP/1.1\r\n%b\r\n" % HOST, (VERSION,))
    yield RequestCase("empty target", b"GET  HTTP/1.1\r\n%b\r\n" % HOST, (VERSION,))


def versions() -> Iterator[RequestCase]:
    for version in (
        b"HTTP/0.9", b"HTTP/1.2", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/2", b"HTTP/3.0", b"HTTP/9.9", b"HTTP/1", b"HTTP/1.",
        b"HTTP/.1", b"HTTP/1.10", b"HTTP/1.01", b"HTTP/01.1", b"HTTP/11", b"HTTP/1,1", b"HTTP/1.1x", b"HTTP/1.1 ",
        b" HTTP/1.1", b"HTTP/ 1.1", b"HTTP /1.1", b"HTTP/1 .1", b"http/1.1", b"Http/1.1", b"HTTPS/1.1", b"HTTP\\1.1",
        b"HTTP/+1.1", b"HTTP/-1.1", b"HTTP/1.-1", b"ICE/1.0", b"RTSP/1.0", b"SIP/2.0", b"HTTP/a.b",
        b"HTTP/\xef\xbc\x91.1", b"HTTP/1.1\t", b"\tHTTP/1.1", b"HTTP/1.1\x00", b"HTTP/1.1 HTTP/1.1", b"HTTP/1.0\x0b",
        b"", b"x", b"HTTP", b"HTTP/", b"HTTP/4294967297.1", b"HTTP/1.1\r",
    ):  # fmt: skip
        yield RequestCase(f"version {show(version)}", get(version=version), (VERSION,))
    yield RequestCase("HTTP/0.9 line", b"GET /p\r\n\r\n", (VERSION,))
    yield RequestCase("HTTP/1.0", get(version=b"HTTP/1.0"), (Seen(),), closes=True)
    yield RequestCase(
        "HTTP/1.0 keep-alive", get(b"Connection: keep-alive", version=b"HTTP/1.0"), (Seen(lacks=(b"connection",)),)
    )
    yield RequestCase(
        "HTTP/1.0 with CL",
        post(b"Content-Length: 5", body=b"hello", version=b"HTTP/1.0"),
        (Seen("POST", body=b"hello"),),
        closes=True,
    )
    yield RequestCase(
        "almost an HTTP/2 preface", b"PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n", (frozenset({400, 405, 501, 505}),)
    )
    yield RequestCase("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64 + b"\r\n\r\n", (BAD,))
    yield RequestCase("proxy protocol", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + get(), (VERSION | METHOD,))


def methods() -> Iterator[RequestCase]:
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
        yield RequestCase(f"method {method}", get(method=method.encode()), (Seen(method),))
    yield RequestCase(
        "CONNECT host:port",
        b"CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n\r\n" + get(target=b"/smuggled"),
        (METHOD,),
    )
    yield RequestCase("CONNECT path", get(method=b"CONNECT"), (METHOD,))
    yield RequestCase("CONNECT with a length", get(b"Content-Length: 5", method=b"CONNECT") + b"hello", (METHOD,))
    for method in (
        b"TRACE", b"TRACK", b"DEBUG", b"PRI", b"FOO", b"get", b"Get", b"gET", b"GETT", b"GE", b"G", b"X" * 17,
        b"X" * 500, b"G@T", b"GET:", b"GET,", b"(GET)", b"G\x00T", b"G\xe9T", b"GET\t", b"\x01GET", b"GET/", b"",
        b"\"GET\"", b"GET\x0b", b"\xef\xbb\xbfGET", b"PO ST", b"ICE", b"RTSP", b"SOURCE", b"1", b"-", b"_", b"*",
        b"DESCRIBE", b"INVITE",
    ):  # fmt: skip
        yield RequestCase(f"method {show(method)}", get(method=method), (METHOD,))
    for start in (
        b" GET /p HTTP/1.1", b"\tGET /p HTTP/1.1", b"GET  /p HTTP/1.1", b"GET /p  HTTP/1.1", b"GET\t/p\tHTTP/1.1",
        b"GET /p\tHTTP/1.1", b"GET\x0b/p HTTP/1.1", b"GET /p HTTP/1.1\n", b"GET /p", b"GET", b"\x00GET /p HTTP/1.1",
        b"GET\n/p HTTP/1.1", b"GET /p\nHTTP/1.1", b"GET /p\rHTTP/1.1", b": GET /p HTTP/1.1", b"Host: h",
    ):  # fmt: skip
        yield RequestCase(f"line {show(start)}", start + b"\r\n" + HOST + b"\r\n", (VERSION | METHOD,))
    yield RequestCase("OPTIONS *", get(target=b"*", method=b"OPTIONS"), (frozenset({404}),))
    for method in (b"POST", b"HEAD", b"DELETE"):
        yield RequestCase(f"{method.decode()} *", get(target=b"*", method=method), (BAD,))


def fields() -> Iterator[RequestCase]:
    for line in (
        b"X: ", b"X:", b"X:\t", b"X: a b\tc", b"X: \xe9\xff\x80", b"X: (){}[]<>@,;:\\\"/?=",
        b"!#$%&'*+-.^_`|~09azAZ: y", b"X: " + b"y" * 4000, b"X-" + b"n" * 200 + b": y", b"X: y: z", b"X:y",
        b"X: \xc3\xa9", b"X::y", b"Cookie: a=b; c=d", b"A_B: c",
    ):  # fmt: skip
        yield RequestCase(f"field {show(line)}", get(line), (Seen(),))
    for line in (
        b"X : y", b"X\t: y", b"X\x0b: y", b": y", b":", b" X: y", b"\tX: y", b"X", b"X y", b"(X): y", b"X[]: y",
        b"X/Y: z", b"X@Y: z", b'"X": y', b"X,Y: z", b"X;Y: z", b"{X}: y", b"X=Y: z", b"X?: y", b"<X>: y", b"X\\Y: z",
        b"\xe9: y", b"X\xe9: y", b"X\x00: y", b"X: y\x00z", b"X: \x00", b"X: y\x01", b"X: y\x08", b"X: y\x0bz",
        b"X: y\x0cz", b"X: y\x1f", b"X: y\x7f", b"X: y\rz", b"X: y\nz", b"X: y\nY: z", b"X: y\rY: z", b"X\r: y",
        b"X\n: y", b"X: y\r", b"X: y\n", b"\rX: y", b"\nX: y", b"X: y\r\n z", b"X: y\r\n\tz", b"X:\r\n y",
        b"X: y\r\n \r\nZ: a", b"X\r\n : y", b"X: y\r\n\x0bz", b"\x00", b"\x00: y", b"X: y\r\r", b" ", b"\t",
        b"GET /smuggled HTTP/1.1", b"X\xa0: y", b"X: y\x1bz", b"\xff\xfe: y", b"X: a\n\n",
    ):  # fmt: skip
        yield RequestCase(f"field {show(line)}", get(line), (BAD,))
        yield RequestCase(f"first field {show(line)}", get(host=line + b"\r\n" + HOST), (BAD,))
    plain = get()
    yield RequestCase("one empty line first", b"\r\n" + plain, (Seen(),))
    yield RequestCase("a bare LF first", b"\n" + plain, (BAD,))
    yield RequestCase("a bare CR first", b"\r" + plain, (BAD,))
    yield RequestCase("many empty lines first", b"\r\n" * 20 + plain, (BAD,))
    yield RequestCase("LF line ends", plain.replace(b"\r\n", b"\n") + b"\r\n\r\n", (BAD,))
    yield RequestCase("CR line ends", plain.replace(b"\r\n", b"\r") + b"\r\n\r\n", (BAD,))
    yield RequestCase("LF after the request line", plain.replace(b"\r\n", b"\n", 1), (BAD,))
    yield RequestCase("LF at the end", plain[:-2] + b"\n\r\n\r\n", (BAD,))
    yield RequestCase("CR CR LF", plain.replace(b"\r\n", b"\r\r\n"), (BAD,))
    yield RequestCase("LF CR", plain.replace(b"\r\n", b"\n\r") + b"\r\n\r\n", (BAD,))
    yield RequestCase("space before the empty line", plain[:-2] + b" \r\n\r\n", (BAD,))


def sizes() -> Iterator[RequestCase]:
    longest = b"/" + b"a" * (8190 - len(b"GET / HTTP/1.1"))
    yield RequestCase("longest line", get(target=longest), (Seen(target=longest.decode()),))
    yield RequestCase("line one over", get(target=longest + b"a"), (frozenset({414}),))
    yield RequestCase("line of 64 KiB", get(target=b"/" + b"a" * 65536), (LINE,))
    yield RequestCase("line of 64 KiB without end", b"GET /" + b"a" * 65536, (LINE,))
    yield RequestCase("query over", get(target=b"/p?" + b"a" * 9000), (LINE,))
    yield RequestCase("method of 64 KiB", b"G" * 65536, (LINE | METHOD,))
    yield RequestCase("most fields", get(*(b"X-%d: y" % number for number in range(99))), (Seen(),))
    yield RequestCase("one field over", get(*(b"X-%d: y" % number for number in range(100))), (LARGE,))
    yield RequestCase("20000 fields", get(*(b"X-%d: y" % number for number in range(20000))), (LARGE,))
    room = 32768 - len(HOST) - len(b"X: \r\n")
    yield RequestCase("largest block", get(b"X: " + b"y" * room), (Seen(),))
    yield RequestCase("block one over", get(b"X: " + b"y" * (room + 1)), (LARGE,))
    yield RequestCase("1 MiB field", get(b"X: " + b"y" * 2**20), (LARGE,))
    yield RequestCase("1 MiB name", get(b"y" * 2**20 + b": x"), (LARGE,))
    yield RequestCase("block without end", b"GET /p HTTP/1.1\r\n" + b"X: y\r\n" * 20000, (LARGE,))
    yield RequestCase("field without end", b"GET /p HTTP/1.1\r\nX: " + b"y" * 70000, (LARGE,))
    yield RequestCase("duplicate fields", get(*([b"X: y"] * 99)), (Seen(),))
    yield RequestCase(
        "long Connection",
        get(b"Connection: " + b",".join(b"x%d" % number for number in range(3000))),
        (Seen(lacks=(b"connection",)),),
    )


def hops() -> Iterator[RequestCase]:
    yield RequestCase(
        "Connection names a field",
        get(b"Connection: X-Secret", b"X-Secret: 1", b"X-Kept: 2"),
        (Seen(has=(b"x-kept: 2",), lacks=(b"x-secret", b"connection")),),
    )
    yield RequestCase(
        "Connection names it first",
        get(b"X-Secret: 1", b"connection: x-SECRET , keep-alive"),
        (Seen(lacks=(b"x-secret",)),),
    )
    yield RequestCase(
        "two Connections",
        get(b"Connection: X-A", b"Connection: X-B", b"X-A: 1", b"X-B: 1"),
        (Seen(lacks=(b"x-a", b"x-b")),),
    )
    for name in (b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Host", b"Via", b"Forwarded", b"X-Request-Id"):
        yield RequestCase(f"Connection names {name.decode()}", get(b"Connection: " + name), (Seen(),))
    yield RequestCase(
        "Connection names Authorization",
        get(b"Connection: Authorization", b"Authorization: Bearer x"),
        (Seen(has=(b"authorization: Bearer x",)),),
    )
    yield RequestCase(
        "Connection names Cookie", get(b"Connection: Cookie", b"Cookie: a=b"), (Seen(has=(b"cookie: a=b",)),)
    )
    yield RequestCase("Connection empty", get(b"Connection:"), (Seen(lacks=(b"connection",)),))
    yield RequestCase("Connection commas", get(b"Connection: ,,keep-alive,,"), (Seen(lacks=(b"connection",)),))
    for value in (b"a b", b"@", b"close;x", b'"close"', b"a/b", b"(c)"):
        yield RequestCase(f"Connection {show(value)}", get(b"Connection: " + value), (BAD,))
    yield RequestCase("Connection: close", get(b"Connection: close"), (Seen(lacks=(b"connection",)),), closes=True)
    yield RequestCase(
        "Connection: CLOSE", get(b"Connection: keep-alive, CLOSE"), (Seen(lacks=(b"connection",)),), closes=True
    )
    for line in (
        b"Keep-Alive: timeout=5", b"Proxy-Connection: keep-alive", b"TE: gzip", b"TE: x-trailers;q=1", b"Trailer: X",
        b"Proxy-Authorization: Basic x", b"HTTP2-Settings: x", b"X-Real-IP: 6.6.6.6",
        b"X-Forwarded-Client-Cert: Subject=x", b"X_Real_IP: 6.6.6.6",
    ):  # fmt: skip
        yield RequestCase(f"removed {show(line)}", get(line), (Seen(lacks=(line.partition(b":")[0].lower(),)),))
    for line in (b"TE: trailers", b"TE: gzip;q=0.5, Trailers", b"TE:\ttrailers\t"):
        yield RequestCase(
            f"said anew {show(line)}", get(line), (Seen(has=(b"te: trailers", b"connection: TE"), lacks=(b"x",)),)
        )
    yield RequestCase("TE twice", get(b"TE: gzip", b"TE: trailers"), (Seen(has=(b"te: trailers", b"connection: TE")),))
    spoofed = Seen(
        has=(b"x-forwarded-for: 127.0.0.1", b"x-forwarded-proto: http", b"x-forwarded-host: h.example"),
        lacks=(b"x_forwarded_for",),
    )
    yield RequestCase(
        "spoofed addresses",
        get(
            b"X-Forwarded-For: 6.6.6.6",
            b"X-Forwarded-Proto: https",
            b"X-Forwarded-Host: evil",
            b"Forwarded: for=6.6.6.6",
        ),
        (spoofed,),
    )
    yield RequestCase(
        "spoofed with underscores",
        get(b"X_Forwarded_For: 6.6.6.6", b"X-Forwarded_For: 6.6.6.6", b"x_FORWARDED-for: 6.6.6.6"),
        (spoofed,),
    )
    for line in (b"Transfer_Encoding: chunked", b"Content_Length: 5"):
        yield RequestCase(f"underscore {show(line)}", get(line), (BAD,))
