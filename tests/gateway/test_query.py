"""`ApiGateway.query`: the dataset of the admin port's /sparql, in this process, and nothing beyond it."""

from __future__ import annotations

import socket

import pytest

from api_gateway_service_mesh import ApiGateway, RouteConfig
from api_gateway_service_mesh.errors import ClientError
from tests.support.configuration import HEAD

ONE = f"""{HEAD}
@prefix owl: <http://www.w3.org/2002/07/owl#> .
agw:Route a owl:Class .
ex:one a agw:Route ; agw:routePath "/one" ; agw:hasBackendService ex:one-backend .
ex:one-backend a agw:BackendService ; agw:address "127.0.0.1:9" .
"""


@pytest.mark.parametrize(
    "asking",
    [
        "SELECT * WHERE {{ SERVICE <{url}> {{ ?s ?p ?o }} }}",
        "SELECT * WHERE {{ service silent <{url}> {{ ?s ?p ?o }} }}",
        "SELECT * WHERE {{ VALUES ?there {{ <{url}> }} \\u0053ERVICE ?there {{ ?s ?p ?o }} }}",
    ],
)
def test_a_query_does_not_leave_the_process(asking: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(0.05)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/sparql"
        with pytest.raises(ClientError, match="SERVICE is off"):
            ApiGateway.from_turtle(ONE).query(asking.format(url=url))
        with pytest.raises(TimeoutError):
            silent.accept()


def test_what_would_end_the_process_is_refused() -> None:
    with pytest.raises(ClientError, match="too big"):
        ApiGateway.from_turtle(ONE).query("SELECT * WHERE " + "{" * 3000 + "}" * 3000)


def test_the_default_graph_is_a_set() -> None:
    """The configuration states a triple that the ontology states too."""
    gateway = ApiGateway.from_turtle(ONE)
    assert len(gateway.query("SELECT ?class { ?class a owl:Class FILTER(?class = agw:Route) }")) == 1


def test_from_and_graph_choose_among_the_named_graphs() -> None:
    gateway = ApiGateway.from_turtle(ONE)
    stated = gateway.query("SELECT ?s FROM <urn:agw:graph:config> WHERE { ?s ?p ?o }")
    assert len(stated) == len(gateway.graph)
    assert len(gateway.query("SELECT ?s WHERE { GRAPH <urn:agw:graph:config> { ?s ?p ?o } }")) == len(stated)
    assert len(gateway.query("SELECT ?s FROM <http://elsewhere.example/> WHERE { ?s ?p ?o }")) == 0


def test_a_route_added_since_is_found() -> None:
    gateway = ApiGateway.from_turtle(ONE)
    assert len(gateway.query("SELECT ?r { ?r a agw:Route }")) == 1
    gateway.add_route(RouteConfig(path="/two", method="GET", backend_service="127.0.0.1:9"))
    assert len(gateway.query("SELECT ?r { ?r a agw:Route }")) == 2
