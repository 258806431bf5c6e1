"""Request validation from triples to the model: the description is read, and what is wrong with it is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api_gateway_service_mesh.control.build import BuildRefused, build
from api_gateway_service_mesh.control.gate import compiled
from api_gateway_service_mesh.control.used import stale_descriptions, watched_files
from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.model import Enforcement, Mesh, RequestValidation, UnknownParameters
from api_gateway_service_mesh.model.codec import shown
from tests.support.serving import turtle

pytest.importorskip("jsonschema_rs")

TEXT = """ex:g a agw:ApiGateway ; agw:hasRoute ex:r , ex:q ; agw:hasRequestValidation ex:v .
ex:s a agw:BackendService ; agw:address "s:80" .
ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s .
ex:q a agw:Route ; agw:routePath "/b" ; agw:hasBackendService ex:s .
ex:v a agw:RequestValidation ; agw:descriptionFile "shop.yaml" """
SHOP = "openapi: 3.1.0\npaths:\n  /a: {get: {operationId: one, parameters: [{in: query, name: n, schema: {type: integer}}]}}\n"


def written(folder: Path, text: str = TEXT + ".", shop: str = SHOP) -> Path:
    (folder / "shop.yaml").write_text(shop)
    file = folder / "gateway.ttl"
    file.write_text(turtle(text))
    return file


def mesh_of(folder: Path, text: str = TEXT + ".", shop: str = SHOP) -> Mesh:
    return build(SourceGraph.load([written(folder, text, shop)])).mesh


def test_all_that_it_says(tmp_path: Path) -> None:
    mesh = mesh_of(tmp_path)
    one, two = (route.validation for route in mesh.routes)
    assert one is two and one is not None
    assert one == RequestValidation(one.iri, str(tmp_path / "shop.yaml"), one.description)
    assert json.loads(one.description)["paths"]["/a"]["get"]["operationId"] == "one"
    assert list(watched_files(mesh)) == [tmp_path / "shop.yaml"]
    said = shown(mesh)["routes"][0]["validation"]["description"]
    assert said.startswith("sha256:") and len(said) == 71
    more = """; agw:describedOperation "one" ; agw:descriptionBase "/x" ; agw:unknownParameters "REFUSE" ;
        agw:checksFormats true ; agw:maximumBodyBytes 10 ; agw:maximumBodyDepth 3 ; agw:enforcement "audit" ."""
    stated = mesh_of(tmp_path, TEXT + more).routes[0].validation
    assert stated == RequestValidation(
        one.iri, one.file, one.description, "/x", ("one",), UnknownParameters.REFUSE, True, 10, 3, Enforcement.AUDIT
    )


@pytest.mark.parametrize(
    ("shop", "said"),
    [
        ("a: [", "no YAML"),
        ("openapi: 3.1.0\npaths: {}\n", "no operation"),
        ("openapi: 3.1.0\n---\nopenapi: 3.1.0\n", "2 documents"),
        ("swagger: '2.0'\npaths: {/a: {get: {}}}\n", "no OpenAPI description"),
        (SHOP.replace("{type: integer}", "{pattern: '(?<=a)b'}"), "GET /a"),
        (SHOP.replace("{type: integer}", "{$ref: 'https://elsewhere.example/a'}"), "leads out of the file"),
    ],
)
def test_what_is_wrong_with_a_description_is_told(tmp_path: Path, shop: str, said: str) -> None:
    with pytest.raises(BuildRefused) as refused:
        mesh_of(tmp_path, shop=shop)
    (finding,) = refused.value.report.findings
    assert finding.code == "description" and said in finding.message
    assert finding.location is not None and finding.location.line


def test_an_operation_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(BuildRefused, match="no operation two"):
        mesh_of(tmp_path, TEXT + '; agw:describedOperation "two" .')


def test_a_description_that_changes_is_read_again(tmp_path: Path) -> None:
    file = written(tmp_path)
    first = build(SourceGraph.load([file]))

    def again() -> SourceGraph:
        return SourceGraph.load([file])

    assert not stale_descriptions(first.mesh) and compiled(again, None, first) is None
    (tmp_path / "shop.yaml").write_text(SHOP.replace("integer", "boolean"))
    assert stale_descriptions(first.mesh)
    second = compiled(again, None, first)
    assert second is not None and compiled(again, None, second) is None
    assert second.mesh.routes[0].validation != first.mesh.routes[0].validation
    (tmp_path / "shop.yaml").write_text("a: [")
    with pytest.raises(ConfigError):
        compiled(again, None, second)
