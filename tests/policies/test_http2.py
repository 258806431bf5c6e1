"""What goes over HTTP/2, in cells of several workers."""

from __future__ import annotations

from api_gateway_service_mesh.policies import CellStore
from api_gateway_service_mesh.policies.http2 import HTTP2_CELLS, Http2Totals, clear_http2, read_http2, write_http2


def test_what_is_now_is_said_anew_and_what_was_is_added_up() -> None:
    view = CellStore.local(HTTP2_CELLS * 2).view
    write_http2(view, 0, 0, 3, 7, 10, 1)
    write_http2(view, 0, 1, 1, 1, 5, 0)
    write_http2(view, 0, 0, 2, 0, 4, 0)
    assert read_http2(view, 0, 2) == Http2Totals(3, 1, 19, 1)


def test_a_crashed_worker_holds_nothing() -> None:
    view = CellStore.local(HTTP2_CELLS * 2).view
    write_http2(view, 0, 0, 3, 7, 10, 1)
    write_http2(view, 0, 1, 1, 2, 5, 0)
    clear_http2(view, 0, 0)
    assert read_http2(view, 0, 2) == Http2Totals(1, 2, 15, 1)
