"""Patterns mean the same on every Python that agw runs on.

Until Python 3.11.4 a possessive group (``(...)*+``) and an atomic one (``(?>...)``) can match what they should not when
what is in them backtracks (CPython issue 106052). Of single characters (``[a-z]*+``) they are right everywhere.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections import Counter
from pathlib import Path
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import api_gateway_service_mesh

_SINGLE = {"IN", "LITERAL", "NOT_LITERAL", "ANY", "CATEGORY"}


def _unsafe(parsed: Any) -> bool:
    for operator, argument in parsed:
        name = str(operator)
        if name == "ATOMIC_GROUP":
            return True
        if name == "POSSESSIVE_REPEAT":
            inner = list(argument[2])
            if len(inner) != 1 or str(inner[0][0]) not in _SINGLE:
                return True
        if any(_unsafe(part) for part in _parts(argument)):
            return True
    return False


def _parts(argument: Any) -> list[Any]:
    if isinstance(argument, _parser.SubPattern):
        return [argument]
    if isinstance(argument, (tuple, list)):
        return [found for part in argument for found in _parts(part)]
    return []


def test_no_possessive_groups() -> None:
    found, seen = [], 0
    for module in pkgutil.walk_packages(api_gateway_service_mesh.__path__, "api_gateway_service_mesh."):
        if module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern):
                seen += 1
                if _unsafe(
                    _parser.parse(
                        value.pattern, value.flags & ~re.UNICODE if isinstance(value.pattern, bytes) else value.flags
                    )
                ):
                    found.append(f"{module.name}.{name}")
    assert seen > 20 and found == []


def test_the_check_sees_one() -> None:
    assert _unsafe(_parser.parse(r"x(?:(?:;a|b)*+)")) and _unsafe(_parser.parse(r"(?>ab)"))
    assert not _unsafe(_parser.parse(r"(?:;[a-z]++)*x*+"))


#: How many patterns for `re` are not written out in one piece, by module: all of the code's own parts, or escaped.
_MADE = {
    "control/build.py": 1,
    "graph/namespace.py": 1,
    "graph/fragment.py": 1,
    "graph/secrets.py": 2,
    "graph/tokens.py": 1,
    "graph/values.py": 3,
    "proxy/authentication.py": 1,
    "proxy/chunked.py": 2,
    "proxy/external_authorization.py": 1,
    "proxy/head.py": 1,
    "routing/version.py": 1,
}


def test_no_pattern_of_a_configuration_reaches_re() -> None:
    """What people write as a regular expression goes to RE2 (linear time). `re` backtracks: it gets the code's own."""
    calls = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
    root, found = Path(api_gateway_service_mesh.__file__).parent, Counter[str]()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in calls:
                of = node.func.value
                if isinstance(of, ast.Name) and of.id == "re" and not isinstance(node.args[0], ast.Constant):
                    found[path.relative_to(root).as_posix()] += 1
    assert found - Counter(_MADE) == Counter(), "give it to re2, or escape what is not the code's own and count it here"
