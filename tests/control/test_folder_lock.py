"""Two gateways that were to write the same files: the second is told, and told what to do."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from api_gateway_service_mesh.control.folder_lock import FolderLock
from api_gateway_service_mesh.errors import AgwError
from tests.support.serving import Serving, serve_process

from .test_serve import get
from .test_update import ADD, update
from .test_writable import config


async def test_one_gateway_alone_writes_files_until_it_is_killed(tmp_path: Path, backend_port: int) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(config(backend_port))
    link = tmp_path / "elsewhere"
    link.symlink_to(tmp_path, target_is_directory=True)
    with serve_process(file, "--writable", "--workers", "1") as first:
        with serve_process(file, "--workers", "1") as reader:
            # Of its own change nothing is lost, and the lock outlives the file, which is replaced by it.
            assert (await update(first, ADD.format(1)))[0] == 200
            reader.said("revision 2 is live")
            assert (await get(reader.url + "/n1/x"))[0] == 200
        second = Serving("--host", "127.0.0.1", "--port", "0", "--admin-port", "0", "--writable", f"{link}/gateway.ttl")
        assert second.process.wait(60) == 1
        said = " ".join(second.lines)
        second.said("gateway.ttl cannot be served with --writable: another gateway writes back to files in")
        assert "without --writable" in said and "--store" in said and "Traceback" not in said
        first.process.kill()
        first.process.wait()
        with serve_process(file, "--writable", "--workers", "1") as third:
            assert (await update(third, ADD.format(2)))[0] == 200


def test_all_folders_or_none(tmp_path: Path) -> None:
    files = [tmp_path / name / "a.ttl" for name in "abc"]
    for file in files:
        file.parent.mkdir()
    held = FolderLock(files[1:2])
    with pytest.raises(AgwError, match=r"b/a\.ttl cannot be served with --writable"):
        FolderLock(files)
    others = FolderLock([files[0], files[2], tmp_path / "none" / "a.ttl"])
    held.release()
    others.release()
    FolderLock(files).release()


def test_a_folder_that_cannot_be_locked_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")  # NFS: only what is open for writing

    monkeypatch.setattr(fcntl, "flock", refuse)
    held = FolderLock([tmp_path / "a.ttl"])
    assert held.remark is not None and "cannot be locked" in held.remark
    held.release()
