"""What the build compiles is there, and the switch is understood.

That it compiles and serves is tried by .ci/run where there is a C compiler: with a compiled wheel, it runs the tests of
all that a request passes.
"""

from __future__ import annotations

import ast
import importlib
import runpy
import tomllib
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import pytest

from api_gateway_service_mesh import resources

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


HOT = [
    "answer",
    "answer_writer",
    "answering",
    "authentication",
    "breaker",
    "core",
    "counters",
    "downstream",
    "exchange",
    "exchange_state",
    "forwarded",
    "head",
    "lines",
    "parser",
    "pipeline",
    "pool",
    "rate_limit",
    "request_line",
    "retry",
    "split",
    "target",
    "upstream",
]


def test_all_that_every_request_passes_is_compiled(build: dict[str, Any], settings: dict[str, Any]) -> None:
    chosen = {path.stem for path in build["modules"](ROOT, settings)}
    assert set(HOT) - chosen == set()
    assert {"balancer", "roster", "cells", "index", "tree", "table", "token"} - chosen == set()


def test_what_is_compiled_caches_nothing_by_cached_property(build: dict[str, Any], settings: dict[str, Any]) -> None:
    """Compiled, such a property is a plain one: right, and worked out every time."""
    named = [
        path.as_posix() for path in build["modules"](ROOT, settings) if "cached_property\n" in (ROOT / path).read_text()
    ]
    assert named == []


def _declared(node: ast.ClassDef) -> set[str]:
    """Attributes of instances that a class body or a method of it gives a type."""
    stated = [each for each in ast.walk(node) if isinstance(each, ast.AnnAssign)]
    found = {each.target.id for each in node.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
             and "ClassVar" not in ast.unparse(each.annotation)}  # fmt: skip
    return found | {
        each.target.attr
        for each in stated
        if isinstance(each.target, ast.Attribute) and ast.unparse(each.target.value) == "self"
    }


def test_no_class_declares_an_attribute_that_its_base_has(build: dict[str, Any], settings: dict[str, Any]) -> None:
    """mypyc's traversal visits such a field once for each of the two: to the garbage collector it then seems that one
    reference more is accounted for than there is, and it clears objects that are in use."""
    trees = [ast.parse((ROOT / path).read_text()) for path in build["modules"](ROOT, settings)]
    classes = {each.name: each for tree in trees for each in ast.walk(tree) if isinstance(each, ast.ClassDef)}
    again = []
    for name, node in classes.items():
        bases = [ast.unparse(base) for base in node.bases]
        while bases:
            base = classes.get(bases.pop())
            if base is not None and "Protocol" not in (above := [ast.unparse(each) for each in base.bases]):
                again += [f"{name}.{attribute}" for attribute in _declared(node) & _declared(base)]
                bases += above
    assert again == []


@pytest.mark.skipif(resources.build() != "compiled", reason="this installation is interpreted")
def test_every_module_of_the_list_is_imported_as_compiled(build: dict[str, Any], settings: dict[str, Any]) -> None:
    for path in build["modules"](ROOT, settings):
        module = importlib.import_module(".".join(path.with_suffix("").parts[1:]))
        assert str(module.__file__).endswith(tuple(EXTENSION_SUFFIXES)), path


def test_a_pattern_without_a_module_is_an_error(build: dict[str, Any], settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"proxy/gone\.py"):
        build["modules"](ROOT, settings | {"compiled": ["proxy/gone.py"]})


def test_the_switch_is_1_or_0(build: dict[str, Any]) -> None:
    assert build["wanted"]({"AGW_COMPILE": "1"})
    assert not build["wanted"]({"AGW_COMPILE": "0"})
    assert not build["wanted"]({})
    with pytest.raises(ValueError, match="AGW_COMPILE"):
        build["wanted"]({"AGW_COMPILE": "yes"})
