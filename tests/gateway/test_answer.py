from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from pyoxigraph import Store

from api_gateway_service_mesh.gateway.answer import Answer


def ask(query: str) -> Answer:
    store = Store()
    store.load(b"<urn:a> <urn:p> 1 . <urn:b> <urn:p> 2 .", format=__import__("pyoxigraph").RdfFormat.TURTLE)
    return Answer(store.query(query))


def test_rows_by_name_place_and_unpacking() -> None:
    found = ask("SELECT ?s ?value WHERE { ?s <urn:p> ?value } ORDER BY ?s")
    assert found.variables == ("s", "value")
    assert [tuple(row) for row in found] == [("urn:a", 1), ("urn:b", 2)]
    first = found[0]
    subject, value = first
    assert (subject, value) == (first.s, first.value) == (first["s"], first["?value"]) == (first[0], first[1])
    assert first.asdict() == {"s": "urn:a", "value": 1}
    assert repr(first) == "Row(s='urn:a', value=1)"
    assert repr(found) == "<Answer 2 rows of s, value>"
    with pytest.raises(AttributeError, match=r"no \?x, only s, value"):
        _ = first.x
    with pytest.raises(KeyError):
        _ = first["x"]


@pytest.mark.parametrize(
    ("term", "value"),
    [
        ("1", 1),
        ("1.50", Decimal("1.50")),
        ("1e3", 1000.0),
        ("true", True),
        ('"x"', "x"),
        ('"x"@en', "x"),
        ("<urn:x>", "urn:x"),
        ("1/0", None),
        ('"PT1M"^^<http://www.w3.org/2001/XMLSchema#dayTimeDuration>', timedelta(minutes=1)),
        ('"P1M"^^<http://www.w3.org/2001/XMLSchema#duration>', "P1M"),
        (
            '"2026-01-02T03:04:05Z"^^<http://www.w3.org/2001/XMLSchema#dateTime>',
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        ),
        ('"often"^^<http://www.w3.org/2001/XMLSchema#integer>', "often"),
    ],
)
def test_python_values(term: str, value: object) -> None:
    (row,) = ask(f"SELECT ?x {{ BIND({term} AS ?x) }}")
    assert row.x == value
    assert type(row.x) is type(value)


def test_ask_and_construct() -> None:
    assert bool(ask("ASK { <urn:a> <urn:p> 1 }")) is True
    assert bool(ask("ASK { <urn:a> <urn:p> 3 }")) is False
    graph = ask("CONSTRUCT { ?s <urn:q> ?o } WHERE { ?s <urn:p> ?o }").graph
    assert graph is not None and len(graph) == 2
    assert not ask("SELECT ?s { ?s <urn:none> ?o }")
