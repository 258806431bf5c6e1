"""OTLP, the protocol of OpenTelemetry, in Protocol Buffers: spans, and what is common to all it carries.

Field numbers are those of opentelemetry-proto 1.10 (``common/v1``, ``resource/v1``, ``trace/v1``, ``collector/…``).
Source: https://opentelemetry.io/docs/specs/otlp/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .protobuf import fields, fixed64, message, number, real, text
from .span import SPAN_KINDS, Span, Value, micros

__all__ = ["PROTOBUF_TYPE", "TRACE_METHOD", "attributes", "otlp_request", "otlp_span", "rejected"]

PROTOBUF_TYPE = "application/x-protobuf"
TRACE_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_ERROR = message(15, number(3, 2))
_SCOPE = message(1, text(1, "api_gateway_service_mesh"))


def otlp_span(span: Span) -> bytes:
    """One ``Span``."""
    return b"".join(
        (
            message(1, bytes.fromhex(span.trace_id)),
            message(2, bytes.fromhex(span.span_id)),
            message(4, bytes.fromhex(span.parent_id)) if span.parent_id else b"",
            text(5, span.name),
            number(6, SPAN_KINDS[span.kind]),
            fixed64(7, micros(span.begin) * 1000),
            fixed64(8, micros(span.end) * 1000),
            attributes(9, span.attributes),
            _ERROR if span.failed else b"",
        )
    )


def otlp_request(items: Sequence[bytes], resource: Mapping[str, Value]) -> bytes:
    """Spans or metrics of one `resource` as the request of their service: the three levels have the same numbers."""
    scoped = b"".join((_SCOPE, *(message(2, item) for item in items)))
    return message(1, message(1, attributes(1, resource)) + message(2, scoped))


def attributes(field: int, found: Mapping[str, Value] | Sequence[tuple[str, Value]]) -> bytes:
    """``KeyValue``s in a field."""
    pairs = found.items() if isinstance(found, Mapping) else found
    return b"".join([message(field, text(1, name) + message(2, _value(value))) for name, value in pairs])


def rejected(answer: bytes) -> int:
    """How many of what was sent the collector's answer says that it did not take (``partial_success``)."""
    for field, content in fields(answer):
        if field == 1 and isinstance(content, bytes):
            return next((value for inner, value in fields(content) if inner == 1 and isinstance(value, int)), 0)
    return 0


def _value(value: Value) -> bytes:
    if isinstance(value, bool):
        return number(2, value)
    if isinstance(value, int):
        return number(3, value)
    return real(4, value) if isinstance(value, float) else text(1, value)
