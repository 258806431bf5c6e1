from __future__ import annotations

import re
import shutil
import time
from dataclasses import fields
from pathlib import Path

import pytest
from rdflib.plugins.sparql import prepareQuery

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph import infer
from api_gateway_service_mesh.projection import assemble, project
from api_gateway_service_mesh.projection.rows import ProjectedRows, row_types
from tests.support.configuration import assembled, parse

QUERIES = resources.queries("project")
FILES = sorted(QUERIES.glob("*.rq"))
ROUTE = 'ex:r a agw:Route ; agw:routePath "/a" ; agw:priority 3 .'


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    return Path(shutil.copytree(QUERIES, tmp_path / "project"))


def test_each_row_type_has_its_query_and_each_query_its_row_type() -> None:
    assert {file.stem for file in FILES} == set(row_types())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_variables_are_the_fields_of_the_row(file: Path) -> None:
    """Read by another implementation than the one that runs them, which also holds them to SPARQL 1.1."""
    variables = [str(name) for name in prepareQuery(file.read_text()).algebra["PV"]]
    assert variables == [field.name for field in fields(row_types()[file.stem])]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_queries_order_their_rows_and_say_what_they_are(file: Path) -> None:
    text = file.read_text()
    assert text.startswith("# ")
    assert re.match(r"ORDER BY( \?\w+)+$", text.rstrip().splitlines()[-1])


def test_without_data_there_are_no_rows() -> None:
    assert project(infer(parse("ex:x ex:y ex:z ."))) == ProjectedRows()


def test_an_edited_query_changes_the_model(queries: Path) -> None:
    """The queries are the compiler's front end: there is no other road from triples to the model."""
    route = queries / "route.rq"
    route.write_text(
        route.read_text().replace("agw:priority ?priority", "agw:routePath ?path2 . BIND(41 + 1 AS ?priority)")
    )
    assert assembled(ROUTE).mesh.routes[0].match.priority == 3
    assert assembled(ROUTE, queries=queries).mesh.routes[0].match.priority == 42


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_query_that_answers_nothing_leaves_nothing(file: Path, queries: Path) -> None:
    edited = queries / file.name
    edited.write_text(edited.read_text().replace("WHERE {", "WHERE { FILTER(false)"))
    assert getattr(project(infer(parse(ROUTE)), queries), file.stem) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT ?route WHERE {", "is not SPARQL"),
        ("SELECT ?route ?hostnam WHERE { ?route ?hostnam ?x }", "projects ?route ?hostnam"),
        ("ASK { ?route ?hostname ?x }", "is not a SELECT"),
    ],
)
def test_a_broken_query_is_named(queries: Path, text: str, said: str) -> None:
    (queries / "route_hostname.rq").write_text(text)
    with pytest.raises(ConfigError) as refused:
        project(infer(parse(ROUTE)), queries)
    (finding,) = refused.value.report.violations
    assert said in finding.message and "route_hostname.rq" in finding.message
    assert finding.location and finding.location.file == str(queries / "route_hostname.rq")


def test_a_missing_query_is_named(queries: Path) -> None:
    (queries / "split.rq").unlink()
    with pytest.raises(ConfigError, match=r"split\.rq is missing"):
        project(infer(parse(ROUTE)), queries)


def test_a_thousand_routes_take_a_fraction_of_a_second() -> None:
    text = "".join(
        f"""ex:r{i} a agw:Route ; agw:routePath "/api/{i}" ; agw:httpMethod "GET" ; agw:hasBackendService ex:s{i} ;
            agw:hasRateLimiter [ a agw:RateLimiter ; agw:requestsPerSecond 5 ] ; agw:hasTimeout [ a agw:Timeout ; agw:timeoutSeconds 2 ] .
            ex:s{i} a agw:BackendService ; agw:address "s{i}:80" .\n"""
        for i in range(1000)
    )
    graph = infer(parse(text))
    times = []
    for _ in range(3):
        began = time.process_time()
        mesh = assemble(project(graph), graph).accepted()
        times.append(time.process_time() - began)
    assert len(mesh.routes) == 1000
    assert min(times) < 0.3, times
