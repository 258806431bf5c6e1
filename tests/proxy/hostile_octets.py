"""One octet too many, at each place where parsers were found to differ: before a name, before the colon, at either end of
a value, in a chunk's size line (RFC 9110 §5.1, §5.5, §5.6.2; RFC 9112 §5.1, §7.1). Written as the public tools for request
smuggling do it: every octet that some parser drops, trims, or takes for the end of a line."""

from __future__ import annotations

from collections.abc import Iterator

from .hostile_request import BAD, CODING, HOST, METHOD, VERSION, RequestCase, Seen, chunked, get, post, show

__all__ = ["octets_in_chunks", "octets_in_codings", "octets_in_hosts", "octets_in_lengths", "octets_in_lines"]

_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
#: Controls, what delimits something somewhere, and the C1 controls and spaces of encodings wider than ASCII.
OCTETS = (*range(0x21), *b'"(),/:;<=>?@[\\]{}!#', 0x7F, 0x80, 0x85, 0xA0, 0xAD, 0xC2, 0xEF, 0xFF)
_SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h.example\r\n\r\n"


def octets_in_codings() -> Iterator[RequestCase]:
    """A coding beside a length: nobody may see the one and not the other."""
    length, hello = b"Content-Length: 5", Seen("POST", body=b"hello")
    for code in OCTETS:
        octet = bytes((code,))
        for line in (octet + b"Transfer-Encoding: chunked", b"Transfer-Encoding" + octet + b": chunked"):
            wire = post(length, line, body=b"hello")
            if code in _TOKEN:  # the name of another field
                yield RequestCase(f"CL and {show(line)}", wire, (hello,))
            else:
                yield RequestCase(f"CL and {show(line)}", wire + _SMUGGLED, (CODING,))
        for line in (b"Transfer-Encoding:" + octet + b"chunked", b"Transfer-Encoding: chunked" + octet):
            yield RequestCase(f"CL and {show(line)}", post(length, line, body=b"hello") + _SMUGGLED, (CODING,))
            if code not in b" \t":
                yield RequestCase(f"only {show(line)}", post(line, body=b"0\r\n\r\n") + _SMUGGLED, (CODING,))


def octets_in_lengths() -> Iterator[RequestCase]:
    """A length that is not quite one."""
    for code in OCTETS:
        if code in b" \t":
            continue
        octet = bytes((code,))
        for value in (octet + b"5", b"5" + octet, b"1" + octet + b"5"):
            yield RequestCase(f"CL {show(value)}", post(b"Content-Length: " + value, body=b"hello"), (BAD,))


def octets_in_chunks() -> Iterator[RequestCase]:
    """A size line that is not quite one."""
    for code in OCTETS:
        octet = bytes((code,))
        for line in (octet + b"5", b"5" + octet):
            yield RequestCase(f"chunk {show(line)}", chunked(line + b"\r\nhello\r\n0\r\n\r\n") + _SMUGGLED, (BAD,))
        if code != 0x0D:  # that is how the last line ends
            yield RequestCase(f"last chunk {show(octet)}", chunked(b"0" + octet + b"\r\n\r\n") + _SMUGGLED, (BAD,))


def octets_in_hosts() -> Iterator[RequestCase]:
    """A host that some would cut short, and others not."""
    for code in OCTETS:
        octet = bytes((code,))
        if code in b":":
            continue
        yield RequestCase(f"Host h{show(octet)}x", get(host=b"Host: h" + octet + b"x\r\n"), (BAD,))
        if code not in b" \t":
            yield RequestCase(f"Host h{show(octet)}", get(host=b"Host: h" + octet + b"\r\n"), (BAD,))


def octets_in_lines() -> Iterator[RequestCase]:
    """Request lines with something else than one space where one space belongs, and names with an octet inside."""
    for code in OCTETS:
        octet = bytes((code,))
        if code != 0x20:
            wire = b"GET" + octet + b"/p HTTP/1.1\r\n" + HOST + b"\r\n"
            yield RequestCase(f"line GET{show(octet)}/p", wire, (VERSION | METHOD,))
            wire = b"GET /p" + octet + b"HTTP/1.1\r\n" + HOST + b"\r\n"
            yield RequestCase(f"line /p{show(octet)}HTTP", wire, (VERSION | METHOD,))
        if code not in _TOKEN and code not in b":":
            line = b"X" + octet + b"Y: z"
            yield RequestCase(f"name {show(line)}", get(line), (BAD,))
