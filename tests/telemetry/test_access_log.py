"""Lines go out in order; a reader that does not read costs lines, not time."""

from __future__ import annotations

import os
import time

from api_gateway_service_mesh.telemetry import AccessLog


def test_lines_are_written_in_order_and_flushed_at_the_end() -> None:
    reading, writing = os.pipe()
    log = AccessLog(writing)
    for number in range(500):
        log(f'{{"n":{number},"path":"/ä\udcff"}}')
    log.close()
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as lines:
        found = lines.read().splitlines()
    assert [line.split(",")[0] for line in found] == [f'{{"n":{number}' for number in range(500)]
    assert (log.written, log.dropped) == (500, 0)


def test_a_full_pipe_drops_and_never_waits() -> None:
    reading, writing = os.pipe()
    log = AccessLog(writing, queue=64)
    started = time.monotonic()
    for _ in range(20_000):
        log("x" * 100)
    assert time.monotonic() - started < 5
    assert log.dropped > 0
    os.close(reading)  # now the writer's call fails, and it goes on
    log.close()
    assert log.written + log.dropped == 20_000
    os.close(writing)


def test_a_closed_reader_is_survived() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    log = AccessLog(writing)
    log("lost")
    log.close()
    assert (log.written, log.dropped) == (0, 1)
    os.close(writing)
