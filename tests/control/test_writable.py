"""Updates written back to the files they were made of."""

from __future__ import annotations

import errno
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api_gateway_service_mesh.control.delta import between
from api_gateway_service_mesh.control.history import Revision
from api_gateway_service_mesh.control.store import StoreConflict, StoreReadOnly, StoreUnavailable
from api_gateway_service_mesh.control.store_files import FileStore
from api_gateway_service_mesh.graph import SourceGraph
from tests.support.serving import serve_process, turtle

from .test_journal import Failing
from .test_serve import get
from .test_update import ADD, send, update

TEXT = """# The gateway of the shop. Ask Ada before you change it.
{prefixes}
ex:gateway a agw:ApiGateway ; agw:hasRoute ex:r0 . # one so far

ex:r0 a agw:Route ;          # the first
    agw:routePath "/r0/*" ;  # everything below
    agw:hasBackendService ex:backend ;
    agw:hasTimeout [ a agw:Timeout ; agw:timeoutSeconds 5 ] .

ex:backend a agw:BackendService ; agw:address "127.0.0.1:{port}" .
"""


def config(port: int) -> str:
    return TEXT.format(prefixes=turtle(""), port=port)


async def test_an_update_changes_the_text_and_leaves_the_comments(tmp_path: Path, backend_port: int) -> None:
    file = tmp_path / "gateway.ttl"
    text = config(backend_port)
    file.write_text(text)
    file.chmod(0o640)
    with serve_process(file, "--writable", "--workers", "1") as gateway:
        change = (
            "DELETE { ?t agw:timeoutSeconds ?o } INSERT { ?t agw:timeoutSeconds 9 } WHERE { ?t agw:timeoutSeconds ?o }"
        )
        status, told, _ = await update(gateway, change)
        assert status == 200, told
        assert file.read_text() == text.replace("timeoutSeconds 5", "timeoutSeconds 9")
        assert (await update(gateway, ADD.format(1)))[0] == 200
        assert (await get(gateway.url + "/n1/x"))[0] == 200
        assert "# Ask Ada" not in file.read_text() and "Ask Ada before you change it." in file.read_text()
        assert "agw:hasRoute ex:r0 ;\n    agw:hasRoute ex:n1 . # one so far" in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o640
        assert (await update(gateway, "INSERT DATA { ex:n1 agw:routePth '/x' }"))[0] == 422
        # A foreign edit is loaded, and is the next revision: the gateway's own writes were none.
        file.write_text(file.read_text().replace('"/n1/*"', '"/m1/*"'))
        gateway.said("revision 4 is live")
        assert (await get(gateway.url + "/m1/x"))[0] == 200
        rolled = await send(gateway, "POST", "/revisions/1/rollback")
        assert rolled[0] == 200, rolled
        numbers = [item["revision"] for item in json.loads((await send(gateway, "GET", "/revisions"))[1])]
        assert numbers == [5, 4, None, 3, 2, 1]
        assert not any("certificates" in line for line in gateway.lines)
        gateway.process.kill()
        gateway.process.wait()
    assert SourceGraph.load([file]).digest == SourceGraph.parse(text).digest
    assert [path.name for path in tmp_path.iterdir()] == ["gateway.ttl"]


async def test_an_edit_that_is_refused_is_not_overwritten(tmp_path: Path, backend_port: int) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(config(backend_port))
    with serve_process(file, "--writable", "--workers", "1") as gateway:
        broken = config(backend_port).replace("agw:routePath", "agw:routePth")
        file.write_text(broken)
        gateway.said("the new configuration is refused")
        status, told, _ = await update(gateway, ADD.format(1))
        assert (status, json.loads(told)["type"]) == (409, "urn:agw:problem:conflict")
        assert file.read_text() == broken


PREFIXES = "@prefix ex: <urn:x:> .\n"


def store(folder: Path, disk: Failing | None = None) -> tuple[FileStore, list[Path]]:
    files = [folder / "a.ttl", folder / "b.ttl"]
    for number, file in enumerate(files):
        if not file.exists():
            file.write_text(f"{PREFIXES}ex:s{number} ex:p 1 . # {file.name}\n")
    return FileStore(files, writable=True, disk=disk), files


def changed(kept: FileStore) -> tuple[SourceGraph, SourceGraph]:
    old = kept.read()
    wanted = SourceGraph.parse(PREFIXES + "ex:s0 ex:p 2 . ex:s1 ex:p 2 .")
    return old, kept.propose(old, between(old, wanted))


@pytest.mark.parametrize("at", range(1, 16))
def test_several_files_change_together_or_not_at_all(tmp_path: Path, at: int) -> None:
    kept, files = store(tmp_path, Failing(at))
    old, new = changed(kept)
    revision = Revision(2, datetime.now(UTC), new.digest, 1, 0.0)
    try:
        kept.commit(revision, new)
        expected = new
    except StoreUnavailable:
        expected = old
    assert SourceGraph.load(files).digest == expected.digest
    assert all(f"# {file.name}" in file.read_text() for file in files)


class _Killed(BaseException):
    pass


class _Dies(Failing):
    """The process ends at the n-th operation: nothing is put back."""

    def _count(self) -> bool:
        if super()._count():
            raise _Killed
        return False


@pytest.mark.parametrize("at", range(1, 14))
def test_a_crash_between_two_files_is_finished_at_the_next_start(tmp_path: Path, at: int) -> None:
    kept, files = store(tmp_path, _Dies(at))
    old, new = changed(kept)
    try:
        kept.commit(Revision(2, datetime.now(UTC), new.digest, 1, 0.0), new)
    except _Killed:
        pass
    kept.close()  # as the end of the process does
    again, _ = store(tmp_path)
    assert again.read().digest in (old.digest, new.digest)
    assert SourceGraph.load(files).digest in (old.digest, new.digest)


def test_what_is_committed_can_be_taken_back(tmp_path: Path) -> None:
    kept, files = store(tmp_path)
    old, new = changed(kept)
    before = [file.read_text() for file in files]
    kept.commit(Revision(2, datetime.now(UTC), new.digest, 1, 0.0), new)
    assert SourceGraph.load(files).digest == new.digest
    kept.retract()
    assert [file.read_text() for file in files] == before
    assert set(kept.written) == set(files)
    assert kept.read().digest == old.digest


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    kept, files = store(tmp_path, Failing(1, errno.ENOSPC))
    old, new = changed(kept)
    with pytest.raises(StoreUnavailable, match=r"a\.ttl.* cannot be written: No space left") as caught:
        kept.commit(Revision(2, datetime.now(UTC), new.digest, 1, 0.0), new)
    assert (caught.value.status, caught.value.remedy) == (507, "make room on the disk")
    assert SourceGraph.load(files).digest == old.digest


def test_what_is_refused(tmp_path: Path) -> None:
    kept, files = store(tmp_path)
    old = kept.read()
    files[0].write_text(PREFIXES + "ex:s0 ex:p 5 .\n")
    with pytest.raises(StoreConflict, match=r"a\.ttl was edited"):
        kept.propose(old, between(old, SourceGraph.parse("<urn:x:s0> <urn:x:p> 2 .")))
    files[0].write_text(PREFIXES + "[ ex:q 1 ; ex:r 2 ] ex:p 5 .\n")
    old = kept.read()
    with pytest.raises(StoreReadOnly, match="cannot be written back"):
        kept.propose(old, between(old, SourceGraph.of(old.triples[1:])))
