"""Spans on their way to a collector, by a thread of its own.

The event loop only appends to a bounded queue; what does not fit is dropped and counted. A collector that does not
answer is left alone for a while, longer each time (`PAUSES`); what it did not take is dropped and counted too: a trace
is a sample, and nobody waits for one.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections import deque
from typing import Protocol
from urllib.parse import urlsplit

from api_gateway_service_mesh.model import Tracing

from .span import Span, encoded, wrapped

__all__ = ["MOST_SPANS", "PAUSES", "SpanCounts", "SpanSender"]

MOST_SPANS = 4096
"""So many spans wait at most."""
BATCH_SPANS = 512
BATCH_SECONDS = 1.0
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds without a try after so many failures in a row."""
_ANSWER_SECONDS = 5.0
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
        self._form = config.format
        self._service = service
        self._url = urlsplit(config.collector or "")
        self._queue: deque[Span] = deque()
        self._some = threading.Event()
        self._enough = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._connection: http.client.HTTPConnection | None = None

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
        self._hang_up()

    def _send(self) -> bool:
        """One batch; whether it was taken."""
        texts: list[str] = []
        while self._queue and len(texts) < BATCH_SPANS:
            texts.append(encoded(self._queue.popleft(), self._form, self._service))
            if not len(texts) % _AT_ONCE:
                time.sleep(0.0005)
        try:
            taken = self._post(wrapped(texts, self._form, self._service))
        except (OSError, http.client.HTTPException):
            taken = False
        if taken:
            self.counts.exported(len(texts))
        else:
            self.counts.failed(len(texts))
            self._hang_up()
        return taken

    def _post(self, body: bytes) -> bool:
        reused = self._connection is not None
        try:
            return self._ask(body)
        except (OSError, http.client.HTTPException):
            if not reused:
                raise
            self._hang_up()  # a connection that was kept may have been closed meanwhile
            return self._ask(body)

    def _ask(self, body: bytes) -> bool:
        url = self._url
        if self._connection is None:
            kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
            self._connection = kind(url.hostname or "", url.port, timeout=_ANSWER_SECONDS)
        self._connection.request("POST", url.path or "/", body, {"Content-Type": "application/json"})
        with self._connection.getresponse() as answer:
            answer.read(65536)
            return answer.status < 300

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
