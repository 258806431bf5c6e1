"""Spans as collectors read them: OTLP as JSON, and Zipkin JSON version 2. As Protocol Buffers they stand in `otlp`.

Attributes are named by OpenTelemetry's semantic conventions for HTTP (the stable names); those of agw's own begin with
``agw.``. Sources: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding,
https://opentelemetry.io/docs/specs/semconv/http/http-spans/, https://zipkin.io/zipkin-api/.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api_gateway_service_mesh.model import TraceFormat

__all__ = ["SPAN_KINDS", "Span", "Value", "encoded", "micros", "wrapped"]

SPAN_KINDS = {"SERVER": 2, "CLIENT": 3}
Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Span:
    """One timed piece of work: ids in hexadecimal digits (``parent_id`` "" at the root), ``kind`` SERVER or CLIENT,
    begin and end in seconds since 1970, whether it failed, and ``peer``, the address and port of the other side."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    begin: float
    end: float
    failed: bool
    attributes: Mapping[str, Value]
    peer: tuple[str, int]


def encoded(span: Span, form: TraceFormat, service: str) -> str:
    """One span as JSON; `service`: whose span it is."""
    return json.dumps(_zipkin(span, service) if form is TraceFormat.ZIPKIN else _otlp(span))


def wrapped(spans: Sequence[str], form: TraceFormat, service: str) -> bytes:
    """Encoded spans of a service as one message."""
    listed = ",".join(spans)
    if form is TraceFormat.ZIPKIN:
        return f"[{listed}]".encode()
    resource = json.dumps({"attributes": [_attribute("service.name", service)]})
    scoped = f'{{"scope":{{"name":"api_gateway_service_mesh"}},"spans":[{listed}]}}'
    return f'{{"resourceSpans":[{{"resource":{resource},"scopeSpans":[{scoped}]}}]}}'.encode()


def _otlp(span: Span) -> dict[str, object]:
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        **({"parentSpanId": span.parent_id} if span.parent_id else {}),
        "name": span.name,
        "kind": SPAN_KINDS[span.kind],
        "startTimeUnixNano": str(micros(span.begin) * 1000),
        "endTimeUnixNano": str(micros(span.end) * 1000),
        "attributes": [_attribute(name, value) for name, value in span.attributes.items()],
        **({"status": {"code": 2}} if span.failed else {}),
    }


def _attribute(name: str, value: Value) -> dict[str, object]:
    if isinstance(value, bool):
        return {"key": name, "value": {"boolValue": value}}
    if isinstance(value, int):
        return {"key": name, "value": {"intValue": str(value)}}
    if isinstance(value, float):
        return {"key": name, "value": {"doubleValue": value}}
    return {"key": name, "value": {"stringValue": value}}


def _zipkin(span: Span, service: str) -> dict[str, object]:
    tags = {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in span.attributes.items()
    }
    if span.failed:
        tags["error"] = tags.get("error.type", "true")
    begin = micros(span.begin)
    return {
        "traceId": span.trace_id,
        "id": span.span_id,
        **({"parentId": span.parent_id} if span.parent_id else {}),
        "name": span.name,
        "kind": span.kind,
        "timestamp": begin,
        "duration": max(1, micros(span.end) - begin),
        "localEndpoint": {"serviceName": service},
        **_remote(*span.peer),
        "tags": tags,
    }


def _remote(host: str, port: int) -> dict[str, object]:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return {}
    return {"remoteEndpoint": {f"ipv{address.version}": str(address), **({"port": port} if port else {})}}


def micros(seconds: float) -> int:
    """Seconds as whole microseconds."""
    return int(seconds * 1e6)
