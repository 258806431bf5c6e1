"""What of a difference is followed, what is not, and how little of the rest is touched."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph import SourceGraph, infer, validate
from api_gateway_service_mesh.graph.change import Change, reinfer
from api_gateway_service_mesh.graph.revalidate import revalidate, shape_reads
from api_gateway_service_mesh.graph.shacl import shipped_shapes
from tests.support.edits import BASE
from tests.support.turtle import configuration, routes_turtle


def _change(before: str, after: str) -> Change | None:
    step = reinfer(SourceGraph.parse(after), infer(SourceGraph.parse(before)))
    return step[1] if step else None


def test_nothing_changed() -> None:
    change = _change(BASE, "# a comment\n" + BASE)
    assert change is not None and not change.rows and not change.stated


def test_one_literal() -> None:
    change = _change(BASE, BASE.replace('"/pay"', '"/payments"'))
    assert change is not None
    assert {str(row[2]) for row in change.rows} == {'"/pay"', '"/payments"'}
    assert {row[0].value for row in change.stated} == {"https://example.com/pay"}


def test_a_class_that_hands_down_something_else_reaches_its_members() -> None:
    before = infer(SourceGraph.parse(BASE))
    after = SourceGraph.parse(BASE.replace("agw:hasRetryPolicy ex:again ;", "agw:hasRetryPolicy ex:never ;"))
    step = reinfer(after, before)
    assert step is not None
    assert {row[0].value.removeprefix("https://example.com/") for row in step[1].rows} == {"Payments", "pay"}
    assert step[0].rules == infer(after).rules


def test_another_order_of_one_subject_counts_as_all_of_it() -> None:
    one = "ex:r a agw:Route ; agw:routePath '/r' ; agw:priority 1 ."
    other = "ex:r a agw:Route ; agw:priority 1 ; agw:routePath '/r' ."
    rest = "".join(f"ex:s{n} a agw:BackendService ; agw:address 's{n}:80' . " for n in range(20))
    change = _change(configuration(one + rest), configuration(other + rest))
    assert change is not None and len(change.rows) == 3
    assert _change(configuration(one + rest), configuration(rest + one)).rows == {}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "more",
    [
        "ex:Public rdfs:subClassOf ex:Guarded .",
        "ex:p rdfs:subPropertyOf agw:hasTimeout .",
        "ex:p owl:inverseOf agw:hasRoute .",
        "agw:Route rdfs:label 'mine' .",
    ],
)
def test_what_everything_hangs_on_is_not_followed(more: str) -> None:
    assert _change(BASE, BASE + more) is None
    assert _change(BASE + more, BASE) is None


def test_another_configuration_is_not_followed() -> None:
    assert _change(BASE, routes_turtle(40)) is None


def test_the_store_is_made_only_when_asked_for() -> None:
    before = validate(infer(SourceGraph.parse(routes_turtle(40))))
    after = SourceGraph.parse(routes_turtle(40).replace('"/api/v1/thing0"', '"/api/v1/other"'))
    step = reinfer(after, before.inferred)
    assert step is not None
    validated = revalidate(step[0], before, step[1])
    assert "data" not in vars(step[0])
    assert len(validated.store) > len(after.rows)


def test_a_refused_change_leaves_what_was_there() -> None:
    before = validate(infer(SourceGraph.parse(BASE)))
    rows, results = set(before.inferred.index), dict(before.results)
    after = SourceGraph.parse(
        BASE.replace("ex:ordersService a agw:BackendService", "ex:ordersServices a agw:BackendService")
    )
    step = reinfer(after, before.inferred)
    assert step is not None
    with pytest.raises(ConfigError) as refused:
        revalidate(step[0], before, step[1])
    with pytest.raises(ConfigError) as whole:
        validate(infer(after))
    assert refused.value.report == whole.value.report
    assert set(before.inferred.index) == rows and before.results == results


def test_no_shipped_shape_looks_everywhere() -> None:
    strange = [
        shape.node for shape in shipped_shapes().targeted if any(r.predicate is None for r in shape_reads(shape))
    ]
    assert strange == []
