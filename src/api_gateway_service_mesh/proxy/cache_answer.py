"""What of an answer is kept, and which other URLs it speaks of."""

from __future__ import annotations

from urllib.parse import urljoin

from api_gateway_service_mesh.policies.cache import Stored
from api_gateway_service_mesh.policies.cache_fields import field_lines

from .cache_key import url_of

__all__ = ["complete", "kept_lines", "named_urls"]


def kept_lines(block: bytes, drops: frozenset[bytes]) -> bytes:
    """Of an answer's lines those that are kept: not those with names in `drops`."""
    lines = [line for line in block.split(b"\r\n") if line and line.partition(b":")[0].lower() not in drops]
    return b"\r\n".join([*lines, b""])


def complete(entry: Stored, date: bytes) -> None:
    """See to it that it says when it was made (else `date` does), and how long it is."""
    names = {name for name, _ in field_lines(entry.block)}
    if b"date" not in names:
        entry.block += date
    if b"content-length" not in names and entry.status not in (204, 304):
        entry.block += b"Content-Length: %d\r\n" % len(entry.payload)


def named_urls(url: bytes, block: bytes) -> list[bytes]:
    """What the answer with these lines names of the same origin (RFC 9111 §4.4), in normal form."""
    found: list[bytes] = []
    origin = b"/".join(url.split(b"/", 3)[:3]) + b"/"
    for name, value in field_lines(block):
        if name == b"location" or name == b"content-location":
            other = url_of(urljoin(url.decode("latin-1"), value.decode("latin-1")))
            if other.startswith(origin):
                found.append(other)
    return found
