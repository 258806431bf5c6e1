"""Shapes are read whole or not at all."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.shacl import shipped_shapes
from api_gateway_service_mesh.graph.shapes import ShapesGraph

HEAD = "@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix ex: <https://example.com/> .\n"


def read(text: str) -> ShapesGraph:
    return ShapesGraph(SourceGraph.parse(HEAD + text).rows)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "ex:S sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:uniqueLang true ] .",
            "sh:uniqueLang is not supported",
        ),
        ("ex:S sh:targetClass ex:A ; sh:property [ sh:path ( ex:p ex:q ) ; sh:minCount 1 ] .", "sh:path"),
        ("ex:S sh:targetClass ex:A ; sh:property [ sh:path [ sh:zeroOrMorePath ex:p ] ; sh:minCount 1 ] .", "sh:path"),
        ("ex:S sh:targetClass ex:A ; sh:property [ sh:path [ sh:inversePath [ sh:inversePath ex:p ] ] ] .", "sh:path"),
        ("ex:S sh:targetClass ex:A ; sh:property [ sh:minCount 1 ] .", "needs a shape with sh:path"),
        ('ex:S sh:targetClass ex:A ; sh:pattern "(?=x)" .', "pattern"),
        ('ex:S sh:targetClass ex:A ; sh:pattern "x" ; sh:flags "x" .', "flags"),
        ("ex:S sh:targetClass ex:A ; sh:nodeKind ex:Kind .", "no node kind"),
        ("ex:S sh:targetClass ex:A ; sh:severity ex:Grave .", "no severity"),
        ("ex:S sh:targetClass ex:A ; sh:in ex:nolist .", "no well-formed list"),
        ("ex:S sh:targetClass ex:A ; sh:lessThan 5 .", "where an IRI is needed"),
        ('ex:S sh:targetClass ex:A ; sh:class "x" .', "takes an IRI"),
        ("ex:S sh:targetClass ex:A ; sh:sparql [ ] .", "needs sh:select"),
        ('ex:S sh:targetClass ex:A ; sh:sparql [ sh:select "SELECT $this WHERE { $this $PATH ?v }" ] .', "PATH"),
        ('ex:S sh:targetClass ex:A ; sh:sparql [ sh:select "SELECT $this WHERE" ] .', "no SPARQL"),
        ("ex:S sh:targetClass ex:A ; sh:node ex:T . ex:T sh:not ex:S .", "may not refer to itself"),
        ("ex:S sh:targetClass ex:A ; sh:minCount ex:a .", "invalid literal"),
    ],
)
def test_refused(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as refused:
        read(text)
    assert refused.value.report.findings[0].code == "unsupported-shape"


def test_a_shape_used_by_two_others_is_no_recursion() -> None:
    assert (
        len(
            read(
                "ex:S sh:targetClass ex:A ; sh:node ex:T ; sh:not ex:U . ex:U sh:node ex:T . ex:T sh:class ex:B ."
            ).targeted
        )
        == 1
    )


def test_only_shapes_with_targets_are_run() -> None:
    shapes = read(
        "ex:S sh:targetClass ex:A ; sh:class ex:B . ex:T sh:class ex:B . ex:U sh:targetClass ex:A ; sh:deactivated true ."
    )
    assert [shape.node.value for shape in shapes.targeted] == ["https://example.com/S"]


def test_the_shipped_shapes_are_all_understood() -> None:
    assert len(shipped_shapes().targeted) > 20
    assert shipped_shapes() is shipped_shapes()
    assert shipped_shapes().ntriples.count(b"\n") == len(set(shipped_shapes().rows))
