"""Whatever a request holds, its line is one JSON object on one line that says just that."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.policies import LogTotals, read_log
from api_gateway_service_mesh.proxy.access_log import LogClock, access_line
from tests.support.backend import answer, backend, says
from tests.support.gateway import endpoint, mesh_of, raw, route, running, upstream

_BYTES = st.binary(max_size=40) | st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass"))
_TEXT = st.none() | st.text(max_size=20)


def finished(**said: Any) -> Any:
    """What a line is written from."""
    plain: dict[str, Any] = {
        "request_id": b"a1",
        "client": "::1",
        "method": "GET",
        "authority": None,
        "host": None,
        "target_bytes": b"/",
        "status": 200,
        "bytes_in": 0,
        "bytes_out": 60,
        "attempt": 1,
        "refused_by": None,
        "reason": None,
        "caller": None,
        "handler": None,
        "pool": None,
        "caching": None,
        "flags": (),
    } | said
    block = SimpleNamespace(marks=SimpleNamespace(authority=plain.pop("host")))
    plain.setdefault("generation", SimpleNamespace(log_texts={}, revision="1"))
    return cast(Any, SimpleNamespace(block=block, **plain))


@given(
    _BYTES,
    _BYTES,
    st.none() | _BYTES,
    st.text(max_size=20),
    _TEXT,
    _TEXT,
    _TEXT,
    st.lists(st.text(max_size=9), max_size=3),
    st.integers(0, 2**53),
    st.floats(0, 1e6),
)
def test_the_line_says_what_was_said(
    request_id: bytes,
    path: bytes,
    host: bytes | None,
    iri: str,
    refused_by: str | None,
    reason: str | None,
    caller: str | None,
    flags: list[str],
    size: int,
    seconds: float,
) -> None:
    exchange = finished(
        request_id=request_id,
        target_bytes=path,
        host=host,
        handler=_Handler(iri),
        refused_by=refused_by,
        trace_id=b"",
        reason=reason,
        caller=SimpleNamespace(authentication=caller) if caller is not None else None,
        bytes_in=size,
        flags=tuple(flags),
    )
    line = access_line(exchange, seconds, LogClock().now())
    assert b"\n" not in line
    assert line.isascii()
    found = json.loads(line)
    assert found["request_id"] == request_id.decode("utf-8", "replace")
    assert found["path"] == path.partition(b"?")[0].decode("utf-8", "replace")
    assert found["host"] == (host.decode("utf-8", "replace") if host is not None else None)
    assert (found["route"], found["refused_by"], found["reason"], found["caller"]) == (iri, refused_by, reason, caller)
    assert found["bytes_in"] == size
    assert found.get("flags", []) == flags
    assert abs(found["duration_ms"] - seconds * 1000) <= 0.00051
    assert found["upstream"] is None


class _Handler:
    def __init__(self, iri: str) -> None:
        self.route = SimpleNamespace(iri=iri)


def test_the_clock_is_the_wall_clock() -> None:
    clock = LogClock()
    for _ in range(1000):
        before = datetime.now(UTC)
        told = datetime.fromisoformat(clock.now().decode())
        assert -0.002 < (told - before).total_seconds() < 1.0
        assert told.tzinfo is not None


async def test_lines_are_counted_where_the_control_process_reads() -> None:
    async with backend(says(answer(b"a"))) as behind:
        mesh = mesh_of(route(), upstream(endpoint(behind.port)), access_log=True)
        async with running(mesh) as gateway:
            for _ in range(3):
                await raw(gateway.port, b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            gateway.log.dropped = 2
            gateway.engine.core().tell_lines()
            gateway.engine.core().tell_lines()
            slot = gateway.layout.slots["access_log", mesh.iri]
            assert read_log(gateway.store.view, slot, 1) == LogTotals(3, 2)
