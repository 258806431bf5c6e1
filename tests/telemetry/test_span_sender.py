"""What becomes of spans: bounded, counted, and never waited for."""

from __future__ import annotations

import socket
import time
from types import MappingProxyType

from api_gateway_service_mesh.model import Tracing
from api_gateway_service_mesh.telemetry.span import Span
from api_gateway_service_mesh.telemetry.span_sender import MOST_SPANS, SpanSender

SPAN = Span(
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "00f067aa0ba902b7",
    "",
    "GET /",
    "SERVER",
    1.0,
    2.0,
    False,
    MappingProxyType({}),
    ("::1", 0),
)


class Counts:
    def __init__(self) -> None:
        self.sent = self.full = self.lost = 0

    def exported(self, spans: int) -> None:
        self.sent += spans

    def refused(self, spans: int) -> None:
        self.full += spans

    def failed(self, spans: int) -> None:
        self.lost += spans


def test_a_collector_that_says_nothing_costs_no_time_and_bounded_memory() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        counts = Counts()
        sender = SpanSender(Tracing("ex:t", collector=f"http://127.0.0.1:{silent.getsockname()[1]}/"), "edge", counts)
        began = time.monotonic()
        for _ in range(MOST_SPANS):
            sender([SPAN, SPAN])
        assert time.monotonic() - began < 2.0
        # What the sender had taken out to send is lost later; all others that found no room are counted now.
        assert counts.full >= MOST_SPANS // 2
        sender.close()
        sender([SPAN])
        assert counts.sent == 0
