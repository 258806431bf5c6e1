"""Patterns mean the same on every Python that agw runs on.

Until Python 3.11.4 a possessive group (``(...)*+``) and an atomic one (``(?>...)``) can match what they should not when
what is in them backtracks (CPython issue 106052). Of single characters (``[a-z]*+``) they are right everywhere.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
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
