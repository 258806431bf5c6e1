"""The command as a user runs it: a process of its own, its output in pipes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from api_gateway_service_mesh.cli.init import SCAFFOLD

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def agw(tmp_path: Path) -> Run:
    """Runs ``agw ARGUMENTS`` in an empty folder."""

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "api_gateway_service_mesh", *arguments],
            cwd=tmp_path,
            env={name: value for name, value in os.environ.items() if name != "AGW_ADMIN_TOKEN"},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.fixture
def gateway_file(tmp_path: Path) -> Path:
    """The scaffold that ``agw init`` writes."""
    path = tmp_path / "gateway.ttl"
    path.write_text(SCAFFOLD.format(name=path.name))
    return path
