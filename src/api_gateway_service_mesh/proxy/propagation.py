"""How a trace travels with a request: fields read from its client, and written for its backends.

W3C Trace Context (https://www.w3.org/TR/trace-context/), B3 in one field and in several
(https://github.com/openzipkin/b3-propagation), and Jaeger's own field. A field that is malformed, or stands there
twice, says nothing. Ids are 32 and 16 lower-case hexadecimal digits; shorter ones get zeros in front.
"""

from __future__ import annotations

import re
from typing import Final

from api_gateway_service_mesh.model import Propagation

__all__ = ["Parent", "read_parent", "trace_fields", "without"]

_TRACEPARENT: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_B3: Final = re.compile(rb"([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?")
_UBER: Final = re.compile(rb"([0-9a-f]{1,32})(?::|%3a)([0-9a-f]{1,16})(?::|%3a)[0-9a-f]{0,16}(?::|%3a)([0-9a-f]{1,2})")
_B3_TRACE: Final = re.compile(rb"[0-9a-f]{32}|[0-9a-f]{16}")
_B3_SPAN: Final = re.compile(rb"[0-9a-f]{16}")
_NO_TRACE: Final = b"0" * 32
_NO_SPAN: Final = b"0" * 16
_SAMPLED: Final = {b"1": True, b"d": True, b"true": True, b"0": False, b"false": False}

#: What each way writes, as a template for trace and span; ``@``: whether it is sampled.
_WRITTEN: Final[dict[Propagation, bytes]] = {
    Propagation.TRACE_CONTEXT: b"traceparent: 00-%b-%b-0@\r\n",
    Propagation.B3: b"b3: %b-%b-@\r\n",
    Propagation.B3_MULTI: b"X-B3-TraceId: %b\r\nX-B3-SpanId: %b\r\nX-B3-Sampled: @\r\n",
    Propagation.JAEGER: b"uber-trace-id: %b:%b:0:@\r\n",
}
#: The fields that each way is made of.
FIELDS: Final[dict[Propagation, tuple[bytes, ...]]] = {
    Propagation.TRACE_CONTEXT: (b"traceparent",),
    Propagation.BAGGAGE: (),
    Propagation.B3: (b"b3",),
    Propagation.B3_MULTI: (b"x-b3-traceid", b"x-b3-spanid", b"x-b3-parentspanid", b"x-b3-sampled", b"x-b3-flags"),
    Propagation.JAEGER: (b"uber-trace-id",),
}


class Parent:
    """What a request said of the trace it belongs to: ``sampled`` None leaves it to others. ``trace_id`` may be empty:
    B3 can say whether to sample and no more."""

    __slots__ = ("sampled", "span_id", "trace_id")

    def __init__(self, trace_id: bytes, span_id: bytes, sampled: bool | None) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.sampled = sampled


def trace_fields(ways: tuple[Propagation, ...], sampled: bool) -> bytes:
    """A template for the header lines of all `ways`: takes a trace id and a span id for each of them."""
    template = b"".join([_WRITTEN[way] for way in ways if way in _WRITTEN])
    return template.replace(b"@", b"1" if sampled else b"0")


def read_parent(way: Propagation, fields: bytes, lower: bytes) -> Parent | None:
    """What the header lines `fields` say in this way; `lower`: the same in lower case."""
    if way is Propagation.TRACE_CONTEXT:
        value = _value(lower, fields, b"\ntraceparent:")
        found = _TRACEPARENT.fullmatch(value) if value is not None else None
        if found is None or found[1] == b"ff" or (found[1] == b"00" and found[5] is not None):
            return None
        return _parent(found[2], found[3], bool(int(found[4], 16) & 1))
    if way is Propagation.B3:
        value = _value(lower, lower, b"\nb3:")
        if value is None:
            return None
        if value in _SAMPLED:
            return Parent(b"", b"", _SAMPLED[value])
        found = _B3.fullmatch(value)
        return None if found is None else _parent(found[1], found[2], _SAMPLED.get(found[3]))
    if way is Propagation.JAEGER:
        value = _value(lower, lower, b"\nuber-trace-id:")
        found = _UBER.fullmatch(value) if value is not None else None
        return None if found is None else _parent(found[1], found[2], bool(int(found[3], 16) & 1))
    if way is Propagation.B3_MULTI and b"\nx-b3-" in lower:
        return _several(lower)
    return None


def _several(lower: bytes) -> Parent | None:
    trace, span = _value(lower, lower, b"\nx-b3-traceid:"), _value(lower, lower, b"\nx-b3-spanid:")
    sampled = _SAMPLED.get(_value(lower, lower, b"\nx-b3-sampled:") or b"")
    if _value(lower, lower, b"\nx-b3-flags:") == b"1":
        sampled = True
    if trace is not None and span is not None and _B3_TRACE.fullmatch(trace) and _B3_SPAN.fullmatch(span):
        return _parent(trace, span, sampled)
    return None if sampled is None else Parent(b"", b"", sampled)


def _parent(trace: bytes, span: bytes, sampled: bool | None) -> Parent | None:
    trace, span = trace.rjust(32, b"0"), span.rjust(16, b"0")
    return None if trace == _NO_TRACE or span == _NO_SPAN else Parent(trace, span, sampled)


def _value(lower: bytes, fields: bytes, start: bytes) -> bytes | None:
    """The value of a field that stands there once. `fields`: where from; `start`: its name in lower case between the
    line feed before it and its colon."""
    at = lower.find(start)
    if at < 0 or lower.find(start, at + 1) >= 0:
        return None
    begin = at + len(start)
    return fields[begin : lower.index(b"\r", begin)].strip(b" \t")


def without(fields: bytes, names: tuple[bytes, ...]) -> bytes:
    """`fields` (each line with CR LF, Host first) without those of these lower-case names."""
    lower = fields.lower()
    for name in names:
        start = b"\n%b:" % name
        at = lower.find(start)
        while at >= 0:
            end = lower.index(b"\r\n", at + 1) + 2
            fields = fields[: at + 1] + fields[end:]
            lower = fields.lower()
            at = lower.find(start, at)
    return fields
