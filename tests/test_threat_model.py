"""Each promise of SECURITY.md names tests, and they exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "SECURITY.md").read_text()
PROMISES = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in TEXT.split("### What is promised", 1)[1].split("### What is not promised", 1)[0].splitlines()
    if line.startswith("| ") and not line.startswith("| promise |")
]


def functions(path: Path) -> set[str]:
    """Names of the test functions of a file, those in classes too."""
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("promise", "tests"), PROMISES, ids=[promise[:60] for promise, _ in PROMISES])
def test_a_promise_names_tests_that_exist(promise: str, tests: str) -> None:
    named = re.findall(r"`([^`]+)`", tests)
    assert named, f"no test holds: {promise}"
    for name in named:
        path, _, function = name.partition("::")
        assert function.startswith("test_"), name
        assert function in functions(ROOT / path), name


def test_there_are_promises_of_every_kind() -> None:
    headings = re.findall(r"^#### (.+)$", TEXT, re.MULTILINE)
    assert len(headings) >= 6
    assert len(PROMISES) >= 30
