"""What the build compiles is there, and the switch is understood. That it compiles and serves is tried with a wheel."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def build() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "hatch_build.py"), run_name="hatch_build")


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found: dict[str, Any] = stated["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]
    return found


def test_every_pattern_names_a_module(build: dict[str, Any], settings: dict[str, Any]) -> None:
    chosen = {path.as_posix() for path in build["modules"](ROOT, settings)}
    assert "src/api_gateway_service_mesh/proxy/exchange.py" in chosen
    assert "src/api_gateway_service_mesh/proxy/listener.py" not in chosen
    assert not [path for path in chosen if path.endswith("__init__.py")]


def test_a_pattern_without_a_module_is_an_error(build: dict[str, Any], settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"proxy/gone\.py"):
        build["modules"](ROOT, settings | {"compiled": ["proxy/gone.py"]})


def test_the_switch_is_1_or_0(build: dict[str, Any]) -> None:
    assert build["wanted"]({"AGW_COMPILE": "1"})
    assert not build["wanted"]({"AGW_COMPILE": "0"})
    assert not build["wanted"]({})
    with pytest.raises(ValueError, match="AGW_COMPILE"):
        build["wanted"]({"AGW_COMPILE": "yes"})
