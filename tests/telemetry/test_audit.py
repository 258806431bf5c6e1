"""The chain of an audit log: every way to tamper with it shows; what the writer cannot keep it says."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.telemetry.audit import AuditBuffer, AuditChain, head_file, verify
from api_gateway_service_mesh.telemetry.audit_writer import AuditWriter


def written(file: Path, records: int, *, head: bool = True) -> list[bytes]:
    chain = AuditChain()
    lines = [chain.seal({"kind": "test", "value": number}) for number in range(records)]
    file.write_bytes(b"".join(lines))
    if head:
        head_file(file).write_text(json.dumps({"n": chain.number, "hash": chain.head}))
    return lines


def told(*files: Path, **more: Any) -> list[str]:
    return [fault.what for fault in verify(files, **more).faults]


def test_a_sound_chain(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    lines = written(file, 5)
    found = verify([file])
    assert (found.first, found.records, found.faults) == (0, 5, ())
    assert found.head == json.loads(lines[-1])["hash"]
    assert told(file, head=found.head) == []
    assert told(file, head="0" * 64) != []


@given(st.data())
def test_whatever_byte_is_changed_shows(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    file = tmp_path_factory.mktemp("audit") / "a.jsonl"
    text = bytearray(b"".join(written(file, 4)))
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] ^= data.draw(st.integers(1, 255))
    file.write_bytes(bytes(text))
    assert told(file)


@pytest.mark.parametrize(
    "tampered",
    [
        lambda lines: lines[:2] + lines[3:],
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
        lambda lines: lines[:-1],
        lambda lines: lines[1:-1] + lines[-1:] + lines[:1],
        lambda lines: [*lines, lines[-1]],
        lambda lines: [*lines[:-1], lines[-1][:-9]],
        lambda lines: [*lines[:2], b'{"kind":"test"}\n', *lines[2:]],
        lambda lines: [*lines[:2], b"[" * 5000 + b"\n", *lines[2:]],
    ],
    ids=["deleted", "moved", "cut off", "rotated", "doubled", "torn", "put in", "nested"],
)
def test_what_is_done_to_records_shows(tmp_path: Path, tampered: Any) -> None:
    file = tmp_path / "a.jsonl"
    lines = written(file, 6)
    file.write_bytes(b"".join(tampered(lines)))
    assert told(file)


def test_a_record_made_anew_with_all_behind_it_shows_against_a_head_kept_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    kept = json.loads(written(file, 6)[-1])["hash"]
    chain = AuditChain()
    forged = [chain.seal({"kind": "test", "value": number if number != 2 else 99}) for number in range(6)]
    file.write_bytes(b"".join(forged))
    head_file(file).write_text(json.dumps({"n": chain.number, "hash": chain.head}))
    assert told(file) == []  # whoever can write both can forge both
    assert told(file, head=kept)


def closed(file: Path, *records: dict[str, Any], maximum: int = 1 << 20) -> AuditWriter:
    writer = AuditWriter(file, maximum)
    writer.put(records)
    writer.close()
    return writer


def test_the_writer_goes_on_where_it_ended_and_rotates_within_one_chain(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "a.jsonl"
    for number in range(3):
        closed(file, *({"kind": "test", "value": f"{number} {'x' * 100}"} for _ in range(20)), maximum=3000)
    files = sorted(path for path in file.parent.iterdir() if not path.name.endswith(".head"))
    assert len(files) == 3
    found = verify(files)
    assert found.faults == () and found.records == 3 * 21 + 2
    assert file.stat().st_mode & 0o777 == 0o600
    assert verify([file]).first > 0  # the files before it were not named
    assert told(*(each for each in files if each != files[2]))


def test_a_torn_end_is_mended_and_told(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    closed(file, {"kind": "test"})
    with file.open("ab") as stream:
        stream.write(b'{"kind":"te')
    closed(file)
    assert verify([file]).faults == ()
    assert json.loads(file.read_bytes().splitlines()[-1])["torn"] == 11


def test_a_damaged_file_is_put_aside_and_a_missing_one_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    closed(file, {"kind": "test"})
    head = head_file(file).read_text()
    file.write_bytes(b"something else\n")
    closed(file)
    (aside,) = tmp_path.glob("a.jsonl.damaged-*")
    assert aside.read_bytes() == b"something else\n"
    first = json.loads(file.read_bytes().splitlines()[0])
    assert first["damaged"] == aside.name
    file.unlink()
    head_file(file).write_text(head)
    closed(file)
    assert json.loads(file.read_bytes().splitlines()[0])["missing"] == json.loads(head)


def test_what_is_cut_off_between_two_runs_is_told_in_the_chain(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    closed(file, {"kind": "test"}, {"kind": "test"})
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-1]))
    closed(file)
    assert json.loads(file.read_bytes().splitlines()[-1])["expected"]["n"] == 3


def test_what_was_dropped_stands_in_the_chain(tmp_path: Path) -> None:
    buffer = AuditBuffer(2)
    for number in range(5):
        buffer.note({"kind": "test", "value": number})
    records, dropped = buffer.take()
    assert (len(records), dropped) == (2, 3)
    assert buffer.take() == ([], 0)
    file = tmp_path / "a.jsonl"
    writer = AuditWriter(file, 1 << 20)
    writer.put(records, lost=dropped)
    writer.close()
    assert verify([file]).dropped == 3 and writer.dropped == 3


def test_a_disk_that_takes_nothing_costs_records_and_holds_nobody_up(tmp_path: Path) -> None:
    said: list[str] = []
    file = tmp_path / "a.jsonl"
    writer = AuditWriter(file, 1 << 20, said.append)
    _until(lambda: writer.recorded == 1)
    file.unlink()
    file.mkdir()  # whoever runs this, a folder cannot be appended to
    started = time.monotonic()
    writer.put([{"kind": "test"}] * 3)
    assert time.monotonic() - started < 5
    _until(lambda: bool(said))
    file.rmdir()
    writer.put([{"kind": "test"}])
    _until(lambda: writer.recorded >= 3)
    writer.close()
    assert writer.dropped == 3
    assert "cannot be written" in said[0] and "again" in said[1]
    assert verify([file]).dropped == 3


def _until(holds: Any) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


_FILLED = """
import resource, sys, time
from pathlib import Path
from api_gateway_service_mesh.telemetry.audit_writer import AuditWriter

writer = AuditWriter(Path(sys.argv[1]), 1 << 20, print)
told = 1  # it begins with a record of its own

def tell(count):
    global told
    writer.put({"kind": "test", "value": "x" * 200} for _ in range(count))
    told += count
    end = time.monotonic() + 60
    while writer.recorded + writer.dropped < told:
        assert time.monotonic() < end
        time.sleep(0.01)

hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
tell(3)
for _ in range(3):
    resource.setrlimit(resource.RLIMIT_FSIZE, (5003, hard))  # the disk is full: it takes a part, and then nothing
    tell(30)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))  # there is room again
    told += 1  # what was lost is a record
    tell(3)
writer.close()
"""


def test_a_full_disk_leaves_the_chain_whole_and_what_it_cost_in_it(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    done = subprocess.run([sys.executable, "-c", _FILLED, str(file)], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("cannot be written") == done.stdout.count("is written again") == 3
    assert verify([file]).faults == ()
    records = [json.loads(line) for line in file.read_text().splitlines()]
    assert sum(record["kind"] == "test" for record in records) == 12
    assert sum(record.get("count", 0) for record in records) == 90


def test_a_head_that_cannot_be_told_leaves_the_chain_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    aside = head_file(file).with_name(f"{head_file(file).name}.new")
    aside.mkdir()
    writer = AuditWriter(file, 1 << 20)
    for number in range(3):
        writer.put([{"kind": "test"}])
        end = time.monotonic() + 60
        while writer.recorded < number + 2:
            assert time.monotonic() < end
            time.sleep(0.01)
    aside.rmdir()
    writer.put([{"kind": "test"}])
    writer.close()
    found = verify([file])
    assert (found.faults, found.records) == ((), 5)
