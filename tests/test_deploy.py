"""What is in deploy/: the container file and the systemd unit ask for nothing they do not need, and agw runs as they say."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.support.serving import Serving, turtle

ROOT = Path(__file__).parent.parent
CONTAINER = (ROOT / "deploy/Containerfile").read_text()
UNIT = ROOT / "deploy/agw.service"


def instructions() -> list[tuple[str, str]]:
    """The container file's instructions, continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", CONTAINER, flags=re.MULTILINE))
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in joined.splitlines() if line.strip()]


def test_the_container_is_small_and_not_root() -> None:
    found = instructions()
    stages = [index for index, (name, _) in enumerate(found) if name == "FROM"]
    last = found[stages[-1] :]
    assert len(stages) == 2
    assert "gcc" not in " ".join(text for _, text in last)
    users = [text for name, text in last if name == "USER"]
    assert users
    assert all(re.fullmatch(r"[1-9]\d+:[1-9]\d+", user) for user in users)
    assert {"ENTRYPOINT", "CMD", "HEALTHCHECK", "STOPSIGNAL"} <= {name for name, _ in last}
    ignored = (ROOT / ".dockerignore").read_text().split()
    for needed in ("src", "ontology", "shapes", "queries", "examples", "hatch_build.py", "pyproject.toml", "README.md"):
        assert (ROOT / needed).exists()
        assert needed not in ignored


def test_the_unit_is_one_and_confines(tmp_path: Path) -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    service = unit["Service"]
    assert shlex.split(service["ExecStart"])[1] == "serve"
    for name in ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "PrivateDevices", "RestrictNamespaces"):
        assert service[name] == "yes", name
    assert service["ProtectSystem"] == "strict"
    if shutil.which("systemd-analyze"):
        copy = tmp_path / UNIT.name
        copy.write_text(UNIT.read_text().replace("/usr/local/bin/agw", sys.executable))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], text=True, capture_output=True)
        assert [line for line in done.stderr.splitlines() if UNIT.name in line] == []


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"), reason="a read-only root needs root and unshare to be made"
)
def test_it_serves_with_nothing_to_write_to_but_its_temporary_folder(tmp_path: Path) -> None:
    config = tmp_path / "gateway.ttl"
    config.write_text(
        turtle("""
ex:gateway a agw:ApiGateway ; agw:hasRoute ex:r .
ex:r a agw:Route ; agw:routePath "/r" ; agw:hasDirectResponse [ a agw:DirectResponse ; agw:responseStatus 204 ] .
""")
    )
    probe = subprocess.run(["unshare", "-m", "true"], capture_output=True)
    if probe.returncode:
        pytest.skip("this machine lets nobody make a mount namespace")
    script = (
        "set -e; mount --make-rprivate /; for m in $(awk '{print $2}' /proc/mounts | sort -r); do "
        'case $m in /proc*|/sys*|/dev*) ;; *) mount -o remount,bind,ro "$m" 2>/dev/null || true;; esac; done; '
        'if touch "$0/written" 2>/dev/null; then echo not read-only; exit 7; fi; '
        'mount -t tmpfs tmpfs /run; export HOME=/run TMPDIR=/run; cd /run; exec "$@"'
    )
    gateway = Serving(
        "--host", "127.0.0.1", "--port", "0", "--admin-port", "0", "--workers", "1", str(config),
        under=("unshare", "-m", "sh", "-c", script, str(tmp_path)),
    )  # fmt: skip
    try:
        gateway.ready()
        with urllib.request.urlopen(f"{gateway.url}/r", timeout=10) as answer:
            assert answer.status == 204
    finally:
        gateway.end()
