"""Constraint components by themselves; their meaning is tested against pySHACL in test_shacl."""

from __future__ import annotations

import pytest
from pyoxigraph import Literal, NamedNode

from api_gateway_service_mesh.graph.constraints import component, conditions


def test_component_iri() -> None:
    assert component("minCount").value == "http://www.w3.org/ns/shacl#MinCountConstraintComponent"


def test_patterns_take_linear_time() -> None:
    holds = conditions("pattern", Literal("^(a+)+$"))
    assert holds(Literal("a" * 50_000))
    assert not holds(Literal("a" * 50_000 + "!"))


def test_a_pattern_that_is_none() -> None:
    with pytest.raises(ValueError, match="pattern"):
        conditions("pattern", Literal("("))


def test_lengths_count_characters() -> None:
    assert conditions("maxLength", Literal(1))(Literal("é"))
    assert not conditions("minLength", Literal(2))(Literal("é"))
    assert conditions("minLength", Literal(2))(NamedNode("urn:x"))
