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


def faults(promise: str, tests: str) -> list[str]:
    """What is wrong with a line: it names no test, or one that is not there."""
    named = re.findall(r"`([^`]+)`", tests)
    if not named:
        return [f"no test holds: {promise}"]
    found = []
    for name in named:
        path, _, function = name.partition("::")
        if not (function.startswith("test_") and (ROOT / path).is_file() and function in functions(ROOT / path)):
            found.append(f"there is no {name}")
    return found


@pytest.mark.parametrize(("promise", "tests"), PROMISES, ids=[promise[:60] for promise, _ in PROMISES])
def test_a_promise_names_tests_that_exist(promise: str, tests: str) -> None:
    assert faults(promise, tests) == []


def test_a_promise_that_nothing_holds_is_seen() -> None:
    here = "tests/test_threat_model.py"
    assert faults("p", f"`{here}::test_a_promise_that_nothing_holds_is_seen`") == []
    assert faults("p", "") == ["no test holds: p"]
    for wrong in (f"{here}::test_that_is_gone", "tests/test_gone.py::test_a", here, f"{here}::functions"):
        assert faults("p", f"`{here}::test_a_promise_that_nothing_holds_is_seen` `{wrong}`") == [f"there is no {wrong}"]
    assert all(len(line) == 2 for line in PROMISES), "each line has a promise and its tests"


def test_there_are_promises_of_every_kind() -> None:
    headings = re.findall(r"^#### (.+)$", TEXT, re.MULTILINE)
    assert len(headings) >= 6
    assert len(PROMISES) >= 30
