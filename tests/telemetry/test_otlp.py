"""What is sent in Protocol Buffers, read with OpenTelemetry's own messages; and over gRPC, by a server of it."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.model import TraceFormat, Tracing
from api_gateway_service_mesh.telemetry.otlp import TRACE_METHOD, otlp_request, otlp_span, rejected
from api_gateway_service_mesh.telemetry.protobuf import fields
from api_gateway_service_mesh.telemetry.span import Span
from api_gateway_service_mesh.telemetry.span_sender import SpanSender
from tests.support.collectors import otlp_collector
from tests.support.otlp import message
from tests.telemetry.test_span_sender import SPAN, Counts

ExportTraceServiceRequest = message("trace.v1.ExportTraceServiceRequest")
ExportTraceServiceResponse = message("trace.v1.ExportTraceServiceResponse")

ids = st.binary(min_size=8, max_size=8).map(bytes.hex)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)
values = texts | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
spans = st.builds(
    Span,
    st.binary(min_size=16, max_size=16).map(bytes.hex),
    ids,
    st.just("") | ids,
    texts,
    st.sampled_from(("SERVER", "CLIENT")),
    st.floats(0, 4e9),
    st.floats(0, 4e9),
    st.booleans(),
    st.dictionaries(texts, values, max_size=4),
    st.just(("127.0.0.1", 1)),
)


@given(st.lists(spans, max_size=3), texts)
def test_opentelemetry_reads_what_is_written(made: list[Span], name: str) -> None:
    read = ExportTraceServiceRequest.FromString(
        otlp_request([otlp_span(span) for span in made], {"service.name": name})
    )
    (found,) = read.resource_spans
    assert [(pair.key, pair.value.string_value) for pair in found.resource.attributes] == [("service.name", name)]
    (scoped,) = found.scope_spans
    assert scoped.scope.name == "api_gateway_service_mesh"
    for span, its in zip(made, scoped.spans, strict=True):
        assert (its.trace_id.hex(), its.span_id.hex(), its.parent_span_id.hex()) == (
            span.trace_id,
            span.span_id,
            span.parent_id,
        )
        assert (its.name, its.kind, its.status.code) == (span.name, 2 + (span.kind == "CLIENT"), 2 * span.failed)
        assert its.start_time_unix_nano == int(span.begin * 1e6) * 1000
        assert its.end_time_unix_nano == int(span.end * 1e6) * 1000
        told = {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in its.attributes}
        assert told == dict(span.attributes)
        assert {key: type(value) for key, value in told.items()} == {k: type(v) for k, v in span.attributes.items()}


@given(st.binary(max_size=60))
def test_any_answer_can_be_read(answer: bytes) -> None:
    list(fields(answer))
    assert rejected(answer) >= 0
    assert rejected(PARTLY) == 1


PARTLY = ExportTraceServiceResponse(
    partial_success={"rejected_spans": 1, "error_message": "no room"}
).SerializeToString()


def collector(form: TraceFormat) -> AbstractContextManager[tuple[str, list[Any]]]:
    """One that takes all spans of a message but one."""
    method = TRACE_METHOD if form is TraceFormat.OTLP_GRPC else None
    return otlp_collector(ExportTraceServiceRequest, PARTLY, method)


@pytest.mark.parametrize("form", [TraceFormat.OTLP_PROTOBUF, TraceFormat.OTLP_GRPC])
def test_what_a_collector_did_not_take_of_a_message_is_counted_as_dropped(form: TraceFormat) -> None:
    with collector(form) as (url, taken):
        counts = Counts()
        sender = SpanSender(Tracing("ex:t", collector=url, format=form), "edge", counts)
        sender([SPAN, SPAN, SPAN])
        end = time.monotonic() + 20.0
        while counts.sent + counts.lost < 3:
            assert time.monotonic() < end
            time.sleep(0.02)
        sender.close(20.0)
    assert (counts.sent, counts.lost, counts.full) == (2, 1, 0)
    assert [len(message.resource_spans[0].scope_spans[0].spans) for message in taken] == [3]


@pytest.mark.parametrize("form", [TraceFormat.OTLP_PROTOBUF, TraceFormat.OTLP_GRPC])
def test_a_collector_that_is_away_costs_spans_that_are_counted(form: TraceFormat) -> None:
    with collector(form) as (url, _):
        pass
    counts = Counts()
    sender = SpanSender(Tracing("ex:t", collector=url, format=form), "edge", counts)
    sender([SPAN])
    end = time.monotonic() + 20.0
    while not counts.lost:
        assert time.monotonic() < end
        time.sleep(0.02)
    sender.close(20.0)
    assert (counts.sent, counts.lost) == (0, 1)
