"""Protocol Buffers as they are written on the wire: what little of it telemetry needs, without generated code.

Source: https://protobuf.dev/programming-guides/encoding/. Fields that are zero or empty are left out where the caller
says nothing else, as proto3 does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import pack

__all__ = ["doubles", "fields", "fixed64", "fixed64s", "message", "number", "real", "text", "whole"]


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def message(field: int, content: bytes) -> bytes:
    """A message, or bytes, in a field."""
    return b"".join((_varint(field << 3 | 2), _varint(len(content)), content))


def text(field: int, content: str) -> bytes:
    """A string in a field."""
    return message(field, content.encode("utf-8", "replace"))


def number(field: int, value: int) -> bytes:
    """An integer, enumeration or truth value (``int64``, ``bool``)."""
    return _varint(field << 3) + _varint(value & 0xFFFFFFFFFFFFFFFF)


def fixed64(field: int, value: int) -> bytes:
    """A ``fixed64``."""
    return pack("<BQ", field << 3 | 1, value)


def whole(field: int, value: int) -> bytes:
    """An ``sfixed64``."""
    return pack("<Bq", field << 3 | 1, value)


def real(field: int, value: float) -> bytes:
    """A ``double``."""
    return pack("<Bd", field << 3 | 1, value)


def fixed64s(field: int, values: Sequence[int]) -> bytes:
    """A packed ``repeated fixed64``."""
    return message(field, pack(f"<{len(values)}Q", *values))


def doubles(field: int, values: Sequence[float]) -> bytes:
    """A packed ``repeated double``."""
    return message(field, pack(f"<{len(values)}d", *values))


def fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message: integers of varints, else bytes. Ends where the bytes are no message."""
    at, end = 0, len(content)

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = content[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80 or shift > 63:
                return value
            shift += 7

    try:
        while at < end:
            key = varint()
            kind = key & 7
            if kind == 0:
                yield key >> 3, varint()
                continue
            length = 8 if kind == 1 else 4 if kind == 5 else varint() if kind == 2 else end
            if at + length > end:
                return
            yield key >> 3, content[at : at + length]
            at += length
    except IndexError:
        return
