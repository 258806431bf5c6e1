"""Content negotiation."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.control.sparql.formats import GRAPH_TYPES, RESULT_TYPES, choose


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*", "json"),
        ("", "json"),
        ("text/csv", "csv"),
        ("application/json", "json"),
        ("text/*", "csv"),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", "xml"),
        ("application/sparql-results+json;q=0.1, text/csv;q=0.2", "csv"),
        ("*/*, application/sparql-results+json;q=0", "xml"),
        ("TEXT/CSV; Q=0.5", "csv"),
        ("image/png", None),
        ("text/csv;q=0", None),
        ("text/csv;q=nonsense", None),
    ],
)
def test_tables(accept: str, form: str | None) -> None:
    assert choose(accept, RESULT_TYPES) == form


def test_graphs() -> None:
    assert choose("*/*", GRAPH_TYPES) == "turtle"
    assert choose("application/ld+json, text/turtle;q=0.5", GRAPH_TYPES) == "jsonld"
