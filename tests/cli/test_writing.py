"""Files are written whole or not at all."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from api_gateway_service_mesh.cli.writing import write_whole


def _full_disk() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("init", "new"), "new/gateway.ttl"),
        (("manifests", "gateway.ttl", "--target", "istio", "--allow-loss", "-o", "out"), "out/istio/"),
    ],
)
def test_a_full_disk_leaves_no_half_of_a_file(
    arguments: tuple[str, ...], name: str, gateway_file: Path, tmp_path: Path
) -> None:
    result = subprocess.run(
        [sys.executable, "-B", "-m", "api_gateway_service_mesh", *arguments],
        cwd=tmp_path,
        preexec_fn=_full_disk,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert f"error: {name}" in result.stderr
    assert "cannot be written: " in result.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path != gateway_file] == []


def test_what_was_there_is_replaced_at_once(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.yaml"
    write_whole(path, "one\n")
    before = path.stat().st_ino
    write_whole(path, "two\n")
    assert path.read_text() == "two\n"
    assert path.stat().st_ino != before
    assert list(path.parent.iterdir()) == [path]
