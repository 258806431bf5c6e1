"""How a trace travels: what is believed of a request's fields, and what backends are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.model import Propagation
from api_gateway_service_mesh.proxy.propagation import read_parent, trace_fields, without

TRACE, SPAN = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7"
SHORT = TRACE[16:]
W3C, B3, MULTI, JAEGER = Propagation.TRACE_CONTEXT, Propagation.B3, Propagation.B3_MULTI, Propagation.JAEGER


def read(way: Propagation, *lines: bytes) -> tuple[bytes, bytes, bool | None] | None:
    fields = b"Host: a\r\n" + b"".join(line + b"\r\n" for line in lines)
    found = read_parent(way, fields, fields.lower())
    return None if found is None else (found.trace_id, found.span_id, found.sampled)


@pytest.mark.parametrize(
    ("way", "lines", "expected"),
    [
        (W3C, (b"traceparent: 00-%b-%b-01" % (TRACE, SPAN),), (TRACE, SPAN, True)),
        (W3C, (b"TraceParent:00-%b-%b-02" % (TRACE, SPAN),), (TRACE, SPAN, False)),
        (W3C, (b"traceparent: cc-%b-%b-01-later" % (TRACE, SPAN),), (TRACE, SPAN, True)),
        (W3C, (b"traceparent: 00-%b-%b-01-more" % (TRACE, SPAN),), None),
        (W3C, (b"traceparent: ff-%b-%b-01" % (TRACE, SPAN),), None),
        (W3C, (b"traceparent: 00-%b-%b-01" % (TRACE.upper(), SPAN),), None),
        (W3C, (b"traceparent: 00-%b-%b-01" % (b"0" * 32, SPAN),), None),
        (W3C, (b"traceparent: 00-%b-%b-01" % (TRACE, b"0" * 16),), None),
        (W3C, (b"traceparent: 00-%b-%b-01" % (TRACE, SPAN),) * 2, None),
        (W3C, (b"x-traceparent: 00-%b-%b-01" % (TRACE, SPAN),), None),
        (W3C, (), None),
        (B3, (b"b3: %b-%b-1" % (TRACE, SPAN),), (TRACE, SPAN, True)),
        (B3, (b"b3: %b-%b-d" % (SHORT, SPAN),), (b"0" * 16 + SHORT, SPAN, True)),
        (B3, (b"b3: %b-%b" % (TRACE, SPAN),), (TRACE, SPAN, None)),
        (B3, (b"b3: %b-%b-0-%b" % (TRACE, SPAN, SPAN),), (TRACE, SPAN, False)),
        (B3, (b"b3: 0",), (b"", b"", False)),
        (B3, (b"b3: what",), None),
        (MULTI, (b"X-B3-TraceId: " + TRACE, b"X-B3-SpanId: " + SPAN, b"X-B3-Sampled: 1"), (TRACE, SPAN, True)),
        (MULTI, (b"X-B3-TraceId: " + SHORT, b"X-B3-SpanId: " + SPAN), (b"0" * 16 + SHORT, SPAN, None)),
        (MULTI, (b"X-B3-TraceId: " + TRACE, b"X-B3-SpanId: " + SPAN, b"X-B3-Flags: 1"), (TRACE, SPAN, True)),
        (MULTI, (b"X-B3-Sampled: false",), (b"", b"", False)),
        (MULTI, (b"X-B3-TraceId: " + TRACE,), None),
        (JAEGER, (b"uber-trace-id: %b:%b:0:1" % (TRACE, SPAN),), (TRACE, SPAN, True)),
        (
            JAEGER,
            (b"uber-trace-id: 5af7183fb1d4cf5f:6b:0:0",),
            (b"0" * 16 + b"5af7183fb1d4cf5f", b"0" * 14 + b"6b", False),
        ),
        (JAEGER, (b"uber-trace-id: %b%%3A%b%%3A0%%3A3" % (TRACE, SPAN),), (TRACE, SPAN, True)),
        (JAEGER, (b"uber-trace-id: nonsense",), None),
    ],
)
def test_what_is_believed(
    way: Propagation, lines: tuple[bytes, ...], expected: tuple[bytes, bytes, bool | None] | None
) -> None:
    assert read(way, *lines) == expected


@pytest.mark.parametrize("way", [W3C, B3, MULTI, JAEGER])
@pytest.mark.parametrize("sampled", [True, False])
def test_what_is_written_is_read(way: Propagation, sampled: bool) -> None:
    lines = trace_fields((way,), sampled) % (TRACE, SPAN)
    assert read(way, *lines.split(b"\r\n")[:-1]) == (TRACE, SPAN, sampled)


@given(
    st.sampled_from([W3C, B3, MULTI, JAEGER]), st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=90)
)
def test_nothing_that_a_client_sends_breaks_it(way: Propagation, value: str) -> None:
    for name in (b"traceparent", b"b3", b"X-B3-TraceId", b"X-B3-Sampled", b"uber-trace-id"):
        found = read(way, name + b": " + value.encode())
        assert found is None or (len(found[0]), len(found[1])) in ((32, 16), (0, 0))


def test_fields_are_taken_away_wherever_they_stand() -> None:
    fields = b"Host: b3: no\r\nB3: 1\r\nx-b3-flags: 1\r\nAccept: b3\r\nb3: 0\r\n"
    assert without(fields, (b"b3", b"x-b3-flags")) == b"Host: b3: no\r\nAccept: b3\r\n"
