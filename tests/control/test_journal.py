"""The journal and the store on it: killed, torn, full, damaged; what was acknowledged is there."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.control.delta import between
from api_gateway_service_mesh.control.history import Author, Revision
from api_gateway_service_mesh.control.journal import Disk, Journal, JournalDamaged, write_durably
from api_gateway_service_mesh.control.store import StoreUnavailable
from api_gateway_service_mesh.control.store_journal import JournalStore
from api_gateway_service_mesh.errors import AgwError, ConfigError
from api_gateway_service_mesh.graph import SourceGraph

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
KILLS = int(os.environ.get("AGW_KILLS", "200"))


class Failing(Disk):
    """A disk whose n-th operation fails, after half of what a write wants to write."""

    def __init__(self, at: int, number: int = errno.EIO, *, stays: bool = False) -> None:
        self.left = at
        self.number = number
        self.stays = stays

    def _count(self) -> bool:
        self.left -= 1
        return self.left == 0 or (self.stays and self.left < 0)

    def write(self, fd: int, data: bytes) -> None:
        if self._count():
            os.write(fd, data[: len(data) // 2])
            raise OSError(self.number, os.strerror(self.number))
        super().write(fd, data)

    def sync(self, fd: int) -> None:
        if self._count():
            raise OSError(self.number, os.strerror(self.number))
        super().sync(fd)

    def cut(self, fd: int, size: int) -> None:
        if self._count():
            raise OSError(self.number, os.strerror(self.number))
        super().cut(fd, size)

    def replace(self, source: Path, target: Path) -> None:
        if self._count():
            raise OSError(self.number, os.strerror(self.number))
        super().replace(source, target)

    def remove(self, path: Path) -> None:
        if self._count():
            raise OSError(self.number, os.strerror(self.number))
        super().remove(path)


def held(path: Path) -> list[bytes]:
    journal = Journal(path)
    found = list(journal.payloads())
    journal.close()
    return found


@given(st.lists(st.binary(max_size=200), max_size=8), st.data())
@settings(max_examples=60, deadline=None)
def test_cut_anywhere_only_whole_records_are_left(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    journal = Journal(path)
    ends = [0]
    for record in records:
        journal.append(record)
        ends.append(journal.size)
    journal.close()
    cut = data.draw(st.integers(0, ends[-1]))
    whole = path.read_bytes()
    rest = data.draw(st.sampled_from([b"", b"\0" * 40, b"\xa9AGW", b"x"]))
    path.write_bytes(whole[:cut] + rest)
    expected = records[: sum(end <= cut for end in ends) - 1]
    assert held(path) == expected
    journal = Journal(path)
    journal.append(b"after")
    journal.close()
    assert held(path) == [*expected, b"after"]


@pytest.mark.parametrize("stays", [False, True])
@pytest.mark.parametrize("at", range(1, 12))
def test_every_failing_operation_leaves_old_or_new(tmp_path: Path, at: int, stays: bool) -> None:
    path = tmp_path / "j"
    journal = Journal(path, Failing(at, stays=stays))
    acknowledged: list[bytes] = []
    attempted: list[bytes] = []
    for number in range(6):
        record = f"record {number}".encode() * 20
        attempted.append(record)
        try:
            journal.append(record)
            acknowledged.append(record)
        except StoreUnavailable as error:
            assert error.status == 503
    journal.close()
    found = held(path)
    assert [record for record in found if record in acknowledged] == acknowledged
    assert all(record in attempted for record in found)
    if not stays:
        # One fault: the record it hit is gone, unless even that could not be undone; then nothing comes after it.
        assert len(found) - len(acknowledged) <= 1


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", Failing(3, errno.ENOSPC))
    journal.append(b"one")
    with pytest.raises(StoreUnavailable, match="No space left") as caught:
        journal.append(b"two")
    assert caught.value.status == 507
    journal.append(b"three")
    journal.close()
    assert held(tmp_path / "j") == [b"one", b"three"]


def test_nothing_is_written_to_a_file_that_was_removed(tmp_path: Path) -> None:
    path = tmp_path / "s" / "j"
    path.parent.mkdir()
    journal = Journal(path)
    journal.append(b"one")
    path.parent.rename(tmp_path / "away")
    with pytest.raises(StoreUnavailable, match="was removed"):
        journal.append(b"two")
    path.parent.mkdir()
    path.write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="another file"):
        journal.append(b"two")
    path.unlink()
    path.parent.rmdir()
    (tmp_path / "away").rename(path.parent)
    journal.append(b"three")
    journal.close()
    assert held(path) == [b"one", b"three"]


def test_rot_in_the_middle_is_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    for number in range(3):
        journal.append(f"record {number}".encode())
    journal.close()
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalDamaged, match="damaged at byte"):
        Journal(path)
    assert path.read_bytes() == data


def test_a_retracted_record_is_gone(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.append(b"one")
    journal.append(b"two")
    journal.retract()
    journal.append(b"three")
    journal.close()
    assert held(tmp_path / "j") == [b"one", b"three"]


@pytest.mark.parametrize("at", range(1, 6))
def test_a_durable_write_is_all_or_nothing(tmp_path: Path, at: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old" * 100)
    try:
        write_durably(path, b"new" * 100, Failing(at))
    except OSError:
        assert path.read_bytes() in (b"old" * 100, b"new" * 100)
    else:
        assert path.read_bytes() == b"new" * 100
    assert [file.name for file in tmp_path.iterdir()] == ["f"]


def graph(number: int) -> SourceGraph:
    return SourceGraph.parse(f'<urn:s> <urn:p> {number} , "line\\nbreak" ; <urn:q> [ <urn:r> {number % 3} ] .')


def revision(store: JournalStore, number: int, old: SourceGraph | None, new: SourceGraph) -> Revision:
    delta = between(old, new)
    return Revision(
        number, datetime.now(UTC), new.digest, 1, 0.1, author=Author("me", f"step {number}", "here"),
        parent=number - 1 or None, added=len(delta.added), removed=len(delta.removed), delta=delta,
    )  # fmt: skip


def test_a_store_is_what_was_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_gateway_service_mesh.control.store_journal._LEAST", 3000)
    store = JournalStore(tmp_path / "s")
    with pytest.raises(ConfigError, match="is empty"):
        store.read()
    sources = [graph(number) for number in range(40)]
    old: SourceGraph | None = None
    for number, source in enumerate(sources, 1):
        store.commit(revision(store, number, old, source), source)
        old = source
    store.close()
    assert len(list((tmp_path / "s").glob("journal-*.agw"))) > 1
    again = JournalStore(tmp_path / "s")
    assert again.read().digest == sources[-1].digest
    restored = again.restored()
    assert [item.number for item in restored] == list(range(1, 41))
    assert restored[4].author == Author("me", "step 5", "here")
    for number in (2, 17, 40):
        delta = again.delta(number)
        assert delta is not None
        assert delta == between(sources[number - 2], sources[number - 1])
    assert again.delta(99) is None
    next_source = graph(99)
    again.commit(revision(again, 41, sources[-1], next_source), next_source)
    again.retract()
    assert again.read().digest == sources[-1].digest
    again.close()
    last = JournalStore(tmp_path / "s")
    assert last.read().digest == sources[-1].digest
    last.close()


@pytest.mark.parametrize("head", [{"kind": "revision", "form": 2}, {"kind": "leap", "form": 1}, {"kind": "leap"}])
def test_what_a_newer_program_wrote_is_not_read_amiss(tmp_path: Path, head: dict[str, object]) -> None:
    store = JournalStore(tmp_path / "s")
    store.commit(revision(store, 1, None, graph(1)), graph(1))
    store.close()
    (path,) = (tmp_path / "s").glob("journal-*.agw")
    newer = Journal(path)
    newer.append(json.dumps(head).encode() + b"\n")
    newer.close()
    data = path.read_bytes()
    again = JournalStore(tmp_path / "s")
    with pytest.raises(AgwError, match="was written by a newer agw") as caught:
        again.read()
    again.close()
    assert caught.value.remedy is not None and "this store is as it was" in caught.value.remedy
    assert path.read_bytes() == data


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> int:
    """A store that begins a new file often, and keeps few revisions."""
    monkeypatch.setattr("api_gateway_service_mesh.control.store_journal._LEAST", 1500)
    monkeypatch.setattr("api_gateway_service_mesh.control.store_journal.KEPT_REVISIONS", 8)
    return 8


def test_old_history_goes(tmp_path: Path, short: int) -> None:
    store = JournalStore(tmp_path / "s")
    old: SourceGraph | None = None
    sizes = []
    for number in range(1, 121):
        new = graph(number)
        store.commit(revision(store, number, old, new), new)
        old = new
        sizes.append(sum(file.stat().st_size for file in (tmp_path / "s").glob("journal-*.agw")))
    assert max(sizes[60:]) <= 1.5 * max(sizes[:60]), "it grows"
    assert store.delta(1) is None
    store.close()
    again = JournalStore(tmp_path / "s")
    assert again.read().digest == graph(120).digest
    assert [item.number for item in again.restored()] == list(range(121 - short, 121))
    for number in range(121 - short, 121):
        assert again.delta(number) == between(graph(number - 1), graph(number))
    again.close()


def test_whatever_fails_while_old_history_goes_what_was_acknowledged_is_there(tmp_path: Path, short: int) -> None:
    """Each operation of the disk fails once, and once for good, as if the process had been killed there."""
    for at in range(1, 170, 3):
        for stays in (False, True):
            folder = tmp_path / f"{at}{stays}"
            store = JournalStore(folder, disk=Failing(at, stays=stays))
            old: SourceGraph | None = None
            number = 0
            for _ in range(40):
                new = graph(number + 1)
                try:
                    store.commit(revision(store, number + 1, old, new), new)
                except StoreUnavailable:
                    continue
                old, number = new, number + 1
            store.close()
            again = JournalStore(folder)
            found = [item.number for item in again.restored()]
            if old is not None:
                last = found[-1]
                assert last is not None and last - number in ((0, 1) if stays else (0,))
                assert again.read().digest == graph(last).digest
                assert found == list(range(last - len(found) + 1, last + 1))
                assert len(found) >= min(last, short)
                for kept in found[1:]:
                    assert kept is not None and again.delta(kept) == between(graph(kept - 1), graph(kept))
            again.close()


def test_nobody_waits_for_a_new_file_and_it_has_what_was_committed_meanwhile(
    tmp_path: Path, short: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = threading.Event()

    class Slow(Disk):
        """Writes a new file's graph when it is told to."""

        def write(self, fd: int, data: bytes) -> None:
            if threading.current_thread().name == "agw-base":
                writes.wait(20)
            super().write(fd, data)

    monkeypatch.setattr("api_gateway_service_mesh.control.store_journal._QUICK", -1)
    folder = tmp_path / "s"
    store = JournalStore(folder, disk=Slow())
    old: SourceGraph | None = None
    for number in range(1, 31):
        new = graph(number)
        store.commit(revision(store, number, old, new), new)
        old = new
    assert [path.name for path in folder.glob("journal-*.agw")] == ["journal-0000000000.agw"]
    (making,) = folder.glob("*.making")
    writes.set()
    number = 30
    while len(list(folder.glob("journal-*.agw"))) == 1:
        number += 1
        new = graph(number)
        store.commit(revision(store, number, old, new), new)
        old = new
    assert not making.exists()
    for each in range(number - short, number + 1):
        assert store.delta(each) == between(graph(each - 1), graph(each))
    store.commit(revision(store, number + 1, old, graph(0)), graph(0))
    store.retract()
    store.close()
    assert not list(folder.glob("*.making"))
    again = JournalStore(folder)
    assert again.read().digest == graph(number).digest
    assert [item.number for item in again.restored()] == list(range(number - short + 1, number + 1))
    again.close()


def test_one_gateway_a_folder(tmp_path: Path) -> None:
    store = JournalStore(tmp_path / "s")
    with pytest.raises(AgwError, match="another gateway has the store"):
        JournalStore(tmp_path / "s")
    store.close()
    JournalStore(tmp_path / "s").close()


WRITERS = """
import os, sys
from pathlib import Path
from api_gateway_service_mesh.control import store_journal
from tests.control.test_journal import JournalStore, graph, revision
store_journal._LEAST, store_journal.KEPT_REVISIONS = 1500, 8
for line in sys.stdin:  # each line begins a writer: so that two hundred of them import the program once
    store_journal._QUICK = int(line)
    writer = os.fork()
    if writer:
        os.waitpid(writer, 0)
        os.write(1, b"over\\n")
        continue
    os.write(1, f"{os.getpid()}\\n".encode())
    store = JournalStore(Path(sys.argv[1]))
    old = None if store.empty else store.read()
    number = store.restored()[-1].number if not store.empty else 0
    while True:
        number += 1
        new = graph(number)
        store.commit(revision(store, number, old, new), new)
        old = new
        os.write(1, f"{number} {new.digest}\\n".encode())
"""


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where the system has such."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else tmp_path) as name:
        yield Path(name)


@pytest.mark.timeout(60 + KILLS)
def test_killed_at_any_instant_all_that_was_acknowledged_is_there(memory: Path) -> None:
    """A writer is killed after a random number of acknowledgements and a random further moment; two hundred times."""
    rng = random.Random("kills")
    # A kill leaves what the kernel was given, on whatever disk; so the quickest will do.
    folder = memory / "s"
    ahead = 0
    command = [sys.executable, "-c", WRITERS, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as writers:
        assert writers.stdin is not None and writers.stdout is not None
        for _ in range(KILLS):
            writers.stdin.write(rng.choice(("2000\n", "-1\n")))  # new files are begun at once, or by a thread
            writers.stdin.flush()
            writer = int(writers.stdout.readline())
            acknowledged = writers.stdout.readline()
            for _ in range(rng.randrange(12)):
                acknowledged = writers.stdout.readline()
            time.sleep(rng.random() * 0.002)
            os.kill(writer, signal.SIGKILL)
            while (line := writers.stdout.readline()) != "over\n":
                acknowledged = line
            number, _, digest = acknowledged.strip().partition(" ")
            store = JournalStore(folder)
            last = store.restored()[-1].number
            assert last is not None and last - int(number) in (0, 1)
            ahead += last - int(number)
            expected = digest if last == int(number) else graph(last).digest
            assert store.read().digest == expected
            store.close()
        writers.stdin.close()
    assert KILLS < 200 or ahead, "no kill came between a write and its acknowledgement"


def test_a_real_limit_on_file_size(tmp_path: Path) -> None:
    """RLIMIT_FSIZE: the write is cut short in the middle, as on a full disk."""
    text = """
import resource, signal, sys, json
from pathlib import Path
from tests.control.test_journal import JournalStore, graph, revision, StoreUnavailable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
store = JournalStore(Path(sys.argv[1]))
old, last = None, None
for number in range(1, 100):
    new = graph(number)
    try:
        store.commit(revision(store, number, old, new), new)
    except StoreUnavailable as error:
        assert error.status == 507, error
        assert store.read().digest == old.digest
        break
    old, last = new, number
print(json.dumps([last, old.digest]))
"""
    command = [sys.executable, "-c", text, str(tmp_path / "s")]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    number, digest = json.loads(done.stdout)
    store = JournalStore(tmp_path / "s")
    assert store.torn == 0
    assert store.restored()[-1].number == number
    assert store.read().digest == digest
    store.close()
