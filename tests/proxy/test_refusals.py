"""Every kind of refusal that the source names is in the table."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from api_gateway_service_mesh import proxy
from api_gateway_service_mesh.proxy.refusals import KINDS, flags_with

ELSEWHERE = {"wait", "cannot-listen"}  # no answer to a request


def _strings(node: ast.expr | None) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*_strings(node.body), *_strings(node.orelse))


def _kinds(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            at = {"Refusal": 1, "_said": 1, "HeadError": 1, "fault": 0, "Verdict": 1}.get(name)
            if at is not None and len(node.args) > at:
                yield from _strings(node.args[at])
        elif isinstance(node, ast.Assign):
            names = {getattr(target, "attr", getattr(target, "id", "")) for target in node.targets}
            if names & {"problem", "_problem", "_ADDRESS_KIND", "_FULL_KIND"}:
                yield from _strings(node.value)
            if "_KINDS" in names and isinstance(node.value, ast.Dict):
                yield from (
                    kind for pair in node.value.values if isinstance(pair, ast.Tuple) for kind in _strings(pair.elts[0])
                )


def test_every_kind_that_the_source_names_is_in_the_table_and_no_other() -> None:
    folder = Path(proxy.__file__).parent
    files = [*folder.glob("*.py"), folder.parent / "routing" / "validation.py"]
    named = {kind for file in files for kind in _kinds(ast.parse(file.read_text()))}
    assert named - ELSEWHERE == set(KINDS)


def test_a_kind_adds_its_flag_once() -> None:
    assert flags_with((), "rate-limited") == ("RL",)
    assert flags_with(("RL",), "quota-exceeded") == ("RL",)
    assert flags_with(("x",), "no-such-kind") == ("x",)
