"""Metrics on their way to a collector: what ``/metrics`` tells, sent once in a while, beside requests.

One message is on its way at a time and none waits: counters are cumulative, so that the next says what a lost one would
have said.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.model import MetricsExport, MetricsFormat
from api_gateway_service_mesh.telemetry.collector import Collector, GrpcCollector, HttpCollector, Undelivered
from api_gateway_service_mesh.telemetry.otlp import PROTOBUF_TYPE
from api_gateway_service_mesh.telemetry.otlp_metrics import METRICS_METHOD, otlp_metrics
from api_gateway_service_mesh.vocabulary import AGW, XSD

from .metrics import ControlCounters, metric_families
from .series import Series

if TYPE_CHECKING:
    from .live import Live

__all__ = ["MetricsPush", "export_triples"]

_log = logging.getLogger("agw.metrics")


class MetricsPush:
    """See the module. Lives on one event loop; `counters` asks for the control process's own."""

    def __init__(self, counters: Callable[[], ControlCounters]) -> None:
        self._counters = counters
        self._began = datetime.now(UTC).timestamp()
        self._series = Series()
        self._live: Live | None = None
        self._export: MetricsExport | None = None
        self._task: asyncio.Task[None] | None = None
        self.sent = self.unsent = 0

    def update(self, live: Live) -> None:
        """`live` is what is told of from now on."""
        self._live, export = live, live.mesh.metrics_export
        live.metrics_sent = lambda: (self.sent, self.unsent)
        if export == self._export:
            return
        self._export = export
        if self._task is not None:
            self._task.cancel()
        self._task = None if export is None else asyncio.create_task(self._run(export), name="metrics export")

    async def stop(self) -> None:
        """Send no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self, export: MetricsExport) -> None:
        collector: Collector = (
            GrpcCollector(export.collector, METRICS_METHOD)
            if export.format is MetricsFormat.OTLP_GRPC
            else HttpCollector(export.collector, PROTOBUF_TYPE)
        )
        away = False
        while True:
            await asyncio.sleep(export.interval_seconds)
            try:
                await asyncio.to_thread(self._send, collector)
                self.sent += 1
                away = False
            except Undelivered as error:
                self.unsent += 1
                if not away:
                    _log.warning("metrics do not reach %s: %s", export.collector, error)
                away = True
            except Exception:
                self.unsent += 1
                _log.exception("metrics cannot be sent")

    def _send(self, collector: Collector) -> None:
        live = self._live
        if live is None:
            return
        resource = {
            "service.name": live.mesh.name,
            "service.version": resources.version(),
            "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
        }
        families = metric_families(live, self._counters(), self._series)
        collector.send(otlp_metrics(families, resource, self._began, datetime.now(UTC).timestamp()))


def export_triples(live: Live) -> Iterator[tuple[str, str, str]]:
    """Subject, predicate, and the object as N-Triples has it."""
    export = live.mesh.metrics_export
    if export is not None:
        terms = AGW.metricsSentTotal, AGW.metricsUnsentTotal
        for term, count in zip(terms, live.metrics_sent(), strict=True):
            yield export.iri, term, f'"{count}"^^<{XSD.integer}>'
