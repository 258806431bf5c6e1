from __future__ import annotations

from pathlib import Path

import pytest

from api_gateway_service_mesh import ApiGateway, RouteConfig, ServiceMeshConfig
from api_gateway_service_mesh.errors import ClientError
from tests.support.configuration import EX, HEAD


def test_citations_have_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(
        HEAD
        + 'ex:r a agw:Route ;\n  agw:routePath "/a" ;\n  agw:hasBackendService ex:s .\nex:s a agw:BackendService ;\n  agw:address "s:80" .\n'
    )
    found = ApiGateway.from_turtle(file).explain("get", "http://shop.example.com/a?x=1", {"X-A": "1"})
    assert (found.route, found.status) == (EX + "r", None)
    assert found.why
    places = {citation.predicate.rsplit("#")[-1]: citation.location for citation in found.citations}
    path = places["routePath"]
    assert path is not None and (path.file, path.line) == (str(file), 3)
    assert places["address"] is not None and places["address"].line == 6
    assert f"{file}:3" in str(found)


def test_triples_of_the_python_api_have_no_lines() -> None:
    gateway = ApiGateway(ServiceMeshConfig())
    iri = gateway.add_route(RouteConfig("/a", backend_service="s:80"))
    found = gateway.explain("GET", "/a")
    assert found.route == iri
    assert all(citation.location is None for citation in found.citations)


def test_nobody_takes_it() -> None:
    gateway = ApiGateway()
    gateway.add_route(RouteConfig("/a", backend_service="s:80"))
    assert gateway.explain("GET", "/b").status == 404
    assert gateway.explain("DELETE", "/a").status == 405
    assert gateway.explain("GET", "http://host").status == 404


@pytest.mark.parametrize("url", ["a", "http://[::1", "mailto:x@y", ""])
def test_what_is_no_url_is_a_sentence(url: str) -> None:
    with pytest.raises(ClientError, match="is no URL"):
        ApiGateway().explain("GET", url)
