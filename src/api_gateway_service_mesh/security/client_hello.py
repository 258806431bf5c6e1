"""What a client of TLS says first (ClientHello), as far as that decides how it is answered.

OpenSSL judges the handshake. What is read here chooses beforehand what it is given to answer with; a message that
cannot be read so (it goes over several records, it is cut off or is none) is answered as one that names nobody.
"""

from __future__ import annotations

__all__ = ["ALPN", "LARGEST_HELLO_BYTES", "extensions", "hello_bytes", "server_name", "vector"]

ALPN = 16
"""The extension with the protocols that the client offers (RFC 7301)."""
LARGEST_HELLO_BYTES = 5 + 16 * 1024
"""A record, with its head (RFC 8446 §5.1)."""

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME = 0


def hello_bytes(head: bytes) -> int:
    """How many bytes of a connection hold its ClientHello, as far as `head` tells (RFC 8446 §5.1, §4); 0: it cannot be
    read, since it is none, or goes over several records."""
    if len(head) < 5:
        return 5
    if head[0] != _HANDSHAKE:
        return 0
    whole = 5 + int.from_bytes(head[3:5], "big")
    return whole if whole <= LARGEST_HELLO_BYTES else 0


def extensions(hello: bytes) -> dict[int, bytes]:
    """The contents of a ClientHello's extensions by type (RFC 8446 §4.1.2).

    Raises:
        IndexError: it is cut off.
        ValueError: it is cut off, or no ClientHello.
    """
    if hello[0] != _HANDSHAKE or hello[5] != _CLIENT_HELLO:
        raise ValueError
    message = vector(hello[6:], 3)
    rest = message[34:]  # version, random
    for width in (1, 2, 1):  # session, suites, compression
        rest = rest[width + len(vector(rest, width)) :]
    rest, found = vector(rest, 2), {}
    while rest:
        content = vector(rest[2:], 2)
        found[int.from_bytes(rest[:2], "big")] = content
        rest = rest[4 + len(content) :]
    return found


def server_name(hello: bytes) -> str | None:
    """The name that a ClientHello asks for (RFC 6066 §3), in lower case; None when it names nobody, or cannot be read.

    Of a message with several names OpenSSL may see another, if it does not end the handshake: no right hangs on this.
    """
    try:
        names = vector(extensions(hello)[_SERVER_NAME], 2)
        return vector(names[1:], 2).decode("ascii").lower() if names[0] == 0 else None
    except (KeyError, IndexError, ValueError):
        return None


def vector(data: bytes, width: int) -> bytes:
    """The content of a vector whose length is told in `width` bytes.

    Raises:
        ValueError: it is cut off.
    """
    end = width + int.from_bytes(data[:width], "big")
    if len(data) < end or len(data) < width:
        raise ValueError
    return data[width:end]
