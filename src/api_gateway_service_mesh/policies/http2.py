"""What goes over HTTP/2: a column for each worker, which it writes twice a second as it looks after its connections."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HTTP2_CELLS", "Http2Totals", "clear_http2", "read_http2", "write_http2"]

HTTP2_CELLS = 8
"""Cells of a worker's column: connections, streams, requests, broken off."""


@dataclass(frozen=True, slots=True)
class Http2Totals:
    """Connections and streams of this moment; requests, and connections broken off, since the gateway started."""

    connections: int
    streams: int
    requests: int
    broken_off: int


def write_http2(
    view: memoryview[float], base: int, worker: int, connections: int, streams: int, requests: int, broken_off: int
) -> None:
    """Say what there is now, and add to what was."""
    column = base + worker * HTTP2_CELLS
    view[column] = connections
    view[column + 1] = streams
    view[column + 2] += requests
    view[column + 3] += broken_off


def clear_http2(view: memoryview[float], base: int, worker: int) -> None:
    """Forget what a crashed worker held."""
    column = base + worker * HTTP2_CELLS
    view[column] = view[column + 1] = 0.0


def read_http2(view: memoryview[float], base: int, workers: int) -> Http2Totals:
    """The sum over all workers."""
    sums = [sum(view[base + worker * HTTP2_CELLS + cell] for worker in range(workers)) for cell in range(4)]
    return Http2Totals(*map(int, sums))
