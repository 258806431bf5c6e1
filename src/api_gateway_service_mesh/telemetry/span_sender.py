"""Spans on their way to a collector, by a thread of its own.

The event loop only appends to a bounded queue; what does not fit is dropped and counted. A collector that does not
answer is left alone for a while, longer each time (`PAUSES`); what it did not take is dropped and counted too: a trace
is a sample, and nobody waits for one.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from api_gateway_service_mesh.model import TraceFormat, Tracing

from .collector import Collector, GrpcCollector, HttpCollector, Undelivered
from .otlp import PROTOBUF_TYPE, TRACE_METHOD, otlp_request, otlp_span, rejected
from .span import Span, encoded, wrapped

__all__ = ["MOST_SPANS", "PAUSES", "SpanCounts", "SpanSender"]

MOST_SPANS = 4096
"""So many spans wait at most."""
BATCH_SPANS = 512
BATCH_SECONDS = 1.0
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds without a try after so many failures in a row."""
_JSON: Final = "application/json"
_AT_ONCE = 16
"""So many spans are encoded before the loop gets the interpreter back."""


class SpanCounts(Protocol):
    """Where spans are counted."""

    def exported(self, spans: int) -> None: ...

    def refused(self, spans: int) -> None: ...

    def failed(self, spans: int) -> None: ...


class SpanSender:
    """Sends what it is called with to the collector of `config`, as the spans of `service`."""

    def __init__(self, config: Tracing, service: str, counts: SpanCounts) -> None:
        self.counts = counts
        self._speech = _speech(config, service)
        self._queue: deque[Span] = deque()
        self._some = threading.Event()
        self._enough = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def __call__(self, spans: list[Span]) -> None:
        """Queue the spans of one request. Never waits. Of one thread only."""
        queue = self._queue
        if self._closed or len(queue) + len(spans) > MOST_SPANS:
            self.counts.refused(len(spans))
            return
        queue.extend(spans)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="agw-spans", daemon=True)
            self._thread.start()
        if not self._some.is_set():
            self._some.set()
        elif len(queue) >= BATCH_SPANS:
            self._enough.set()

    def close(self, seconds: float = 0.0) -> None:
        """Send what waits, and end; wait for that for at most so many `seconds`."""
        self._closed = True
        self._enough.set()
        self._some.set()
        if self._thread is not None and seconds:
            self._thread.join(seconds)

    def _run(self) -> None:
        failures = 0
        while not self._closed or (self._queue and not failures):
            self._some.wait()
            self._enough.wait(BATCH_SECONDS)
            self._enough.clear()
            self._some.clear()
            while self._queue:
                if self._send():
                    failures = 0
                    continue
                failures += 1
                if self._closed:
                    break
                end = time.monotonic() + PAUSES[min(failures, len(PAUSES)) - 1]
                while not self._closed and (left := end - time.monotonic()) > 0:
                    self._enough.wait(left)
                    if not self._closed:
                        self._enough.clear()
        if self._queue:
            self.counts.failed(len(self._queue))
        self._speech.collector.hang_up()

    def _send(self) -> bool:
        """One batch; whether it was taken."""
        speech = self._speech
        said: list[bytes] = []
        while self._queue and len(said) < BATCH_SPANS:
            said.append(speech.one(self._queue.popleft()))
            if not len(said) % _AT_ONCE:
                time.sleep(0.0005)
        try:
            lost = min(len(said), speech.lost(speech.collector.send(speech.all(said))))
        except Undelivered:
            self.counts.failed(len(said))
            return False
        self.counts.exported(len(said) - lost)
        if lost:
            self.counts.failed(lost)
        return True


@dataclass(frozen=True, slots=True)
class _Speech:
    """How a collector is spoken to: what `one` span is, what `all` of a message are, and how many of them its answer
    says are ``lost``."""

    collector: Collector
    one: Callable[[Span], bytes]
    all: Callable[[Sequence[bytes]], bytes]
    lost: Callable[[bytes], int]


def _speech(config: Tracing, service: str) -> _Speech:
    url, form = config.collector or "", config.format
    if form in (TraceFormat.OTLP_PROTOBUF, TraceFormat.OTLP_GRPC):
        collector: Collector = (
            HttpCollector(url, PROTOBUF_TYPE) if form is TraceFormat.OTLP_PROTOBUF else GrpcCollector(url, TRACE_METHOD)
        )
        resource = {"service.name": service}
        return _Speech(collector, otlp_span, lambda spans: otlp_request(spans, resource), rejected)
    return _Speech(
        HttpCollector(url, _JSON),
        lambda span: encoded(span, form, service).encode(),
        lambda spans: wrapped([each.decode() for each in spans], form, service),
        _rejected_json if form is TraceFormat.OTLP else lambda answer: 0,
    )


def _rejected_json(answer: bytes) -> int:
    try:
        return int(json.loads(answer)["partialSuccess"]["rejectedSpans"])
    except (ValueError, KeyError, TypeError):
        return 0
