"""The wheel a user installs holds the ontology, the shapes, the queries and the examples, and its command works."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(out), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


def test_wheel_holds_every_data_file(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("ontology", "shapes", "queries", "examples"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"api_gateway_service_mesh/_data/{path.relative_to(ROOT)}" in names
    page = ROOT / "src" / "api_gateway_service_mesh" / "control" / "console" / "page"
    assert {f"api_gateway_service_mesh/control/console/page/{path.name}" for path in page.iterdir()} <= names
    assert "api_gateway_service_mesh/py.typed" in names
    assert not [name for name in names if name.startswith("tests/")]


def test_installed_command_validates_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """A virtual environment that sees this one's dependencies, and of agw nothing but the wheel."""
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False, symlinks=True)
    site = next(environment.glob("lib/python*/site-packages"))
    dependencies = next(path for path in sys.path if path.endswith("site-packages"))
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site), str(wheel)], check=True
    )
    (site / "dependencies.pth").write_text(dependencies + "\n")
    python = environment / "bin" / "python"

    def agw(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(python), "-P", "-m", "api_gateway_service_mesh", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )

    where = subprocess.run(
        [str(python), "-P", "-c", "import api_gateway_service_mesh as p; print(p.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert str(site) in where.stdout
    assert agw("init", "first").returncode == 0
    checked = agw("validate", "first/gateway.ttl")
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.startswith("ok: 2 routes, 2 services")
