"""Lines go out in order; a reader that does not read costs lines, not time."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from api_gateway_service_mesh.telemetry import AccessLog
from api_gateway_service_mesh.telemetry.access_log import BATCH_LINES


def test_lines_are_written_in_order_and_flushed_at_the_end() -> None:
    reading, writing = os.pipe()
    log = AccessLog(writing)
    for number in range(500):
        log(b'{"n":%d,"path":"/"}' % number)
    log.close()
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as lines:
        found = lines.read().splitlines()
    assert [line.split(",")[0] for line in found] == [f'{{"n":{number}' for number in range(500)]
    assert (log.written, log.dropped) == (500, 0)


def test_a_full_pipe_drops_and_never_waits() -> None:
    reading, writing = os.pipe()
    log = AccessLog(writing, lines=64)
    started = time.monotonic()
    for _ in range(20_000):
        log(b"x" * 100)
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
    log(b"lost")
    log.close()
    assert (log.written, log.dropped) == (0, 1)
    os.close(writing)


def test_the_writer_is_woken_for_a_batch_not_for_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    writes: list[int] = []

    def write(fd: int, data: bytes | memoryview) -> int:
        writes.append(len(data))
        return real(fd, data)

    real = os.write
    monkeypatch.setattr(os, "write", write)
    log = AccessLog(writing)
    lines = BATCH_LINES * 3 // 2
    for _ in range(lines):
        log(b"line")
    log.close()
    assert sum(writes) == 5 * lines
    assert len(writes) <= 4
    os.close(reading)
    os.close(writing)


def test_a_line_alone_is_out_soon() -> None:
    reading, writing = os.pipe()
    log = AccessLog(writing)
    for number in range(3):
        started = time.monotonic()
        log(b"alone %d" % number)
        assert os.read(reading, 100) == b"alone %d\n" % number
        assert time.monotonic() - started < 20
    log.close()
    os.close(reading)
    os.close(writing)


def test_memory_is_bounded_by_bytes_too() -> None:
    reading, writing = os.pipe()
    log = AccessLog(writing, bytes_=100_000)
    for _ in range(100):
        log(b"x" * 10_000)
    assert log.dropped >= 70
    os.set_blocking(reading, False)
    draining = threading.Thread(target=_drain, args=(reading,))
    draining.start()
    log.close(10)
    assert log.written + log.dropped == 100
    assert log._bytes_put == log._bytes_taken  # what was written no longer counts
    os.close(writing)
    draining.join()
    os.close(reading)


def _drain(fd: int) -> None:
    while True:
        try:
            if not os.read(fd, 65536):
                return
        except BlockingIOError:
            time.sleep(0.001)


def test_a_descriptor_that_does_not_block_is_waited_for() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    log = AccessLog(writing)
    for _ in range(3000):
        log(b"x" * 100)
    draining = threading.Thread(target=_drain, args=(reading,))
    draining.start()
    log.close(10)
    assert (log.written, log.dropped) == (3000, 0)
    os.close(writing)
    draining.join()
    os.close(reading)


def test_many_batches_pass_while_lines_keep_coming() -> None:
    reading, writing = os.pipe()
    draining = threading.Thread(target=_drain, args=(reading,))
    draining.start()
    log = AccessLog(writing, bytes_=1_000_000)
    for number in range(60_000):
        log(b"x" * 100)
        if not number % 500:
            time.sleep(0.001)
    log.close(10)
    assert log.written + log.dropped == 60_000
    assert log.written > 30_000
    os.close(writing)
    draining.join()
    os.close(reading)


def _until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not met():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_file_that_is_rotated_is_left_alone(tmp_path: Path) -> None:
    file, aside = tmp_path / "logs" / "a.log", tmp_path / "logs" / "a.log.1"
    log = AccessLog(file)
    log(b"one")
    _until(lambda: log.written == 1)
    file.rename(aside)
    log(b"two")
    _until(lambda: log.written == 2)
    file.unlink()
    log(b"three")
    _until(lambda: log.written == 3)
    os.truncate(file, 0)
    log(b"four")
    log.close()
    assert (aside.read_text(), file.read_text()) == ("one\n", "four\n")
    assert log.dropped == 0


def test_a_file_that_cannot_be_opened_costs_lines_until_it_can(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way")
    log = AccessLog(tmp_path / "logs" / "a.log")
    log(b"one")
    _until(lambda: log.dropped == 1)
    (tmp_path / "logs").unlink()
    log(b"two")
    log.close()
    assert (tmp_path / "logs" / "a.log").read_text() == "two\n"
    assert (log.written, log.dropped) == (1, 1)


def test_a_file_without_lines_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_gateway_service_mesh.telemetry.access_log.IDLE_SECONDS", 0.01)
    log = AccessLog(tmp_path / "a.log")
    log(b"one")
    _until(lambda: log.written == 1)
    assert log._file is not None
    _until(lambda: log._file is not None and log._file._fd < 0)
    log(b"two")
    log.close()
    assert (tmp_path / "a.log").read_text() == "one\ntwo\n"


def test_several_write_whole_lines_to_one_file(tmp_path: Path) -> None:
    logs = [AccessLog(tmp_path / "a.log") for _ in range(3)]
    for number in range(1000):
        for log in logs:
            log(b"%d" % number * 20)
    for log in logs:
        log.close(10)
    assert sorted((tmp_path / "a.log").read_text().split()) == sorted(f"{n}" * 20 for n in range(1000) for _ in logs)


_FILLED = """
import json, resource, sys, time
from pathlib import Path
from api_gateway_service_mesh.telemetry import AccessLog

file = Path(sys.argv[1])
log = AccessLog(file)
told = 0

def tell(count):
    global told
    for told in range(told, told + count):
        log(b'{"n":%d,"path":"/a/path/of/some/length"}' % told)
    told += 1
    end = time.monotonic() + 60
    while log.written + log.dropped < told:
        assert time.monotonic() < end
        time.sleep(0.01)

hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (5003, hard))  # the disk is full: it takes a part, and then nothing
tell(200)
tell(5)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))  # there is room again
tell(100)
log.close()
print(json.dumps([log.written, log.dropped]))
"""


def test_a_full_disk_costs_the_lines_it_refuses_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    done = subprocess.run([sys.executable, "-c", _FILLED, str(file)], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    written, dropped = json.loads(done.stdout)
    assert written + dropped == 305
    whole = []
    for line in file.read_text().splitlines():
        with contextlib.suppress(ValueError):
            whole.append(json.loads(line)["n"])
    assert len(whole) == written, "what is counted as written is there, each line by itself"
    assert whole == [*range(whole.index(205)), *range(205, 305)], "those of before, and all after it"
